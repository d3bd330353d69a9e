"""Counts how much of its contract a set of outputs kept: "Kept its promise: 11 of 12"."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from airlock.checks.codes import Code
from airlock.contract import Contract

# What a file does against its contract; all else that a check finds is about what the numbers say.
BROKEN = frozenset(
    {
        Code.UNDECLARED,
        Code.CONTRACT_FORMAT,
        Code.CONTRACT_COLUMNS,
        Code.CONTRACT_VALUE,
        Code.CONTRACT_NUMBERS_MISSING,
        Code.INSPECTION_FAILED,
        Code.TYPE_MISMATCH,
        Code.SPECIAL_FILE,
    }
)


@dataclass(frozen=True)
class Kept:
    """How many promises there were and how many were kept, and the names of those that were not."""

    kept: int
    promised: int
    broken: tuple[str, ...]

    def __str__(self) -> str:
        """Return the sentence that pages and commands show."""
        return f"Kept its promise: {self.kept} of {self.promised}."


def files_kept(codes: Mapping[str, Collection[str]]) -> Kept:
    """Count files by the codes of their findings: each was promised something by the rule that let it in."""
    broken = {name for name, found in codes.items() if {Code(code) for code in found} & BROKEN}
    return Kept(len(codes) - len(broken), len(codes), tuple(sorted(broken)))


def promise_kept(contract: Contract, codes: Mapping[str, Collection[str]]) -> Kept:
    """Count each file, and each rule of the contract that no file came for."""
    missing = {
        rule.match
        for rule in contract.rules
        if rule.promise is not None
        and not rule.stream  # who prints nothing breaks no promise
        and not any(contract.rule_for(name) is rule for name in codes)
    }
    files = files_kept(codes)
    return Kept(files.kept, files.promised + len(missing), tuple(sorted({*files.broken, *missing})))
