"""Finds counts of persons between one and the threshold."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..formats.table import BLANK, counted, whole
from ..promise import Kind, Promise
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import is_allele_count, is_count, is_known_other, is_other_unit, words
from .grid import read_grid
from .rounding import midpoint_columns
from .spoken_counts import NUMBERS

_TALLY = re.compile(r"\|{1,200}|I{1,3}")
_SHARE = re.compile(r"\d{1,6} ?/ ?\d{1,7}")
_OF = re.compile(r"(\d{1,6}) ?(?:(?:/|of) ?\d{1,7}|[(\[]\d{1,3}(?:[.,]\d{1,3})? ?%?[)\]])")


def check(subject: Subject) -> Iterator[Finding]:
    """Judge declared count columns, columns named like counts, and rows labelled like counts."""
    table = subject.model
    if not isinstance(table, Table):
        return
    rounded = midpoint_columns(table, read_grid(table, subject.promise), subject.policy)
    for index, name in enumerate(table.header):
        if index in rounded:
            continue  # a 3 stands for 1 to 6 persons
        code = _code_for(name, table.column(index), subject.promise)
        if subject.promise is None and code is not None and counts_genes(table.header):
            continue
        if code is None and subject.promise is None and _are_frequencies(name, table.column(index)):
            code = Code.SMALL_COUNT
        if code is None and subject.promise is None and _is_of_parts(name, table.column(index)):
            code = Code.SMALL_COUNT
        comma = table.decimal_comma
        column = table.column(index)
        cells = [_part(cell, decimal_comma=comma) for cell in column] if code else list(map(whole, column))
        if code is not None:
            for row, value in enumerate(cells, start=1):
                if value is not None and 0 < abs(value) < subject.policy.min_count:
                    yield found(code, row=row, column=index + 1)
        elif (
            subject.promise is None
            and index > 0
            and not is_known_other(name)
            and _unclear(cells, policy=subject.policy)
        ):
            yield found(Code.UNCLEAR_COLUMN, column=index + 1)
    if subject.promise is None or subject.promise.unit == "person":
        yield from _labelled_rows(table, policy=subject.policy)


def _code_for(name: str, cells: Sequence[str], promise: Promise | None) -> Code | None:
    """Return which finding a small number here is; what is named and written like a count stays one in a contract."""
    if promise is not None:
        kinds = {column.name: column.kind for column in promise.columns}
        kind = kinds.get(name)
        if kind is Kind.COUNT:
            return Code.SMALL_COUNT
        if kind is None or promise.unit != "person":
            return None
        if kind is not Kind.INTEGER and any(counted(cell) is None for cell in cells if cell not in BLANK):
            return None
    if is_allele_count(name):
        return Code.LOW_ALLELE_COUNT
    return Code.SMALL_COUNT if is_count(name) else None


def counts_genes(header: Sequence[str]) -> bool:
    """Return whether a table is of terms with the genes in them, as tools of enrichment write it."""
    return bool(
        {"generatio", "bgratio", "geneid", "overlap_genes", "leading_edge"}
        & {name.strip().lower() for name in header}
    )


def _are_frequencies(name: str, cells: Sequence[str]) -> bool:
    """Return whether a column called a frequency holds whole numbers: counts, and no shares."""
    values = [whole(cell) for cell in cells if cell.strip()]
    written = [value for value in values if value is not None]
    return bool(words(name) & {"frequency", "frequencies"}) and len(written) == len(values) > 0 and max(written) > 1


def _is_of_parts(name: str, cells: Sequence[str]) -> bool:
    """Return whether cells are so many of so many, whatever they are called; not of genes, and no days."""
    written = [cell.strip() for cell in cells if cell.strip()]
    shares = [cell for cell in written if _SHARE.fullmatch(cell)]
    if not shares or len(shares) < 0.8 * len(written) or is_other_unit(name) or "date" in name.lower():
        return False
    pairs = [tuple(map(int, cell.split("/"))) for cell in shares]
    return all(part <= whole_one for part, whole_one in pairs)


def _part(cell: str, *, decimal_comma: bool = False) -> int | None:
    """Return the count that a cell holds, alone, as one of so many, or with its share: `3/120`, `3 (2.5)`."""
    plain = cell.strip()
    of = _OF.fullmatch(plain)
    if of is not None:
        return int(of[1])
    if _TALLY.fullmatch(plain):
        return len(plain)
    return NUMBERS.get(plain.lower(), counted(cell, decimal_comma=decimal_comma))


def _unclear(cells: list[int | None], *, policy: Policy) -> bool:
    values = [value for value in cells if value is not None]
    if len(values) < 2 or len(values) < len(cells) or min(values) < 0:
        return False
    return any(0 < value < policy.min_count for value in values) and max(values) >= policy.min_count


def _labelled_rows(table: Table, *, policy: Policy) -> Iterator[Finding]:
    """Judge tables that are turned on their side: a row labelled `n` or `cases`."""
    for row, cells in enumerate(table.rows, start=1):
        if not cells or not is_count(cells[0]):
            continue
        for index, cell in enumerate(cells[1:], start=2):
            value = _part(cell)
            if value is not None and 0 < value < policy.min_count:
                yield found(Code.SMALL_COUNT, row=row, column=index)
