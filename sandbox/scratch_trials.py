"""Tries which drivers of scratch stand on this node, each in a mount namespace that is gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sandbox import loopdisk, mounts
from sandbox.scratch import open_scratch
from sandbox.scratch_tmpfs import mount_memory
from sandbox.spec import Driver, ScratchSpace

_SIZE, _INODES = 1 << 20, 64
_FSCRYPT = Path("/sys/fs/ext4/features/encryption")
_PACKAGES = {"mkfs.ext4": "e2fsprogs", "gocryptfs": "gocryptfs"}  # by what they are looked for


def keeps_off_swap() -> bool:
    """Say whether the kernel promises that memory which tasks write to reaches no swap device."""
    return _stood(lambda place: mount_memory(str(place), size=_SIZE, inodes=_INODES))


def obstacle(driver: Driver) -> str | None:
    """Return why this node cannot encrypt disk with a driver, or None when a trial of it stood."""
    if os.geteuid() != 0:
        return "It needs root."
    programs = ["mkfs.ext4"] if driver == "fscrypt" else ["gocryptfs", "mkfs.ext4"]
    lacking = [_PACKAGES[program] for program in programs if shutil.which(program, path=loopdisk.PATH) is None]
    if lacking:
        return f"Not installed: {' and '.join(lacking)}."
    if driver == "fscrypt" and not _FSCRYPT.exists():
        return "This kernel cannot encrypt single files (CONFIG_FS_ENCRYPTION)."

    def mount(place: Path) -> bool:
        disk, seen = place / "disk", place / "seen"
        disk.mkdir()
        seen.mkdir()
        space = open_scratch(ScratchSpace(driver, disk), attempt="doctor")
        space.mount(str(seen), size=_SIZE, inodes=_INODES)
        space.close()
        return True

    return None if _stood(mount) else "A trial failed; it needs loop devices, and gocryptfs /dev/fuse."


def _stood(trial: Callable[[Path], bool]) -> bool:
    with tempfile.TemporaryDirectory() as place:
        pid = os.fork()
        if pid == 0:
            try:
                mounts.enter_namespace()
                os._exit(0 if trial(Path(place)) else 1)
            finally:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
