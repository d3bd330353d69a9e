"""Finds the files that hold some bytes, wherever they are."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_LARGE = 1 << 30  # bytes


def files_with(words: Sequence[bytes], *folders: str | Path) -> list[str]:
    """Return the plain files below these folders that hold one of the words, and what has one as attribute, sorted.

    Other file systems that are mounted there are left out: one of them may be endless, as /proc is.
    """
    # The words are handed over in memory, or the command line of grep itself would show them.
    memory = os.memfd_create("words")
    os.write(memory, b"\n".join(words))
    search = ["grep", "-lsaF", "-f", f"/proc/self/fd/{memory}"]
    names = subprocess.run(
        ["find", *folders, "-xdev", "-printf", "%y %s %b %p\\0"], stdout=subprocess.PIPE, check=False
    ).stdout.split(b"\0")
    try:
        done = subprocess.run(
            ["xargs", "-0", "-r", *search],
            input=b"".join(name + b"\0" for name in map(_held, names) if name),
            capture_output=True,
            pass_fds=[memory],
            check=False,
        )
    finally:
        os.close(memory)
    assert done.returncode in (0, 123), done.stderr  # 123: grep found nothing, or a file was gone when it came
    marks = {os.fsdecode(name): attributes(name) for name in map(_name, names) if name}
    marked = {name for name, has in marks.items() if has and any(word in has for word in words)}
    return sorted({*done.stdout.decode().splitlines(), *marked})


def attributes(path: str | bytes | Path) -> bytes:
    """Return the extended attributes of what lies there, names and values; nothing of what is gone."""
    found = bytearray()
    with contextlib.suppress(OSError):
        for name in os.listxattr(path, follow_symlinks=False):
            found += name.encode() + b"=" + os.getxattr(path, name, follow_symlinks=False) + b"\n"
    return bytes(found)


def _name(line: bytes) -> bytes:
    return line.split(b" ", 3)[3] if line else b""


def _held(line: bytes) -> bytes:
    """Return a plain file's name in a line of find's, empty for a hole: its zeros are one line of grep's."""
    if not line.startswith(b"f "):
        return b""
    _, size, blocks, name = line.split(b" ", 3)
    return b"" if int(size) > _LARGE and int(blocks) * 512 < int(size) // 1024 else name
