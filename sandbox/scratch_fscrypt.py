"""Gives scratch larger than memory: a file system whose files the kernel encrypts with a key nobody keeps."""

# An ext4 in one file that never has a name, on a loop device: kill -9 at any moment leaves nothing to sweep, and all
# that the host's disk holds of files is ciphertext, names and targets of links too. The key is added by ioctl: it was
# in our memory and the kernel's alone, and the kernel forgets it with the file system, which goes with our mount
# namespace. In clear are sizes, times and modes, and would be extended attributes, which tasks cannot set (seccomp).

import contextlib
import fcntl
import os
import struct
from pathlib import Path

from sandbox import kernel, loopdisk
from sandbox.scratch_tmpfs import mount_memory

# linux/fscrypt.h
_ADD_KEY, _REMOVE_KEY, _SET_POLICY = 0xC0506617, 0xC0406618, 0x800C6613
_BY_IDENTIFIER, _VERSION = 2, 2
_AES_256_XTS, _AES_256_CTS, _PAD_32 = 1, 4, 3  # for contents, for names, and how long names look
_KEY_LENGTH = 64
_ADDED = struct.Struct(
    "=II16s16xI36x"
)  # struct fscrypt_add_key_arg, before the key: the kernel fills in the identifier
_REMOVED = struct.Struct("=II16s16x24x")  # struct fscrypt_remove_key_arg
_POLICY = struct.Struct("=BBBB4x16s")  # struct fscrypt_policy_v2


class KernelEncrypted:
    """One attempt's disk; mounted once."""

    in_memory = False
    keepers: frozenset[int] = frozenset()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._target: str | None = None
        self._key = b""  # its identifier, which the kernel derives and is no secret

    def mount(self, target: str, *, size: int, inodes: int) -> None:
        """Make the disk and mount its encrypted folder at `target`; raises `ScratchError`."""
        with loopdisk.making(self._folder, size):
            # `target` is the place of several mounts, each over the last: only the encrypted folder stays in sight.
            mount_memory(target, size=1 << 20, inodes=64)
            whole = f"{target}/whole"
            file = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                loopdisk.mount(file, whole, size=size, inodes=inodes, features="encrypt")
            finally:
                os.close(file)
            Path(f"{whole}/encrypted").mkdir()
            with loopdisk.opened(f"{whole}/encrypted") as folder:
                self._key = _add_key(folder)
                _encrypt(folder, self._key)
            kernel.mount(f"{whole}/encrypted", target, flags=kernel.MS_BIND)
            Path(target).chmod(0o755)
            self._target = target

    def close(self) -> None:
        """Drop the file system without writing back what is still in memory, and let the kernel forget the key."""
        if self._target is None:
            return
        loopdisk.shut_down(self._target)
        # The key itself is forgotten even where this complains of the file system that we have just shut down.
        with contextlib.suppress(OSError), loopdisk.opened(self._target) as folder:
            fcntl.ioctl(folder, _REMOVE_KEY, bytearray(_REMOVED.pack(_BY_IDENTIFIER, 0, self._key)))


def _add_key(folder: int) -> bytes:
    """Let the kernel have a fresh key for this file system; return its identifier."""
    argument = bytearray(_ADDED.pack(_BY_IDENTIFIER, 0, b"", _KEY_LENGTH) + os.urandom(_KEY_LENGTH))
    try:
        fcntl.ioctl(folder, _ADD_KEY, argument)
        _, _, identifier, _ = _ADDED.unpack_from(argument)
    finally:
        argument[_ADDED.size :] = bytes(_KEY_LENGTH)
    return bytes(identifier)


def _encrypt(folder: int, key: bytes) -> None:
    """Encrypt with this key whatever comes into the empty folder."""
    policy = _POLICY.pack(_VERSION, _AES_256_XTS, _AES_256_CTS, _PAD_32, key)
    fcntl.ioctl(folder, _SET_POLICY, policy)
