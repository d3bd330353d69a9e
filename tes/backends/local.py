"""Runs attempts on this host: supervisors forked from a warm zygote, each under its own kernel uid (decision 4)."""

import base64
import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import structlog

from sandbox import supervisor, wire
from sandbox.signing import check_signed
from sandbox.zygote import Zygote, start
from strongroom.doors import ask
from strongroom.errors import StrongroomError
from tes.backends import Launch, Report, Tell

log = structlog.get_logger()
LOST: Report = {"cause": "lost", "exit_code": None, "reason": "The supervisor of this task died."}


class Local:
    """A `Backend`: the dispatcher's own children."""

    name = "local"

    def __init__(self, signer: Path) -> None:
        self._signer = signer
        self._zygote: Zygote = start()
        self._lock = threading.Lock()
        self._channels: dict[str, socket.socket] = {}

    def submit(self, launch: Launch, tell: Tell) -> None:
        """Start the attempt in a supervisor of its own and talk with it in a thread."""
        threading.Thread(target=self._conduct, args=(launch, tell), daemon=True).start()

    def cancel(self, attempt: str) -> None:
        """Tell the supervisor to kill everything inside the walls."""
        with self._lock:
            channel = self._channels.get(attempt)
        if channel is not None:
            with contextlib.suppress(OSError):
                wire.send(channel, {"type": "cancel"})

    def sweep(self) -> None:
        """Remove the cgroups and mounts of supervisors that died with the last dispatcher."""
        supervisor.sweep()

    def _conduct(self, launch: Launch, tell: Tell) -> None:
        report, zygote = LOST, self._zygote
        try:
            _, channel = zygote.launch(launch.spec)
            with self._lock:
                self._channels[launch.attempt] = channel
            with channel:
                report = self._converse(channel, launch, tell)
        except (OSError, ValueError):
            log.exception("attempt.lost", attempt=launch.attempt)
        finally:
            with self._lock:
                self._channels.pop(launch.attempt, None)
            if report is LOST:
                self._mend(zygote)
            tell.ended(report)

    def _mend(self, zygote: Zygote) -> None:
        """Clean up after a supervisor that died; if its zygote did too, start another for those to come."""
        with self._lock:
            if self._zygote is zygote and zygote.process.poll() is not None:
                log.error("zygote.lost")
                zygote.close()
                self._zygote = start()
        self.sweep()

    def _converse(self, channel: socket.socket, launch: Launch, tell: Tell) -> Report:
        claim: dict[str, Any] = {}
        while (message := wire.recv(channel)) is not None:
            match message.get("type"):
                case "claim":
                    claim = message
                    wire.send(channel, self._order(launch, message))
                case "started":
                    tell.started()
                case "result":
                    return own_words(message, claim)
                case other:
                    log.error("attempt.unknown_message", attempt=launch.attempt, kind=str(other)[:40])
                    return LOST
        return LOST

    def _order(self, launch: Launch, claim: dict[str, Any]) -> dict[str, Any]:
        # T1: the claim comes up a channel that only our own child holds; T22: the order covers the spec's digest.
        asked = {
            "verb": "order",
            **launch.order,
            "attempt": launch.attempt,
            "spec_sha256": claim["spec_sha256"],
            "public_key": claim["public_key"],
            "signing_key": claim["signing_key"],
        }
        try:
            return {"type": "order", "order": ask(self._signer, asked)["order"]}
        except StrongroomError as error:
            return {"type": "refused", "reason": error.sentence}


def own_words(result: dict[str, Any], claim: dict[str, Any]) -> Report:
    """Return the report in a result signed with the claim's key (T22); before a claim there is only failure."""
    if not claim:
        return {"cause": "system", "exit_code": None, "reason": str(result.get("reason"))[:500]}
    report = check_signed(result, base64.b64decode(claim["signing_key"]))
    del report["type"]
    return report
