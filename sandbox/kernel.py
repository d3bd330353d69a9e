"""Calls the kernel where the standard library does not: mount, unshare, prctl, openat2."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_OPENAT2, _CLOSE_RANGE = 437, 436  # the same on every machine
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_MNT_DETACH, _AT_EMPTY_PATH, _MOVE_FROM_EMPTY_PATH, _MOUNT_ATTR_IDMAP = 2, 0x1000, 4, 0x100000
_CLOSE_RANGE_CLOEXEC = 4
_RESOLVE = 0x01 | 0x02 | 0x04 | 0x08  # NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH
_PR_CAP_AMBIENT, _RAISE, _CAPABILITY_VERSION = 47, 2, 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def mount(source: str, target: str, *, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    _checked(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            data.encode() if data else None,
        )
    )


def unmount(target: str) -> None:
    """umount2(2): take a mount out of sight; it ends when nobody uses it any more."""
    _checked(_libc.umount2(target.encode(), _MNT_DETACH))


def idmapped(source: str, target: str, *, namespace: int) -> None:
    """Bind `source` at `target`, its owners mapped by the user namespace of this descriptor."""
    at, clone = -100, 1 | os.O_CLOEXEC  # AT_FDCWD, OPEN_TREE_CLONE
    tree = _checked(int(_libc.syscall(_OPEN_TREE, at, source.encode(), ctypes.c_uint(clone))))
    try:
        attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_IDMAP, 0, 0, namespace)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        _checked(int(_libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, ctypes.byref(attributes), size)))
        _checked(int(_libc.syscall(_MOVE_MOUNT, tree, b"", at, target.encode(), _MOVE_FROM_EMPTY_PATH)))
    finally:
        os.close(tree)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _checked(_libc.unshare(flags))


def set_not_dumpable() -> None:
    """Let no other process of this uid read our memory, and no core file be written (decision 20)."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def die_with_parent(signal: int) -> None:
    """Ask for `signal` when the parent dies; a change of credentials forgets it, so this comes last."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal), 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent died, so that none is lost from sight."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def hand_on_capabilities() -> None:
    """Let a program that this thread starts do in our user namespace what we may, though its uid is not 0 there."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable, of the first 32 and of the others
    _checked(_libc.capget(header, sets))
    sets[2], sets[5] = permitted = sets[1], sets[4]
    _checked(_libc.capset(header, sets))
    for number in (n for n in range(64) if permitted[n // 32] >> n % 32 & 1):
        _checked(_libc.prctl(_PR_CAP_AMBIENT, _RAISE, number, 0, 0))


def keep_from_exec(first: int) -> None:
    """Let no descriptor from `first` on survive exec, wherever it came from."""
    last = ctypes.c_uint(0xFFFFFFFF)
    _checked(int(_libc.syscall(_CLOSE_RANGE, ctypes.c_uint(first), last, ctypes.c_uint(_CLOSE_RANGE_CLOEXEC))))


def open_beneath(folder: int, path: str, flags: int) -> int:
    """Open `path` below the descriptor `folder`: never through a link, out of it, or onto another mount."""
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE)
    arguments = (folder, os.fsencode(path), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    return _checked(int(_libc.syscall(_OPENAT2, *arguments)))


@contextlib.contextmanager
def namespace_of(uid: int) -> Iterator[int]:
    """Give a descriptor of a user namespace in which this uid of the host is 0, and nobody else is anybody."""
    ready, go = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(go[1])
            unshare(CLONE_NEWUSER)
            os.write(ready[1], b"r")
            os.read(go[0], 1)  # ends with our parent
        finally:
            os._exit(0)
    os.close(ready[1])
    os.close(go[0])
    try:
        os.read(ready[0], 1)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(f"0 {uid} 1")
        fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)
    finally:
        os.close(ready[0])
        os.close(go[1])
        os.waitpid(pid, 0)
