"""Says what scratch space is, and opens the driver that a spec names."""

from typing import Protocol, assert_never

from sandbox.spec import ScratchSpace


class Scratch(Protocol):
    """Space for what a task writes: sized, seen in the task's mount namespace alone, and never plain on a disk."""

    @property
    def in_memory(self) -> bool:
        """Whether its bytes count as the task's memory."""
        ...

    @property
    def keepers(self) -> frozenset[int]:
        """Processes of ours that must live as long as the scratch."""
        ...

    def mount(self, target: str, *, size: int, inodes: int) -> None:
        """Mount it at `target`, with room for `size` bytes in `inodes` files; raises `ScratchError`."""
        ...

    def close(self) -> None:
        """Forget what is in it; nothing of the task runs any more."""
        ...


def open_scratch(wanted: ScratchSpace, *, attempt: str) -> Scratch:
    """Return the driver that the spec names, not mounted yet."""
    match wanted.driver:
        case "tmpfs":
            from sandbox.scratch_tmpfs import Memory

            return Memory()
        case "gocryptfs":
            from sandbox.scratch_gocryptfs import EncryptedDisk

            assert wanted.folder is not None
            return EncryptedDisk(wanted.folder, attempt)
        case "fscrypt":
            from sandbox.scratch_fscrypt import KernelEncrypted

            assert wanted.folder is not None
            return KernelEncrypted(wanted.folder)
        case never:
            assert_never(never)
