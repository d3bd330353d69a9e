"""Finds the files that hold some bytes, wherever they are."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_LARGE = 1 << 30  # bytes


def files_with(words: Sequence[bytes], *folders: str | Path) -> list[str]:
    """Return the plain files below these folders that hold one of the words, sorted.

    Other file systems that are mounted there are left out: one of them may be endless, as /proc is.
    """
    # The words are handed over in memory, or the command line of grep itself would show them.
    memory = os.memfd_create("words")
    os.write(memory, b"\n".join(words))
    search = ["grep", "-lsaF", "-f", f"/proc/self/fd/{memory}"]
    names = subprocess.run(
        ["find", *folders, "-xdev", "-type", "f", "-printf", "%s %b %p\\0"], stdout=subprocess.PIPE, check=False
    ).stdout
    try:
        done = subprocess.run(
            ["xargs", "-0", "-r", *search],
            input=b"".join(name + b"\0" for name in map(_held, names.split(b"\0")) if name),
            capture_output=True,
            pass_fds=[memory],
            check=False,
        )
    finally:
        os.close(memory)
    assert done.returncode in (0, 123), done.stderr  # 123: grep found nothing, or a file was gone when it came
    return sorted(set(done.stdout.decode().splitlines()))


def _held(line: bytes) -> bytes:
    """Return the name in a line of find's, empty for a hole: a terabyte of nothing would be one line of grep's."""
    if not line:
        return b""
    size, blocks, name = line.split(b" ", 2)
    return b"" if int(size) > _LARGE and int(blocks) * 512 < int(size) // 1024 else name
