"""Makes a disk of one file: ext4 on a loop device, of a fixed size, dropped without writing back."""

import contextlib
import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sandbox import kernel
from sandbox.kernel import MS_NODEV, MS_NOSUID

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 20.0
_SLACK = 32 << 20  # what ext4 keeps for itself, besides its inodes
_INODE = 256
_BLOCK = 4096
_GET_FREE, _CONFIGURE, _AUTOCLEAR = 0x4C82, 0x4C0A, 4  # linux/loop.h
_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN
_FEATURES = "^has_journal,^resize_inode"
_OPTIONS = "noinit_itable,nobarrier"  # nothing here outlives us, so nothing need reach the disk in order


class ScratchError(Exception):
    """This node cannot give that scratch; the sentence says what the operator can do."""


@contextlib.contextmanager
def making(folder: Path, size: int) -> Iterator[None]:
    """Raise `ScratchError` when this node cannot give a disk of that size below `folder`, whatever fails inside."""
    if os.geteuid() != 0:
        raise ScratchError("Encrypted disk as scratch needs root on the node; ask for less, or use memory.")
    try:
        free = os.statvfs(folder)
        if free.f_bavail * free.f_frsize < size:
            raise ScratchError("The folder for encrypted scratch has not that much room left; free some.")
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise ScratchError("Encrypted scratch cannot be made: see `strongroom doctor` on the node.") from error


def mount(file: int, target: str, *, size: int, inodes: int, features: str = "") -> None:
    """Make a file system in this empty file, with `features` of ext4 besides ours, and mount it at `target`."""
    os.ftruncate(file, (size + inodes * _INODE + _SLACK) // _BLOCK * _BLOCK)  # or its last part could not be read
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-b", str(_BLOCK), "-N", str(inodes), "-I", str(_INODE)]
    command += ["-O", ",".join(filter(None, (_FEATURES, features))), "-E", "lazy_itable_init=1,nodiscard"]
    run(*command, f"/dev/fd/{file}", keep=(file,))
    Path(target).mkdir()
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(50):  # somebody else may take the free one before us
            try:
                return _attach(f"/dev/loop{fcntl.ioctl(control, _GET_FREE)}", file, target)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
    finally:
        os.close(control)
    raise ScratchError("No loop device is free on this node.")


def shut_down(target: str) -> None:
    """Drop the file system without writing back what is still in memory."""
    with contextlib.suppress(OSError), opened(target) as folder:
        fcntl.ioctl(folder, _SHUTDOWN, struct.pack("=I", _NO_FLUSH))


@contextlib.contextmanager
def opened(folder: str) -> Iterator[int]:
    """Give a descriptor of a folder, which is what ioctls of a file system are asked of."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def run(*command: str, given: bytes = b"", keep: tuple[int, ...] = ()) -> None:
    """Run a program of this node; it is given `given` and keeps these descriptors."""
    environment = {"PATH": PATH}
    subprocess.run(
        command, input=given, capture_output=True, check=True, env=environment, timeout=PATIENCE, pass_fds=keep
    )


def _attach(device: str, file: int, target: str) -> None:
    loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        info = struct.pack("=5Q4I160s2Q", 0, 0, 0, 0, 0, 0, 0, 0, _AUTOCLEAR, b"", 0, 0)
        fcntl.ioctl(loop, _CONFIGURE, struct.pack("=II", file, _BLOCK) + info + bytes(64))
        kernel.mount(device, target, kind="ext4", flags=MS_NOSUID | MS_NODEV, data=_OPTIONS)
    finally:
        os.close(loop)
