"""Says what is told at the end of an attempt, wherever it ran."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox import wire
from sandbox.collect import Collected
from sandbox.fields import WORK

Cause = Literal["exited", "deadline", "out_of_memory", "signal", "disk_full", "canceled", "system"]
LOGS: Final = f"{WORK}/.strongroom"
TOO_MUCH: Final = "The outputs are larger, or more, than this task may write."
REASONS: Final[dict[Cause, str | None]] = {
    "exited": None,
    "deadline": "The task ran longer than it may.",
    "out_of_memory": "The task used more memory than it may.",
    "signal": "The task was killed by a signal.",
    "disk_full": "The task wrote more than its scratch space holds.",
    "canceled": "The task was canceled.",
    "system": "The walls round the task could not be built.",
}


@dataclass
class Result:
    """What the dispatcher is told at the end."""

    cause: Cause
    exit_code: int | None = None
    reason: str | None = None
    executors: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    answer: str | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float = 0.0

    def message(self) -> wire.Message:
        """Return the result as it travels."""
        return {"type": "result", **vars(self)}


def refusals(found: Collected) -> str | None:
    """Return a sentence for what a task left and nobody took, or None."""
    if not found.refused:
        return None
    return f"Something that the task left was not taken: {', '.join(kind.value for kind in found.refused)}."
