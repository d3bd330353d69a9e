"""Runs attempts on this host: supervisors forked from a warm zygote, each under its own kernel uid (decision 4)."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any, Final

import structlog

from sandbox import supervisor, wire
from sandbox.conversation import converse
from sandbox.zygote import Zygote, start
from strongroom.threads import Threads
from tes.backends import Launch, Tell
from tes.claims import order
from tes.reports import Report, own_words, report
from tes.tasks import Cause

log = structlog.get_logger()
BEHIND: Final = 5  # niceness of tasks: the services of this host are asked by people, and answer first
LOST: Final = report(Cause.LOST, "The supervisor of this task died.")


class Local:
    """A `Backend`: the dispatcher's own children."""

    name = "local"
    keeps = False

    def __init__(self, signer: Path, *, afar: bool = False) -> None:
        self._signer = signer
        self._afar = afar
        self._zygote: Zygote = start(niceness=BEHIND, afar=afar)
        self._threads = Threads()
        self._lock = threading.Lock()
        self._channels: dict[str, socket.socket] = {}
        self._launches: dict[int, Launch] = {}  # by the supervisor's pid

    def submit(self, launch: Launch, tell: Tell) -> None:
        """Start the attempt in a supervisor of its own and talk with it in a thread."""
        self._threads.run(self._conduct, launch, tell)

    def resume(self, launch: Launch, tell: Tell) -> None:  # noqa: ARG002
        """End it: it died with the dispatcher whose child it was."""
        tell.ended(LOST)

    def cancel(self, attempt: str) -> None:
        """Tell the supervisor to kill everything inside the walls."""
        with self._lock:
            channel = self._channels.get(attempt)
        if channel is not None:
            with contextlib.suppress(OSError):
                wire.send(channel, {"type": "cancel"})

    def status(self, attempt: str) -> str | None:
        """Return `running` for as long as its supervisor lives."""
        with self._lock:
            return "running" if attempt in self._channels else None

    def sweep(self) -> None:
        """Remove the cgroups and mounts of supervisors that died with the last dispatcher."""
        supervisor.sweep()

    def launch_of(self, pid: int) -> Launch | None:
        """Return the attempt that this process supervises; None when it supervises none of ours."""
        with self._lock:
            return self._launches.get(pid)

    def _conduct(self, launch: Launch, tell: Tell) -> None:
        said, zygote, pid = LOST, self._zygote, 0
        try:
            pid, channel = zygote.launch(launch.spec)
            with self._lock:
                self._channels[launch.attempt] = channel
                self._launches[pid] = launch
            with channel:
                said = self._converse(channel, launch, tell)
        except (OSError, ValueError):
            log.exception("attempt.lost", attempt=launch.attempt)
        finally:
            with self._lock:
                self._channels.pop(launch.attempt, None)
                self._launches.pop(pid, None)
            if said is LOST:
                self._mend(zygote)
            tell.ended(said)

    def _mend(self, zygote: Zygote) -> None:
        """Clean up after a supervisor that died; if its zygote did too, start another for those to come."""
        with self._lock:
            if self._zygote is zygote and zygote.process.poll() is not None:
                log.error("zygote.lost")
                zygote.close()
                self._zygote = start(niceness=BEHIND, afar=self._afar)
        self.sweep()

    def _converse(self, channel: socket.socket, launch: Launch, tell: Tell) -> Report:
        claim: dict[str, Any] = {}

        def ordered(message: wire.Message) -> wire.Message:
            # T1: the claim comes up a channel that only our own child holds.
            claim.update(message)
            return order(self._signer, launch, claim)

        result = converse(channel, order=ordered, started=tell.started)
        return LOST if result is None else own_words(result, claim.get("signing_key"), spec=launch.spec)
