"""Writes the tree that the engine sees: names, rounded sizes and times of our own clock, no content (T4)."""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from strongroom.errors import StrongroomError

EIGHTH = 3  # sizes are rounded up to an eighth of an octave


class Obstructed(StrongroomError):
    """The engine stands in the way of a stub, or its path leads nowhere in the tree."""


def rounded(size: int) -> int:
    """Return `size` rounded up so that it tells no more than an eighth of an octave (T4)."""
    if size <= 1 << EIGHTH:
        return 1 << EIGHTH if size else 0
    unit = 1 << max((size - 1).bit_length() - 1 - EIGHTH, 0)
    return -(-size // unit) * unit


def write_stub(root: int, path: str, *, size: int, mtime_ns: int, content: bytes = b"") -> None:
    """Make `path` below the directory `root` a file of holes, or of `content` that is no secret; no link is followed.

    The engine owns this tree and may be hostile: each component is opened without following links.
    """
    try:
        with _parent(root, path) as (folder, name):
            _clear(folder, name)
            file = os.open(
                name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=folder
            )
            try:
                if content:
                    os.write(file, content)
                os.ftruncate(file, len(content) or size)
                os.utime(file, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(file)
    except (OSError, RecursionError) as error:  # or a tree too deep to be removed
        code = str(getattr(error, "errno", "deep"))
        raise Obstructed("A file of the engine stands where a stub belongs.", detail=code) from error


def make_directory(root: int, path: str) -> None:
    """Make the directory `path` below `root` and its parents."""
    with _parent(root, f"{path}/stub") as _:
        return


def missing(root: int, stubs: Mapping[str, str]) -> frozenset[str]:
    """Return the keys whose stub, a file or a folder below `root`, is gone; what is behind a link is gone too."""
    return frozenset(key for key, path in stubs.items() if not _is_there(root, path))


def _is_there(root: int, path: str) -> bool:
    try:
        *folders, name = _parts(path)
    except Obstructed:
        return False
    current = os.dup(root)
    try:
        for part in folders:
            below = os.open(part, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = below
        return not stat.S_ISLNK(os.stat(name, dir_fd=current, follow_symlinks=False).st_mode)
    except OSError:
        return False
    finally:
        os.close(current)


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Open a tree's root for the calls above."""
    root = os.open(folder, os.O_DIRECTORY | os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield root
    finally:
        os.close(root)


def _parts(path: str) -> list[str]:
    # T19: `..` is a real folder, so not following links keeps nobody inside.
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise Obstructed("A file of this run has a path that is none; its stub was not written.")
    return parts


@contextmanager
def _parent(root: int, path: str) -> Iterator[tuple[int, str]]:
    *folders, name = _parts(path)
    current = os.dup(root)
    try:
        for part in folders:
            current = _enter(current, part)
        yield current, name
    finally:
        os.close(current)


def _enter(folder: int, part: str) -> int:
    flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY | os.O_CLOEXEC
    try:
        try:
            return os.open(part, flags, dir_fd=folder)
        except FileNotFoundError:
            os.mkdir(part, 0o755, dir_fd=folder)
        except NotADirectoryError:
            os.unlink(part, dir_fd=folder)  # a link or a file that the engine put where a directory belongs
            os.mkdir(part, 0o755, dir_fd=folder)
        return os.open(part, flags, dir_fd=folder)
    finally:
        os.close(folder)


def _clear(folder: int, name: str) -> None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        shutil.rmtree(name, dir_fd=folder)  # by descriptors: no link that the engine put there is followed
    else:
        os.unlink(name, dir_fd=folder)
