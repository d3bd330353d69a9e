"""Names a folder of an unpacked image by all that lies in it, and says whether it still is what was named."""

import contextlib
import hashlib
import os
import stat
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.layers import ImageError

PAUSE = 30.0  # seconds in which a process that saw a tree whole does not look at it again
_SETTLED = 50_000_000  # ns: clocks of file systems tick slower than writers write
_LOOKS = 40  # at a tree that does not settle
_FACTS = struct.Struct("<7Q2q")
_MEANS_NOTHING = "security.selinux"  # a label of the host's, not of the image


@dataclass(frozen=True)
class _Seen:
    """When a tree was looked at last, and what the file system said of it then."""

    at: float
    stamp: bytes


_seen: dict[tuple[Path, str], _Seen] = {}
_lock = threading.Lock()


def check_tree(root: Path, digest: str) -> None:
    """Raise `ImageError` unless `root` holds exactly what has this digest; cheap enough for each use.

    A process reads the whole tree at its first use, and again when any name, inode, owner, mode, size or time in it
    is another than before; it looks for that once in `PAUSE`. A change time is the kernel's: only who rules the host,
    or serves the file system, can change a file and keep it.
    """
    key = (root, digest)
    if _is_fresh(key):
        return
    with _lock:
        if _is_fresh(key):
            return
        before, at = _seen.pop(key, None), time.monotonic()
        stamp = _stamp(root)
        if (before is None or before.stamp != stamp) and tree_digest(root) != digest:
            raise ImageError(
                "What lies in the store is not what was imported; import the image again (strongroom image import)."
            )
        _seen[key] = _Seen(at, stamp)  # taken before it was read: what changed meanwhile is seen next time


def _is_fresh(key: tuple[Path, str]) -> bool:
    seen = _seen.get(key)
    return seen is not None and time.monotonic() - seen.at < PAUSE


def tree_digest(root: Path) -> str:
    """Return `sha256:…` of `root` and every path below it: kind, mode, size and bytes, or where a link leads.

    Extended attributes count: an imported image has none. Owners and times do not: they are the importer's. Whatever
    is neither file, folder nor link raises `ImageError`, as does what cannot be read.
    """
    whole = hashlib.sha256()
    try:
        for path, found in _entries(root):
            kind, mode = stat.S_IFMT(found.st_mode), stat.S_IMODE(found.st_mode)
            fields = [os.fsencode(path.removeprefix(str(root))), f"{kind:o}".encode()]
            match kind:
                case stat.S_IFREG:
                    fields += [f"{mode:o} {found.st_size}".encode(), _content(path)]
                case stat.S_IFDIR:
                    fields += [f"{mode:o}".encode(), b""]
                case stat.S_IFLNK:
                    fields += [b"", os.fsencode(Path(path).readlink())]
                case _:
                    raise ImageError("In the store, something of this image is neither file, folder nor link.")
            whole.update(b"\0".join([*fields, _attributes(path), b""]))  # no field holds a zero byte
    except OSError as error:
        raise ImageError(f"What lies in the store cannot be read: {error.strerror}.") from error
    return f"sha256:{whole.hexdigest()}"


def _content(path: str) -> bytes:
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest().encode()


def _attributes(path: str) -> bytes:
    names: list[str] = []
    with contextlib.suppress(OSError):  # not every file system has them
        names = sorted(set(os.listxattr(path, follow_symlinks=False)) - {_MEANS_NOTHING})
    values = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
    return hashlib.sha256(repr(values).encode()).hexdigest().encode() if values else b""


def _stamp(root: Path) -> bytes:
    """Return a digest of what `lstat` says of everything, when nothing was changed within the last moment."""
    try:
        for _ in range(_LOOKS):
            seen, newest = hashlib.sha256(), 0
            for path, found in _entries(root):
                numbers = (found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid)
                facts = (*numbers, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
                seen.update(_FACTS.pack(*facts) + os.fsencode(path) + b"\0")
                newest = max(newest, found.st_ctime_ns)
            if not 0 <= time.time_ns() - newest < _SETTLED:
                return seen.digest()
            time.sleep(_SETTLED / 1e9)
    except OSError as error:
        raise ImageError(f"What lies in the store cannot be read: {error.strerror}.") from error
    raise ImageError("What lies in the store is being changed.")


def _entries(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every path with what `lstat` says, folders before what they hold, in an order that paths alone decide."""
    waiting = [str(root)]
    yield str(root), os.lstat(root)
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        for entry in inside:
            found = entry.stat(follow_symlinks=False)
            yield entry.path, found
            if stat.S_ISDIR(found.st_mode):
                waiting.append(entry.path)
