"""Lets processes that dropped root reach the code, when it lies below somebody's private folder."""

import ctypes
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV = 4096, 16384, 1 << 18, 2, 4
_libc = ctypes.CDLL(None, use_errno=True)


def open_ways(paths: Iterable[Path]) -> None:
    """In a private mount namespace, show each path at its own place although a parent is closed to others.

    A closed parent (a home folder, a temporary folder) is covered by an empty one that holds nothing but
    the paths named here; the host's own view does not change. Needs root; does nothing when all is open.
    """
    closed: dict[Path, list[Path]] = {}
    for path in {p.resolve() for p in paths if p.exists()}:
        if (gate := _closed_parent(path)) is not None:
            closed.setdefault(gate, []).append(path)
    if not closed:
        return
    _check(_libc.unshare(CLONE_NEWNS))
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    for gate, inside in closed.items():
        _cover(gate, inside)


def _cover(gate: Path, inside: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as kept:
        handles = [(path, os.open(path, os.O_PATH | os.O_DIRECTORY)) for path in _outermost(inside)]
        _mount("tmpfs", str(gate), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
        for path, handle in handles:
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{handle}", str(path), None, MS_BIND | MS_REC)
            os.close(handle)
        Path(kept).touch()


def _outermost(paths: list[Path]) -> list[Path]:
    return [p for p in paths if not any(other != p and p.is_relative_to(other) for other in paths)]


def _closed_parent(path: Path) -> Path | None:
    for parent in reversed(path.parents):
        if not parent.stat().st_mode & stat.S_IXOTH:
            return parent
    return None


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [w.encode() if w is not None else None for w in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None))


def _check(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
