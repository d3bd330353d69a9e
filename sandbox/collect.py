"""Takes what a dead task left in its scratch: declared outputs, plain files, nothing through a link."""

import enum
import errno
import os
import re
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sandbox import kernel
from sandbox.fields import LONGEST_PATH, WORK
from sandbox.spec import Limits, Output

DEEPEST = 32
LARGEST_ANSWER = 1 << 20
_SLACK = 64 << 10  # what a file may be longer than its blocks
# No quotes, escapes or wildcards; nothing that a shell or a program reads as an option, a home or a comment.
_NAME = re.compile(r"[A-Za-z0-9._+=@%,:(]([A-Za-z0-9._+=@%,:~#() -]*[A-Za-z0-9._+=@%,:~#()-])?")
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW


class Refused(enum.Enum):
    """Why something that a task left is not taken."""

    LINK = "a symbolic link"
    HARD_LINK = "a file with several names"
    SPARSE = "a file with holes"
    SPECIAL = "not a plain file"
    KIND = "a file where a folder was declared, or a folder where a file was"
    NAME = "a file whose name holds characters that are not allowed"
    DEEP = "folders nested too deeply, or a path that is too long"


class TooMuch(Exception):
    """The outputs exceed the task's limits."""


@dataclass(frozen=True)
class Found:
    """A plain file that will be sealed."""

    path: str
    size: int


@dataclass(frozen=True)
class Collected:
    """What is taken, which declared outputs are not there, and why something was refused."""

    files: tuple[Found, ...]
    missing: tuple[str, ...]
    refused: tuple[Refused, ...]


def collect(work: int, outputs: Sequence[Output], *, inputs: Collection[str], limits: Limits) -> Collected:
    """Look for the declared outputs below the descriptor `work`; raises `TooMuch`.

    Every process of the task must be dead: nobody is left to race with.
    """
    files: dict[str, Found] = {}
    size = 0
    missing: list[str] = []
    refused: set[Refused] = set()
    for output in outputs:
        taken = False
        for found in _look(work, output):
            if isinstance(found, Refused):
                refused.add(found)
            elif found.path not in inputs:  # decision 16: never a path that is an input
                taken = True
                if found.size >= 0 and found.path not in files:
                    files[found.path] = found
                    size += found.size
            if len(files) > limits.output_files or size > limits.output_bytes:
                raise TooMuch
        if not taken:
            missing.append(output.path)
    return Collected(tuple(files.values()), tuple(missing), tuple(why for why in Refused if why in refused))


def open_found(work: int, path: str) -> int:
    """Open a collected file for reading."""
    return kernel.open_beneath(work, _below(path), _OPEN)


def read_answer(work: int, path: str) -> bytes | None:
    """Return the small file that a check answers with, or None when it is not there; raises `TooMuch`."""
    found = _examine(work, _below(path))
    if not isinstance(found, os.stat_result) or not stat.S_ISREG(found.st_mode):
        return None
    if found.st_size > LARGEST_ANSWER:
        raise TooMuch
    with open(open_found(work, path), "rb") as file:
        return file.read(LARGEST_ANSWER)


def _look(work: int, output: Output) -> Iterator[Found | Refused]:
    relative = _below(output.path)
    found = _examine(work, relative)
    if found is None:
        return
    if not all(map(_NAME.fullmatch, relative.split("/"))):
        yield Refused.NAME
        return
    if isinstance(found, Refused):
        yield found
    elif stat.S_ISDIR(found.st_mode) != (output.type == "DIRECTORY"):
        yield Refused.KIND
    elif stat.S_ISDIR(found.st_mode):
        yield Found(output.path, -1)  # it is there, even when nothing is in it
        yield from _walk(work, relative, 1)
    else:
        yield Found(output.path, found.st_size)


def _walk(work: int, folder: str, depth: int) -> Iterator[Found | Refused]:
    fd = kernel.open_beneath(work, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = sorted(entry.name for entry in os.scandir(fd))
    finally:
        os.close(fd)
    for name in names:
        path = f"{folder}/{name}"
        if len(os.fsencode(path)) > LONGEST_PATH:
            yield Refused.DEEP
            continue
        found = _examine(work, path)
        if found is None:
            continue
        if isinstance(found, Refused):
            yield found
        elif not _NAME.fullmatch(name):
            yield Refused.NAME
        elif not stat.S_ISDIR(found.st_mode):
            yield Found(f"{WORK}/{path}", found.st_size)
        elif depth >= DEEPEST:
            yield Refused.DEEP
        else:
            yield from _walk(work, path, depth + 1)


def _examine(work: int, path: str) -> os.stat_result | Refused | None:
    try:
        fd = kernel.open_beneath(work, path, os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        return Refused.LINK if error.errno in (errno.ELOOP, errno.EXDEV) else None
    try:
        found = os.fstat(fd)
    finally:
        os.close(fd)
    match stat.S_IFMT(found.st_mode):
        case stat.S_IFDIR:
            return found
        case stat.S_IFCHR if found.st_rdev == 0:
            return None  # the overlay's mark of a removed input
        case stat.S_IFLNK:
            return Refused.LINK
        case stat.S_IFREG if found.st_nlink > 1:
            return Refused.HARD_LINK
        case stat.S_IFREG if found.st_blocks * 512 + _SLACK < found.st_size:
            return Refused.SPARSE
        case stat.S_IFREG:
            return found
        case _:
            return Refused.SPECIAL


def _below(path: str) -> str:
    return str(PurePosixPath(path).relative_to(WORK))
