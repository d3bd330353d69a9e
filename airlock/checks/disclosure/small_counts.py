"""Finds counts of persons between one and the threshold."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..formats.table import BLANK, POINTS, counted, whole
from ..promise import Kind, Promise
from ..subject import Subject, Table
from ..thresholds import Policy
from .column_names import is_allele_count, is_count, is_known_other, is_other_unit, is_total, words
from .grid import read_grid
from .rounding import midpoint_columns
from .spoken_counts import NUMBERS

_TALLY = re.compile(r"\|{1,200}|I{1,3}")
_SHARE = re.compile(r"\d{1,6} ?/ ?\d{1,7}")
_PERCENT = r"\d{1,3}(?:[.,]\d{1,6})?"
_COUNT = r"\d{1,3}(?:,\d{3}){1,2}|\d{1,6}"
_WHOLE_OF = rf"(?: ?(?:/|of) ?(?:{_COUNT}))"
_OF = re.compile(rf"({_COUNT})(?:{_WHOLE_OF}|{_WHOLE_OF}? ?[(\[]{_PERCENT} ?%?[)\]])")
# What only a count with its share looks like: 3 (1.2%), 3/240 (1.2%), 1.2% (3), 1.2% (3/240).
_SURE = re.compile(
    rf"({_COUNT}){_WHOLE_OF}? ?[(\[]{_PERCENT} ?%[)\]]|{_PERCENT} ?% ?[(\[](?:n ?= ?)?({_COUNT}){_WHOLE_OF}?[)\]]"
)
_STRANGE = re.compile(r"[²³¹⁰-⁹₀-₉Ⅰ-ⅿ①-⑳]|^\s*0[xob][0-9a-fA-F]+\s*$")  # a three that no check reads
_BARE = frozenset({"n", "count", "counts", "number", "total"})
# Of the Sequence Ontology, as annotators of variants write them.
_TERM = re.compile(
    r"[35a-z_]{3,40}_variant|stop_(?:gained|lost)|start_lost|inframe_(?:insertion|deletion)|transcript_\w{4,20}"
    r"|(?:TF_binding|TFBS|regulatory)_\w{4,30}|feature_(?:elongation|truncation)",
    re.IGNORECASE,
)
_MARKED = re.compile(r"(?:[~≈] ?)?(\d{1,6})(?: ?[*†‡§]{1,3}| [A-Za-z]{2,20})?")


def check(subject: Subject) -> Iterator[Finding]:
    """Judge declared count columns, columns named or written like counts, and rows labelled like counts."""
    table, promise = subject.model, subject.promise
    if not isinstance(table, Table):
        return
    of_persons = promise is None or promise.unit == "person"
    rounded = midpoint_columns(table, read_grid(table, promise), subject.policy)
    for index, name in enumerate(table.header):
        if index in rounded:
            continue  # a 3 stands for 1 to 6 persons
        code = _code_for(name, table.column(index), promise)
        if promise is None and code is not None and counts_genes(table.header):
            continue
        if code is None and promise is None and _is_written_as_count(name, table.column(index)):
            code = Code.SMALL_COUNT
        if code is Code.SMALL_COUNT and promise is None and _counts_variants(table, name):
            yield found(Code.UNCLEAR_COLUMN, column=index + 1)  # of variants, unless its persons carry one each
        elif code is not None:
            yield from _counts(table, index, code, subject)
        elif of_persons and not is_other_unit(name) and any(map(_sure, table.column(index))):
            yield from _with_shares(table, index, policy=subject.policy)
        elif (
            promise is None
            and index > 0
            and not is_known_other(name)
            and _unclear([whole(cell) for cell in table.column(index)], policy=subject.policy)
        ):
            yield found(Code.UNCLEAR_COLUMN, column=index + 1)
    if of_persons:
        yield from _labelled_rows(table, policy=subject.policy)


def _counts_variants(table: Table, name: str) -> bool:
    """Return whether rows are kinds of variants by their terms, and the column says no more than that it counts."""
    labels = [row[0].strip() for row in table.rows if row]
    terms = sum(1 for label in labels if all(map(_TERM.fullmatch, re.split(r"[&,]", label))))
    return words(name) <= _BARE and terms >= 2 and terms >= len(labels) - sum(map(is_total, labels))


def _is_written_as_count(name: str, cells: Sequence[str]) -> bool:
    return _are_frequencies(name, cells) or _is_of_parts(name, cells)


def _counts(table: Table, index: int, code: Code, subject: Subject) -> Iterator[Finding]:
    """Judge a column of counts, then whether it has some that no check reads."""
    column = table.column(index)
    for row, cell in enumerate(column, start=1):
        value = _part(cell, decimal_comma=table.decimal_comma)
        if value is not None and 0 < abs(value) < subject.policy.min_count:
            yield found(code, row=row, column=index + 1)
    if subject.promise is None and (any(map(_STRANGE.search, column)) or _has_points(column, table)):
        yield found(Code.UNCLEAR_COLUMN, column=index + 1)


def _has_points(column: Sequence[str], table: Table) -> bool:
    """Return whether what counts has `1.204` beside whole numbers, which may be of thousands, or a fraction."""
    written = [cell.strip() for cell in column if cell.strip() not in BLANK]
    pointed = [cell for cell in written if "." in cell]
    return not table.decimal_comma and bool(pointed) and all(map(POINTS.fullmatch, pointed))


def _with_shares(table: Table, index: int, *, policy: Policy) -> Iterator[Finding]:
    """Judge counts that have their shares beside them in one cell; rows may be of other things than persons."""
    for row, value in enumerate(map(_sure, table.column(index)), start=1):
        if value is not None and 0 < value < policy.min_count and not is_other_unit(table.rows[row - 1][0]):
            yield found(Code.SMALL_COUNT, row=row, column=index + 1)


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
    of = _OF.fullmatch(plain) or _MARKED.fullmatch(plain)
    if of is not None:
        return int(of[1].replace(",", ""))
    if (sure := _sure(plain)) is not None:
        return sure
    if _TALLY.fullmatch(plain):
        return len(plain)
    return NUMBERS.get(plain.lower(), counted(cell, decimal_comma=decimal_comma))


def _sure(cell: str) -> int | None:
    """Return the count of a cell that can hold nothing else, whatever its column is called."""
    match = _SURE.fullmatch(cell.strip()) if "%" in cell else None
    return None if match is None else int((match[1] or match[2]).replace(",", ""))


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
