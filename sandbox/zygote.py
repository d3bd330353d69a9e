"""Forks supervisors from one warm process, a few ahead, so that no task waits for one to get ready."""

import contextlib
import gc
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import NoReturn

from sandbox import bubblewrap, cgroups, kernel, rehearsal, seccomp, supervisor, wire

SPARES = 2  # supervisors that are ready before they are asked for
_REPLY = struct.Struct("<i")


class Zygote:
    """The client's side: asks the zygote for one supervisor after another; safe to share between threads."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket) -> None:
        self.process = process
        self._control = control
        self._lock = threading.Lock()

    def launch(self, spec_raw: bytes) -> tuple[int, socket.socket]:
        """Start a supervisor with this spec; return its process id and our end of its channel."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [b"f"], [theirs.fileno()])
                reply = self._control.recv(_REPLY.size)
            if len(reply) != _REPLY.size:
                raise ConnectionError("The zygote is dead.")
            wire.send_raw(ours, spec_raw)
        except OSError:
            ours.close()
            raise
        return _REPLY.unpack(reply)[0], ours

    def close(self) -> None:
        """End the zygote, and with it every supervisor and task."""
        self._control.close()
        self.process.wait()


def start(*, niceness: int = 0, afar: bool = False) -> Zygote:
    """Start a zygote; it dies with this process, which alone holds the other end of its control socket.

    All that comes of it has its `niceness`: 0 to 19, of which 19 gives way to everything else. `afar`:
    the bodies of its attempts lie in a store, so what reads them there is loaded once.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-P", "-m", "sandbox.zygote", str(theirs.fileno()), str(niceness), str(int(afar))]
        # An empty environment: nothing of the dispatcher's is to be read in /proc/*/environ.
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env={}, stdin=subprocess.DEVNULL)
    return Zygote(process, ours)


def serve(control: socket.socket) -> NoReturn:
    """Be the zygote: fork one supervisor for each channel that comes, until the other end is gone."""
    control.set_inheritable(False)
    bubblewrap.find_bubblewrap()  # what every supervisor needs is found once
    cgroups.hierarchies()
    seccomp.program()
    rehearsal.of_the_zygote()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps supervisors
    kernel.adopt_orphans()  # and what a killed supervisor leaves
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the dispatcher's to handle
    gc.collect()
    gc.freeze()
    spares = [_fork(control) for _ in range(SPARES)]
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if not message:
            sys.exit(0)
        control.send(_REPLY.pack(_hand_over(spares, fds[0], control)))
        os.close(fds[0])
        while len(spares) < SPARES:
            spares.append(_fork(control))


def _hand_over(spares: list[tuple[int, socket.socket]], channel: int, control: socket.socket) -> int:
    """Give the channel to a supervisor that is ready; return its process id."""
    while True:
        pid, line = spares.pop(0) if spares else _fork(control)
        with line, contextlib.suppress(OSError):  # somebody killed it: the next one is as good
            socket.send_fds(line, [b"f"], [channel])
            return pid


def _fork(control: socket.socket) -> tuple[int, socket.socket]:
    zygote = os.getpid()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_supervisor(control, theirs, zygote)
    theirs.close()
    return pid, ours


def _be_supervisor(control: socket.socket, line: socket.socket, zygote: int) -> NoReturn:
    def wait() -> socket.socket:
        with line:
            message, fds, _, _ = socket.recv_fds(line, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if not message:
            os._exit(0)  # the zygote is gone
        return socket.socket(fileno=fds[0])

    try:
        control.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A group of its own against a terminal's signals. A session of its own would undo our niceness: where the
        # kernel groups processes by session (autogroup), each has as much of a processor as all services.
        os.setpgid(0, 0)
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() == zygote:
            supervisor.main(wait)
    finally:
        os._exit(1)


if __name__ == "__main__":
    os.nice(int(sys.argv[2]))
    if int(sys.argv[3]):
        importlib.import_module("sandbox.far")
    # No PDEATHSIG here: it would fire when the thread that called `start` ends. The socket's end is as sure.
    serve(socket.socket(fileno=int(sys.argv[1])))
