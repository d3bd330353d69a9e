"""What a file in intake is, and how it may move."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from strongroom.states import Steps


class IntakeState(StrEnum):
    """How far intake has come with one file."""

    WAITING = "WAITING"
    REPACKED = "REPACKED"
    CHECKED = "CHECKED"
    REFUSED = "REFUSED"


S = IntakeState
STEPS: Final[Steps[IntakeState]] = {
    S.WAITING: frozenset({S.REPACKED, S.REFUSED}),
    S.REPACKED: frozenset({S.CHECKED}),
    # A clean copy is checked again when the project's policy has changed since.
    S.CHECKED: frozenset({S.REPACKED}),
    # Only an inspection that did not finish is tried again; a refused copy stays refused.
    S.REFUSED: frozenset({S.WAITING}),
}
SETTLED: Final = frozenset({S.CHECKED, S.REFUSED})


class Verdict(StrEnum):
    """What the checks say; a pass releases nothing by itself."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    BLOCK = "block"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts, PASS of none."""
    return max(verdicts, key=list(Verdict).index, default=Verdict.PASS)


class Shown(StrEnum):
    """What a person reads of a verdict; in coarse mode what hangs on values is the stewards' to see (T5)."""

    WAITING = "waiting"
    PASS = "pass"  # noqa: S105
    WARN = "warn"
    BLOCK = "block"
    NEEDS_A_STEWARD = "needs a steward"
