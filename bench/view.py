"""Serves one decrypted file with our own FUSE server until its standard input ends, then prints its CPU seconds."""

import os
import sys
import time
from pathlib import Path

from sandbox import mounts
from sandbox.body import Body
from sandbox.crypt4gh import Reader
from sandbox.fuse import MAX_READ, View
from sandbox.inputs import Bodies
from sandbox.mounts import Stage


def main(body: str, size: str, key: str, folder: str) -> None:
    """Mount below `folder`/inputs and say so."""
    reader = Reader(bytes.fromhex(key), int(size))
    one = Body("/run/work/file", Path(body), Path(body).stat().st_size, None, 0, reader)
    stage = Stage(folder, 0, "", ())
    began = time.process_time()
    fd = mounts.open_view(stage, max_read=MAX_READ)
    View(Bodies([one]), below="/run/work", uid=0).start(fd)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(f"{time.process_time() - began}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
