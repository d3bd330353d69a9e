"""Decides what a scan tells a researcher: in coarse mode nothing that hangs on values (T5)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from airlock.checks.codes import About, Code
from airlock.checks.texts import TEXTS
from airlock.intake_files import SETTLED, IntakeState, Shown, Verdict, worst
from airlock.release_requests import RequestState

# Both speak of the contract, but can be brought about by values: a parser that gave up, a table that was refused.
_HANGS_ON_VALUES = frozenset({Code.INSPECTION_FAILED, Code.CONTRACT_NUMBERS_MISSING})
# T5: what earlier releases of others say of a file is for stewards only, in open mode too.
# So is whether somebody is among the persons of the data: whoever brings a list in would learn it.
STEWARDS_ONLY = frozenset(
    {
        Code.DIFFERENCING,
        Code.COHORT_DIFFERENCE,
        Code.COHORTS_NOT_EXAMINED,
        Code.COHORT_BUDGET,
        Code.UNKNOWN_MEMBERS,
        Code.SITE_BUDGET,
        Code.KNOWN_PERSON,
    }
)


@dataclass(frozen=True)
class Scanned:
    """How far intake is with a file, and what the checks found."""

    state: IntakeState
    verdict: Verdict | None
    findings: tuple[Mapping[str, Any], ...]

    @property
    def settled(self) -> bool:
        """Say whether there is a verdict."""
        return self.state in SETTLED

    @property
    def own(self) -> Verdict | None:
        """Return the verdict as far as it rests on the file alone."""
        return None if self.verdict is None else own_verdict(self.verdict, self.findings)

    @property
    def not_inspected(self) -> bool:
        """Say whether the inspection did not finish."""
        return any(f["code"] == Code.INSPECTION_FAILED.value for f in self.findings)


def own_verdict(verdict: Verdict, findings: Collection[Mapping[str, Any]]) -> Verdict:
    """Return a verdict as far as it rests on the file alone, not on earlier releases of others."""
    others = [f for f in findings if Code(f["code"]) not in STEWARDS_ONLY]
    return verdict if len(others) == len(findings) else worst(Verdict(f["severity"]) for f in others)


def of_contract(finding: Mapping[str, Any]) -> bool:
    """Say whether a finding depends on file and contract alone."""
    code = Code(finding["code"])
    return TEXTS[code].about is About.CONTRACT and code not in _HANGS_ON_VALUES


def visible(findings: Collection[Mapping[str, Any]], *, coarse: bool) -> list[Mapping[str, Any]]:
    """Return the findings that a researcher may read before review."""
    return [f for f in findings if of_contract(f) or (not coarse and Code(f["code"]) not in STEWARDS_ONLY)]


def shown_state(file: Scanned, *, coarse: bool) -> IntakeState:
    """Return how far a researcher reads that a file is; a copy that could not be made shows in open mode alone."""
    if not coarse:
        return file.state
    return IntakeState.CHECKED if file.settled else IntakeState.WAITING


def shown_verdict(file: Scanned, *, coarse: bool) -> Shown:
    """Return what a researcher reads of a file before review."""
    if not file.settled or file.verdict is None:
        return Shown.WAITING
    if not coarse:
        return Shown((file.own or file.verdict).value)
    return Shown.BLOCK if _blocked_by_contract(file) else Shown.NEEDS_A_STEWARD


def scan_outcome(files: Collection[Scanned], *, coarse: bool) -> RequestState:
    """Return where a scan leads once every file is settled; in coarse mode values never show in it."""
    if not files or not all(file.settled for file in files):
        return RequestState.SCANNING
    if coarse:
        blocked = any(_blocked_by_contract(file) for file in files)
        return RequestState.BLOCKED if blocked else RequestState.READY
    if any(file.not_inspected for file in files):
        return RequestState.SCAN_FAILED
    if any(file.own is not Verdict.PASS and file.own is not Verdict.WARN for file in files):
        return RequestState.BLOCKED
    return RequestState.READY


def _blocked_by_contract(file: Scanned) -> bool:
    return any(of_contract(f) and f["severity"] == Verdict.BLOCK.value for f in file.findings)
