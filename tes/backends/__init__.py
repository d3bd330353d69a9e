"""The contract of a backend: a place where attempts at tasks run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

Report = dict[str, Any]


@dataclass(frozen=True)
class Launch:
    """All that a backend needs to start one attempt; `order` is what the signer is asked for."""

    attempt: str
    spec: bytes
    order: dict[str, Any]


@dataclass(frozen=True)
class Tell:
    """Whom a backend tells: once when the walls are up, and once, always last, when the attempt is over."""

    started: Callable[[], None]
    ended: Callable[[Report], None]


class Backend(Protocol):
    """Obligations: (1) `submit` starts an attempt at most once; (2) each submitted attempt ends with one report,
    `lost` when none came; (3) after `cancel` every process of the attempt dies before its report;
    (4) nothing of an attempt outlives the dispatcher unnoticed: `sweep` at start ends or finds what is left."""

    name: str

    def submit(self, launch: Launch, tell: Tell) -> None:
        """Start an attempt; return at once."""

    def cancel(self, attempt: str) -> None:
        """Kill an attempt; an unknown one is no error."""

    def sweep(self) -> None:
        """Clean what an earlier life left."""
