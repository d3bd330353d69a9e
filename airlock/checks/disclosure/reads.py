"""Finds sequencing reads quoted in text."""

import re
from collections.abc import Iterable, Iterator

from ..findings import Code, Finding, found
from ..subject import Prose, Sites, Subject, Table

_SHORT = re.compile(r"[ACGTN]{30,49}|[acgtn]{30,49}")  # primers and guides are shorter
_APART = re.compile(
    r"\s*(?:\d{1,9}\s*)?(?:(?:[ACGTN]{2,20}\s+){3,}[ACGTN]{2,20}|(?:[acgtn]{2,20}\s+){3,}[acgtn]{2,20})\s*"
)
_PILE = re.compile(r"(?=.*[.,])(?:[.,ACGTNacgtn*$#<>]|\^.|[+-]\d{1,3}[ACGTNacgtn]){5,}")
_MANY, _LONG, _LONGEST_LINE = 20, 50, 20_000
_RUN = re.compile(r"[ACGTN]{50}|[acgtn]{50}")


def check(subject: Subject) -> Iterator[Finding]:
    """Search for runs of 50 bases or more."""
    model = subject.model
    lines: Iterable[tuple[int, str]]
    if isinstance(model, Prose):
        lines = enumerate(model.lines, start=1)
    elif isinstance(model, Table):
        lines = ((row, "\t".join(cells)) for row, cells in enumerate((model.header, *model.rows)))
        if _is_pileup(model):
            yield found(Code.READS)
    elif isinstance(model, Sites):
        lines = (
            (row, "\t".join((site.rsid, site.ref, *site.alts, site.filter, *(value for _, value in site.rest))))
            for row, site in enumerate(model.sites, start=1)
        )
    else:
        return
    short = {line.strip() for _, line in _cells_of(model) if _SHORT.fullmatch(line.strip())}
    if len(short) >= _MANY:
        yield found(Code.READS)
    for row, line in lines:
        if _APART.fullmatch(line[:_LONGEST_LINE]):  # in groups of ten
            plain = "".join(line.split()).lstrip("0123456789")
            if len(plain) >= _LONG:
                yield found(Code.READS, row=row)
                continue
        if (match := _RUN.search(line)) is not None:
            yield found(Code.READS, row=row, offset=match.start())


def _cells_of(model: Prose | Table | Sites) -> Iterator[tuple[int, str]]:
    """Yield lines of text, or cells of a table: reads too short to be told by their length, but for their number."""
    if isinstance(model, Prose):
        yield from enumerate(model.lines, start=1)
    elif isinstance(model, Table):
        for row, cells in enumerate((model.header, *model.rows)):
            yield from ((row, cell) for cell in cells)


def _is_pileup(table: Table) -> bool:
    """Return whether a column is of what reads show at a place, as samtools writes it."""
    if len(table.rows) < _MANY or not any(_PILE.fullmatch(cell[:_LONGEST_LINE]) for cell in table.rows[0]):
        return False
    return any(
        sum(1 for cell in table.column(at) if _PILE.fullmatch(cell[:_LONGEST_LINE])) > 0.8 * len(table.rows)
        for at in range(len(table.header))
    )
