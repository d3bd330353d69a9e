"""Reads one file as a task would, and prints wall and CPU seconds as JSON."""

import json
import os
import random
import sys
import time

PAGE, BLOCK, PAGES = 4096, 1 << 20, 4000


def main(kind: str, path: str) -> None:
    """Read `path` from end to end, or random pages of it, each once."""
    fd = os.open(path, os.O_RDONLY)
    size, buffer = os.fstat(fd).st_size, memoryview(bytearray(BLOCK))
    pages = random.Random(1).sample(range(size // PAGE), min(PAGES, size // PAGE))  # noqa: S311 - no secret
    began, used = time.perf_counter(), time.process_time()
    if kind == "sequential":
        while os.readv(fd, [buffer]):
            pass
    else:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
        for page in pages:
            os.preadv(fd, [buffer[:PAGE]], page * PAGE)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    spent = {"wall": wall, "cpu": cpu, "reads": len(pages), "size": size}
    sys.stdout.write(json.dumps(spent) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
