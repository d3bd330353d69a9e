"""Takes what a dead task left in its scratch: declared outputs, plain files, nothing through a link."""

import enum
import errno
import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sandbox import kernel
from sandbox.fields import LONGEST_PATH, is_below
from sandbox.patterns import has_wildcards, matches
from sandbox.spec import Limits, Output, OutputType

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


def is_taken(name: str) -> bool:
    """Say whether a file or folder of this name is taken."""
    return _NAME.fullmatch(name) is not None and name not in (".", "..")


def collect(
    folders: Mapping[str, int], outputs: Sequence[Output], *, inputs: Collection[str], limits: Limits
) -> Collected:
    """Look for the declared outputs in `folders`, descriptors by their path in the task; raises `TooMuch`.

    Every process of the task must be dead: nobody is left to race with.
    """
    files: dict[str, Found] = {}
    size = 0
    missing: list[str] = []
    refused: set[Refused] = set()
    for output in outputs:
        taken = False
        for found in _look(folders, output):
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


def open_found(folders: Mapping[str, int], path: str) -> int:
    """Open a collected file for reading."""
    place, relative = _placed(folders, path)
    return kernel.open_beneath(place.fd, relative, _OPEN)


def read_answer(folders: Mapping[str, int], path: str) -> bytes | None:
    """Return the small file that a check answers with, or None when it is not there; raises `TooMuch`."""
    found = _examine(*_placed(folders, path))
    if not isinstance(found, os.stat_result) or not stat.S_ISREG(found.st_mode):
        return None
    if found.st_size > LARGEST_ANSWER:
        raise TooMuch
    with open(open_found(folders, path), "rb") as file:
        return file.read(LARGEST_ANSWER)


@dataclass(frozen=True)
class _Place:
    """A folder that outputs may lie in: its path in the task, and how to open what is below."""

    path: str
    fd: int


def _placed(folders: Mapping[str, int], path: str) -> tuple[_Place, str]:
    """Return in which folder `path` lies, and the path from there."""
    top = next(top for top in folders if is_below(path, top))
    return _Place(top, folders[top]), path.removeprefix(top).removeprefix("/") or "."


def _look(folders: Mapping[str, int], output: Output) -> Iterator[Found | Refused]:
    place, relative = _placed(folders, output.path)
    if not output.wildcards:
        yield from _take(place, relative, output.type)
        return
    for found in _matching(place, ".", relative.split("/")):
        yield from [found] if isinstance(found, Refused) else _take(place, found, output.type)


def _matching(place: _Place, folder: str, parts: Sequence[str]) -> Iterator[str | Refused]:
    """Go down one folder for each part of a pattern, through real folders only."""
    if not parts:
        yield folder
        return
    if not has_wildcards(parts[0]):
        names = [parts[0]]
    else:
        names = [name for name in _names(place, folder) if matches(name, parts[0])]
    for name in names:
        path = _joined(folder, name)
        found = _examine(place, path)
        if isinstance(found, Refused):
            yield found
        elif not _NAME.fullmatch(name):
            yield Refused.NAME
        elif len(os.fsencode(_named(place, path))) > LONGEST_PATH:
            yield Refused.DEEP
        elif found is not None and (len(parts) == 1 or stat.S_ISDIR(found.st_mode)):
            yield from _matching(place, path, parts[1:])


def _take(place: _Place, relative: str, kind: OutputType) -> Iterator[Found | Refused]:
    found = _examine(place, relative)
    if found is None:
        return
    if not all(map(_NAME.fullmatch, relative.split("/"))):
        yield Refused.NAME
        return
    if isinstance(found, Refused):
        yield found
    elif stat.S_ISDIR(found.st_mode) != (kind == "DIRECTORY"):
        yield Refused.KIND
    elif stat.S_ISDIR(found.st_mode):
        yield Found(_named(place, relative), -1)  # it is there, even when nothing is in it
        yield from _walk(place, relative, 1)
    else:
        yield Found(_named(place, relative), found.st_size)


def _walk(place: _Place, folder: str, depth: int) -> Iterator[Found | Refused]:
    for name in _names(place, folder):
        path = _joined(folder, name)
        if len(os.fsencode(_named(place, path))) > LONGEST_PATH:
            yield Refused.DEEP
            continue
        found = _examine(place, path)
        if found is None:
            continue
        if isinstance(found, Refused):
            yield found
        elif not _NAME.fullmatch(name):
            yield Refused.NAME
        elif not stat.S_ISDIR(found.st_mode):
            yield Found(_named(place, path), found.st_size)
        elif depth >= DEEPEST:
            yield Refused.DEEP
        else:
            yield from _walk(place, path, depth + 1)


def _names(place: _Place, folder: str) -> list[str]:
    fd = kernel.open_beneath(place.fd, folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return sorted(entry.name for entry in os.scandir(fd))
    finally:
        os.close(fd)


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _named(place: _Place, relative: str) -> str:
    return place.path if relative == "." else f"{place.path}/{relative}"


def _examine(place: _Place, path: str) -> os.stat_result | Refused | None:
    try:
        fd = kernel.open_beneath(place.fd, path, os.O_PATH | os.O_NOFOLLOW)
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
