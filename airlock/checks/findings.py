"""Says what a check may report: codes, places and numbers, never a word from the file (threats.md T27)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .codes import About, Code, Severity
from .texts import TEXTS

__all__ = ["About", "Code", "Finding", "Place", "Refused", "Severity", "bounded", "found", "refuse", "verdict"]

MAX_PER_CODE = 40
MAX_FINDINGS = 400
_MAX_COORDINATE = 2**53


@dataclass(frozen=True, slots=True)
class Place:
    """Where, in numbers from 1: row (line of data), column, member; offset is a byte position from 0."""

    row: int | None = None
    column: int | None = None
    offset: int | None = None
    member: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check saw; `severity` may be milder or worse than its code's own."""

    code: Code
    place: Place
    severity: Severity

    @property
    def reason(self) -> str:
        """Why it matters, in fixed words."""
        return TEXTS[self.code].reason

    @property
    def cure(self) -> str:
        """What the researcher can do, in fixed words."""
        return TEXTS[self.code].cure

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for answer.json."""
        place = {
            name: min(max(number, 0), _MAX_COORDINATE)
            for name, number in (
                ("row", self.place.row),
                ("column", self.place.column),
                ("offset", self.place.offset),
                ("member", self.place.member),
            )
            if number is not None
        }
        return {
            "code": self.code.value,
            "severity": self.severity.name.lower(),
            "about": TEXTS[self.code].about.value,
            "place": place,
            "reason": self.reason,
            "cure": self.cure,
        }


class Refused(Exception):
    """A reader or writer met something that our model does not hold; carries the one finding that says what."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code.value)
        self.finding = finding


def found(
    code: Code,
    severity: Severity | None = None,
    *,
    row: int | None = None,
    column: int | None = None,
    offset: int | None = None,
    member: int | None = None,
) -> Finding:
    """Return a finding of `code`, at its own severity unless told."""
    own = TEXTS[code].severity if severity is None else severity
    return Finding(code, Place(row, column, offset, member), own)


def refuse(code: Code, *, row: int | None = None, column: int | None = None, offset: int | None = None) -> Refused:
    """Return the refusal to raise; what cannot be modelled always blocks."""
    return Refused(found(code, Severity.BLOCK, row=row, column=column, offset=offset))


def verdict(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity, PASS for none."""
    return max((finding.severity for finding in findings), default=Severity.PASS)


def bounded(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """Return the findings to show, worst first and few of each code, and how many were left out."""
    kept: list[Finding] = []
    seen: dict[Code, int] = {}
    everything = sorted(findings, key=lambda one: -one.severity)
    for finding in everything:
        seen[finding.code] = seen.get(finding.code, 0) + 1
        if seen[finding.code] <= MAX_PER_CODE and len(kept) < MAX_FINDINGS:
            kept.append(finding)
    return tuple(kept), len(everything) - len(kept)
