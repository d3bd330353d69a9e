"""Finds variants in tables of summary statistics that fewer than the threshold carry."""

from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..subject import Subject, Table
from .column_names import is_count, words
from .shares import numbers

FREQUENCY = frozenset({"af", "eaf", "maf", "freq", "freqs", "frequency", "a1freq", "raf"})
_ALLELES = frozenset(
    {"ref", "alt", "allele", "alleles", "a1", "a2", "ea", "oa", "snp", "rsid", "variant", "marker", "pos"}
)
# Of alleles, two a person.
_TOTALS = frozenset({"an", "nchrobs", "obs_ct", "allele_ct", "n_alleles", "allele_number", "n_chr", "n_chromosomes"})
_SIZES = frozenset({"neff", "samplesize", "nsamples", "ntotal", "nobs", "ess", "nmiss"})
_HALF = Decimal("0.5")
_CASES = frozenset({"case", "cases", "control", "controls", "events", "event"})


def check(subject: Subject) -> Iterator[Finding]:
    """Multiply each frequency by two alleles for each person of its row; counts by name are judged elsewhere."""
    table = subject.model
    if not isinstance(table, Table) or not is_of_variants(table):
        return
    alleles = [numbers(table, at) for at, name in enumerate(table.header) if of_alleles(name)]
    least = max(subject.policy.min_count, subject.policy.min_allele_count)
    persons = [numbers(table, at) for at, name in enumerate(table.header) if is_count(name) and not _is_part(name)]
    for is_of_persons in (is_count, _is_size):
        persons = persons or [numbers(table, at) for at, name in enumerate(table.header) if is_of_persons(name)]
    for at, name in enumerate(table.header):
        if not words(name) & FREQUENCY:
            continue
        beside = _beside(table, name, persons)
        for row, share in enumerate(numbers(table, at), start=1):
            if share is None or not 0 <= share <= 1:
                continue
            minor = min(share, 1 - share)
            seen = [n for one in alleles if (n := one[row - 1]) is not None]
            seen += [2 * n for one in beside if (n := one[row - 1]) is not None]
            if any(_HALF <= n * minor < least - _HALF for n in seen):
                yield found(Code.LOW_ALLELE_COUNT, row=row, column=at + 1)


def of_alleles(name: str) -> bool:
    """Return whether the name speaks of all alleles of a site; Hail writes `variant_qc.AN`."""
    return name.strip().lower().rpartition(".")[2] in _TOTALS


def is_of_variants(table: Table) -> bool:
    """Return whether the header speaks of alleles: a row is a variant, and its counts are not one model's persons."""
    return any(words(name) & _ALLELES for name in table.header)


def _beside(table: Table, name: str, persons: list[list[Decimal | None]]) -> list[list[Decimal | None]]:
    """Return the persons of a frequency: those of cases for cases, else all."""
    part = {word.rstrip("s") for word in words(name) & _CASES}
    if not part:
        return persons
    return [
        numbers(table, at)
        for at, other in enumerate(table.header)
        if is_count(other) and other != name and part & {word.rstrip("s") for word in words(other)}
    ]


def _is_size(name: str) -> bool:
    """Return whether the name speaks of all persons behind a variant, as catalogues of statistics write it."""
    parts = words(name)
    return {"sample", "size"} <= parts or bool(parts & _SIZES) or {"n", "eff"} <= parts


def _is_part(name: str) -> bool:
    return bool(words(name) & _CASES)
