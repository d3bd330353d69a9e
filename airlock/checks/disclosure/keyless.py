"""Finds tables whose rows have no key: an aggregate says whose numbers it holds, a list of cases does not."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from ..findings import Code, Finding, Severity, found
from ..formats.table import in_order, number
from ..subject import Subject, Table
from .column_names import any_of, is_at_risk, is_count, is_percent, is_person_fact, is_statistic, is_survival, words
from .row_level import is_crossed, is_public_key
from .series import numbered

_AXES = any_of(
    "threshold thresholds bin decile cutoff fpr tpr quantile percentile epoch step term gene snp rsid variant "
    "marker chrom chr pos position start end locus probe feature component p t z fc logfc padj fdr pval es nes "
    "cpm lod pip chisq stat maf eaf af info r2 r density frequency depth coverage loss auc seconds minutes memory "
    "rss cost lower upper rank weight tool thread threads run exit hash duration realtime"
)
_SINGLE = frozenset(
    {
        "residual",
        "residuals",
        "resid",
        "outlier",
        "outliers",
        "flier",
        "fliers",
        "fitted",
        "ages",
        "age",
        "predictions",
    }
)
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]\d{2}:\d{2}.{0,20})?|(\d{1,2})[./](\d{1,2})[./](\d{4})")
_MANY, _DIFFERENT, _SURE, _CODED = 20, 15, 2, 50


def check(subject: Subject) -> Iterator[Finding]:
    """Judge tables without a promise; its columns were vetted otherwise."""
    table = subject.model
    if not isinstance(table, Table) or subject.promise is not None or len(table.rows) < 2:
        return
    if _single_values(table):
        yield found(Code.ROW_LEVEL, column=1)
        return
    if len(table.rows) < _MANY or any(map(_is_of_groups, table.header)):
        return
    if any(_has_own_days(table.column(at)) for at in range(len(table.header))):
        yield found(Code.ROW_LEVEL)
        return
    if any(words(name) & _AXES for name in table.header) or is_crossed(table):
        return
    if _repeats(table):
        yield found(Code.ROW_LEVEL)
        return
    exact = _unkeyed(table)
    if exact:
        yield found(Code.ROW_LEVEL, Severity.BLOCK if exact >= _SURE else Severity.WARN)


def _is_of_groups(name: str) -> bool:
    return is_count(name) or is_statistic(name) or is_percent(name) or is_at_risk(name) or is_survival(name)


def _single_values(table: Table) -> bool:
    """Return whether this is a list of what single persons have: residuals, outliers, ages."""
    if len(table.header) != 1 or not words(table.header[0]) & _SINGLE:
        return False
    values = [number(cell) for cell in table.column(0)]
    written = [value for value in values if value is not None]
    return len(written) > 1 and len(written) == len(values) and (len(written) < _MANY or not in_order(written))


def _has_own_days(cells: Sequence[str]) -> bool:
    """Return whether a column is of days in no order that hardly repeat: each is that of one case."""
    days = [day for cell in cells if (day := _day(cell)) is not None]
    return len(days) > 0.8 * len(cells) and are_unordered(days)


def are_unordered(days: Sequence[str]) -> bool:
    """Return whether there are many different days, in no order."""
    different = len(set(days))
    ordered = list(days) in (sorted(days), sorted(days, reverse=True))
    return different >= _DIFFERENT and different > 0.6 * len(days) and not ordered


def _day(cell: str) -> str | None:
    match = _DATED.fullmatch(cell.strip())
    if match is None:
        return None
    return match[1] or f"{match[4]}-{int(match[3]):02d}-{int(match[2]):02d}"


def _repeats(table: Table) -> bool:
    """Return whether rows of few codes come again: answers of persons, as an aggregate names each group once."""
    rows, width = len(table.rows), len(table.header)
    again = rows - len(set(table.rows))
    if rows < _CODED or not again:
        return False
    if any(is_public_key(row[0]) for row in table.rows[:50] if row):
        return False
    few = [len(set(table.column(at))) <= _DIFFERENT for at in range(width)]
    coded = [all(number(cell) is not None for cell in table.column(at) if cell.strip()) for at in range(width)]
    facts = any(map(is_person_fact, table.header))
    if not all(few) or width < _SURE:
        return False
    return (width > _SURE and all(coded)) or (facts and again > 0.1 * rows)


def _unkeyed(table: Table) -> int:
    """Return how many columns have many values in no order, where words beside them are groups that come again."""
    labels, numeric = [], []
    for at in range(len(table.header)):
        cells = [cell for cell in table.column(at) if cell.strip()]
        values = [number(cell, decimal_comma=table.decimal_comma) for cell in cells]
        written = [value for value in values if value is not None]
        if len(written) < 0.8 * max(len(cells), 1):
            labels.append(at)
        elif cells:
            numeric.append((at, written))
    keys = [at for at in labels if not numbered(table.column(at), least=_MANY)]
    if any(is_public_key(cell) for at in labels for cell in table.column(at)[:50]):
        return 0
    if not labels or len({tuple(_of(row, keys)) for row in table.rows}) > 0.5 * len(table.rows):
        return 0
    groups: defaultdict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for row in table.rows:
        groups[tuple(_of(row, keys))].append(row)
    if any(_is_axis(groups.values(), at) for at, _ in numeric):
        return 0
    return sum(1 for _, written in numeric if len(set(written)) >= _DIFFERENT)


def _of(row: Sequence[str], columns: Sequence[int]) -> Iterator[str]:
    return (row[at].strip() if at < len(row) else "" for at in columns)


def _is_axis(groups: Iterable[list[tuple[str, ...]]], at: int) -> bool:
    """Return whether a column rises or falls within each group, as along a curve."""
    for rows in groups:
        values: list[Decimal] = [value for row in rows if at < len(row) and (value := number(row[at])) is not None]
        if not in_order(values):
            return False
    return True
