"""Wakes a sleeping process: a bell is a Unix datagram socket; a lost ring costs a delay and nothing else."""

import contextlib
import errno
import os
import select
import socket
import stat
from pathlib import Path


class Bell:
    """The listening end; `wait` returns when somebody rang or the time is up."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        share(path, mode=0o660)
        self.socket.setblocking(False)

    def __enter__(self) -> "Bell":
        return self

    def __exit__(self, *_how: object) -> None:
        self.close()

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    def fileno(self) -> int:
        """Let `select` and event loops wait on the bell."""
        return self.socket.fileno()

    def wait(self, seconds: float) -> bool:
        """Return whether somebody rang within `seconds`."""
        poll = select.poll()  # not select(): descriptors may be above 1,024
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def quiet(self) -> None:
        """Take all rings that are waiting."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(64)


def share(path: Path, *, mode: int) -> None:
    """Give a socket that was just bound its mode; what somebody put in its place keeps its own.

    Services own the folder of sockets, and root binds there too: a link of theirs would lead to any file.
    """
    file = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(file).st_mode):
            raise OSError(errno.ENOTSOCK, "Something else stands in a socket's place.")
        os.chmod(f"/proc/self/fd/{file}", mode)
    finally:
        os.close(file)


def ring(path: Path) -> None:
    """Ring the bell at `path`; nobody listening, or a bell that is ringing already, is no error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell, contextlib.suppress(OSError):
        bell.setblocking(False)
        bell.sendto(b"!", str(path))
