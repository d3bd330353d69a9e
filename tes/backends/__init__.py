"""The contract of a backend: a place where attempts at tasks run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tes.reports import Report


@dataclass(frozen=True)
class Launch:
    """All that a backend needs to start one attempt; `order` is what the signer is asked for."""

    attempt: str
    spec: bytes
    order: dict[str, Any]
    plan: dict[str, Any]


@dataclass(frozen=True)
class Tell:
    """Whom a backend tells: once when the walls are up, and once, always last, when the attempt is over."""

    started: Callable[[], None]
    ended: Callable[[Report], None]


class Backend(Protocol):
    """Obligations: (1) `submit` starts an attempt at most once, whatever answers are lost on the way; (2) each
    submitted attempt ends with one report, `lost` when none came; (3) after `cancel` every process of the attempt is
    dead before its report; (4) an attempt of an earlier life of the dispatcher is taken up by `resume`, or ends;
    none is started again; (5) `status` says of each attempt what is known, in the scheduler's own word too."""

    name: str
    keeps: bool  # attempts live on when the dispatcher dies; `resume` takes them up

    def submit(self, launch: Launch, tell: Tell) -> None:
        """Start an attempt; return at once."""

    def resume(self, launch: Launch, tell: Tell) -> None:
        """Take up an attempt that an earlier life submitted, or had on its way; return at once."""

    def cancel(self, attempt: str) -> None:
        """Kill an attempt; an unknown one is no error, and a second time neither."""

    def status(self, attempt: str) -> str | None:
        """Return the scheduler's own word for an attempt that has not ended; None: it is not here."""

    def sweep(self) -> None:
        """Clean what an earlier life left."""
