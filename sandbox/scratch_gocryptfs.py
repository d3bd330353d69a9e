"""Gives scratch larger than memory: a file system inside one file that gocryptfs encrypts with a key nobody keeps."""

# Three layers: gocryptfs encrypts one sparse file below the node's scratch folder; a loop device makes a disk of it;
# ext4 on that gives a fixed size and what an overlay needs of its upper folder (FUSE itself cannot be one). As soon
# as the disk is open its name and the encrypted folder are removed: what a killed supervisor leaves on the
# host is unnamed ciphertext that the kernel frees, and the password was in our memory and a pipe alone.

import os
import secrets
import select
import shutil
import signal
import time
from pathlib import Path

from sandbox import kernel, loopdisk
from sandbox.kernel import MS_NODEV, MS_NOSUID
from sandbox.loopdisk import PATH, PATIENCE, ScratchError
from sandbox.scratch_tmpfs import mount_memory

_SCRYPT = "10"  # the least: a password of 256 random bits needs no stretching


class EncryptedDisk:
    """One attempt's disk; mounted once."""

    in_memory = False

    def __init__(self, folder: Path, attempt: str) -> None:
        self._cipher = folder / f"{os.getpid()}-{attempt}-{secrets.token_hex(4)}"
        self._daemon: int | None = None
        self._target: str | None = None

    @property
    def keepers(self) -> frozenset[int]:
        """The process that encrypts."""
        return frozenset({self._daemon} if self._daemon else ())

    def mount(self, target: str, *, size: int, inodes: int) -> None:
        """Make the disk and mount it at `target`; raises `ScratchError`."""
        with loopdisk.making(self._cipher.parent, size):
            try:
                self._cipher.mkdir(mode=0o700)
                self._mount(target, size=size, inodes=inodes)
            finally:
                shutil.rmtree(self._cipher, ignore_errors=True)

    def close(self) -> None:
        """Drop the file system without writing back what is still in memory, and end the process that encrypts."""
        if self._target is not None:
            loopdisk.shut_down(self._target)
        if self._daemon is not None:
            os.kill(self._daemon, signal.SIGKILL)
            os.waitpid(self._daemon, 0)
            self._daemon = None

    def _mount(self, target: str, *, size: int, inodes: int) -> None:
        # `target` is the place of several mounts, each over the last: only the plain file system stays in sight.
        mount_memory(target, size=1 << 20, inodes=64)
        view, settings = f"{target}/view", f"{target}/settings"
        Path(view).mkdir()
        self._encrypt(view, settings)
        disk = os.open(f"{view}/disk", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            loopdisk.mount(disk, f"{target}/plain", size=size, inodes=inodes)
        finally:
            os.close(disk)
        Path(f"{view}/disk").unlink()
        kernel.unmount(view)
        kernel.mount(f"{target}/plain", target, flags=kernel.MS_BIND)
        Path(target).chmod(0o755)
        Path(f"{target}/lost+found").rmdir()
        self._target = target

    def _encrypt(self, view: str, settings: str) -> None:
        password = secrets.token_hex(32).encode()
        command = ["gocryptfs", "-init", "-q", "-nosyslog", "-scryptn", _SCRYPT, "-config", settings]
        loopdisk.run(*command, str(self._cipher), given=password)
        fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        pipe, end = os.pipe2(os.O_CLOEXEC)
        os.write(end, password)
        os.close(end)
        command = ["gocryptfs", "-fg", "-q", "-nosyslog", "-noprealloc", "-config", settings]
        self._daemon, go = _start([*command, str(self._cipher), f"/dev/fd/{fuse}"], given=pipe, keep=fuse)
        options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,max_read=131072"
        kernel.mount("scratch", view, kind="fuse.scratch", flags=MS_NOSUID | MS_NODEV, data=options)
        os.write(go, b"g")
        os.close(go)
        os.close(pipe)
        os.close(fuse)
        _wait_for(self._daemon, view)
        Path(settings).unlink()


def _start(command: list[str], *, given: int, keep: int) -> tuple[int, int]:
    """Return the daemon, and where to write when its view is mounted.

    It leaves our mount namespace first: were it in the one that it serves, its own death would wait for it for ever.
    """
    program = shutil.which(command[0], path=PATH)
    if program is None:
        raise ScratchError(f"{command[0]} is not installed on this node; install it, or ask for less scratch.")
    parent = os.getpid()
    (left, has_left), (goes, go) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid:
        os.close(has_left)
        os.close(goes)
        with open(left, "rb") as file:
            file.read(1)
        return pid, go
    try:
        kernel.unshare(kernel.CLONE_NEWNS)
        os.close(go)
        os.write(has_left, b"l")
        os.read(goes, 1)
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDWR)
        for number, fd in ((0, given), (1, nothing), (2, nothing)):
            os.dup2(fd, number)
        kernel.keep_from_exec(3)
        os.set_inheritable(keep, True)
        kernel.die_with_parent(signal.SIGKILL)
        if parent == os.getppid():
            os.execve(program, command, {"PATH": PATH})  # noqa: S606 - no shell is what we want
    finally:
        os._exit(98)


def _wait_for(daemon: int, view: str) -> None:
    """Return when the view answers; a daemon that ended instead is a `ScratchError`."""
    # The kernel lets nobody wait for an answer without blocking: a child looks, and we watch both.
    looking = os.fork()
    if looking == 0:
        try:
            list(Path(view).iterdir())
            os._exit(0)
        finally:
            os._exit(1)
    watched = {pid: os.pidfd_open(pid) for pid in (daemon, looking)}
    poll = select.poll()
    for fd in watched.values():
        poll.register(fd, select.POLLIN)
    ready = {fd for fd, _ in poll.poll(PATIENCE * 1000)}
    fine = watched[looking] in ready and watched[daemon] not in ready
    if not fine:
        os.kill(daemon, signal.SIGKILL)  # which ends the view, and so whoever waits for it
    _, status = os.waitpid(looking, 0)
    for fd in watched.values():
        os.close(fd)
    if not fine or status != 0:
        raise ScratchError("gocryptfs did not start; see `strongroom doctor` on the node.")


def sweep(folder: Path) -> None:
    """Remove the encrypted folders of supervisors that were killed while they made their disk."""
    for left in folder.iterdir() if folder.is_dir() else ():
        pid = left.name.split("-", 1)[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and time.time() - left.stat().st_mtime > 60:
            shutil.rmtree(left, ignore_errors=True)
