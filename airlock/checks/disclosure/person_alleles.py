"""Finds what single persons carry: two alleles a row, dosages in one cell, a value a person in one INFO field."""

import re
from collections.abc import Iterator
from itertools import pairwise

from ..findings import Code, Finding, found
from ..formats.table import number
from ..subject import Sites, Subject, Table
from ..thresholds import Policy
from .column_names import words

_BASE = re.compile(r"[ACGTID0-]")
_DOSES = re.compile(r"[012](?:\.\d{1,6})?(?:[|,;/ ][012](?:\.\d{1,6})?){9,}|[012.-]{20,}")
_PAIR = re.compile(r"[ACGT][/|][ACGT]")
_TWO = ({"allele", "1"}, {"allele", "2"})
_CARRIED = frozenset({"HOM", "HET", "HOMALT", "NHOMALT", "HEMI", "AC", "NHET", "NHOM"})
_OF_A_VARIANT = frozenset({"ref", "alt", "reference", "effect"})
_PART = re.compile(r"[_-]|(?<=[a-z])(?=[A-Z])")
_MANY, _FEW = 10, 5
_MOST_FILTERS = 20


def check(subject: Subject) -> Iterator[Finding]:
    """Judge tables, then the fields of sites that a person could fill."""
    model = subject.model
    if isinstance(model, Table) and subject.promise is None:
        yield from _table(model)
    if isinstance(model, Sites):
        yield from _sites(model, policy=subject.policy)


def _table(table: Table) -> Iterator[Finding]:
    if len(table.rows) < _FEW:
        return
    bases = []
    for at in range(len(table.header)):
        cells = [cell.strip() for cell in table.column(at)]
        if sum(1 for cell in cells if _DOSES.fullmatch(cell)) > 0.8 * len(cells):
            yield found(Code.GENOTYPES, column=at + 1)
        pairs = [cell for cell in cells if _PAIR.fullmatch(cell)]
        if len(pairs) > 0.8 * len(cells) and sum(1 for cell in pairs if cell[0] == cell[-1]) > 0.1 * len(cells):
            yield found(Code.GENOTYPES, column=at + 1)
        if (
            all(map(_BASE.fullmatch, cells))
            and set(cells) & set("ACGT")
            and not words(table.header[at]) & _OF_A_VARIANT
        ):
            bases.append(at)
    for first, second in pairwise(bases):
        same = sum(1 for one, other in zip(table.column(first), table.column(second), strict=True) if one == other)
        if same >= _FEW and same > 0.1 * len(table.rows):  # no variant has one letter for both of its alleles
            yield found(Code.GENOTYPES, column=second + 1)
            return
    named = [{word for word in words(name) if word in ("allele", "1", "2")} for name in table.header]
    if all(one in named for one in _TWO):
        at = named.index(_TWO[0])
        if all(number(cell) is not None for cell in table.column(at)):
            yield found(Code.GENOTYPES, column=at + 1)  # lengths of repeats


def _sites(sites: Sites, *, policy: Policy) -> Iterator[Finding]:
    least = max(policy.min_count, policy.min_allele_count)
    for row, site in enumerate(sites.sites, start=1):
        for key, value in site.rest:
            values = value.split(",")
            if len(values) >= _MANY and len(values) > 4 * len(site.alts):
                yield found(Code.GENOTYPES, row=row, column=8)
            elif {part.upper() for part in _PART.split(key)} & _CARRIED and any(
                one.isdecimal() and 0 < int(one) < least for one in values
            ):
                yield found(Code.LOW_ALLELE_COUNT, row=row, column=8)
    filters = {site.filter for site in sites.sites}
    most = _FEW if len(filters) == len(sites.sites) else _MOST_FILTERS
    if len(filters) > most and len(filters) > 0.5 * len(sites.sites):
        yield found(Code.UNMODELLED_RECORD, column=7)
