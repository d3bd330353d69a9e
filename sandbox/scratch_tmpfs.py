"""Gives scratch in memory that is never swapped, where the kernel can promise it."""

from sandbox import kernel
from sandbox.kernel import MS_NODEV, MS_NOSUID


class Memory:
    """A tmpfs: gone with the namespace that it is mounted in."""

    in_memory = True
    keepers: frozenset[int] = frozenset()

    def mount(self, target: str, *, size: int, inodes: int) -> None:
        """Mount a sized tmpfs."""
        mount_memory(target, size=size, inodes=inodes)

    def close(self) -> None:
        """Nothing is to be done: the memory goes with our mount namespace."""


def mount_memory(target: str, *, size: int, inodes: int) -> bool:
    """Mount a sized tmpfs out of swap's reach, where that can be had; say whether it could."""
    options = f"size={size},nr_inodes={inodes},mode=0755"
    flags = MS_NOSUID | MS_NODEV
    try:  # plaintext must not reach a swap device; kernels before 6.4 and user namespaces cannot promise it
        kernel.mount("tmpfs", target, kind="tmpfs", flags=flags, data=options + ",noswap")
    except OSError:
        kernel.mount("tmpfs", target, kind="tmpfs", flags=flags, data=options)
        return False
    return True
