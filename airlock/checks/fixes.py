"""Makes fixed copies of tables by a few closed rules, so that a table tells less."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any, assert_never

from .disclosure.column_names import is_count, is_total
from .formats.table import MISSING
from .promise import Column, Kind, Promise, Promised
from .subject import Table

MOST_FIXES = 4
_LONGEST_LABEL = 60
_MOST_OFFERED = 20  # pairs of one key that are offered; others are named
_FEWEST_COLUMNS = 2  # a reader takes fewer for text
_RANGE = re.compile(r"(\d{1,6})\s?(?:-|to)\s?(\d{1,6})")
_FROM = re.compile(r"(\d{1,6})\s?\+")


class FixRefused(Exception):
    """This fix cannot be made of such a table; the sentence rests on the contract alone (T5)."""


class FixKind(Enum):
    """What can be done to a table so that it tells less."""

    ROUND_TO_FIVE = "round-to-5"
    MIDPOINT_SIX = "midpoint-6"
    MERGE_BANDS = "merge-bands"
    DROP_COLUMN = "drop-column"


@dataclass(frozen=True, slots=True)
class Fix:
    """One fix; `column` is the one to drop or whose bands are merged, no `bands` means all of them in pairs."""

    kind: FixKind
    column: str = ""
    bands: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for request.json and for the row of the copy."""
        return {"kind": self.kind.value, "column": self.column, "bands": list(self.bands)}

    def __str__(self) -> str:
        """Return what pages and commands say of it."""
        match self.kind:
            case FixKind.ROUND_TO_FIVE:
                return "counts rounded to 5"
            case FixKind.MIDPOINT_SIX:
                return "counts rounded to midpoints of 6"
            case FixKind.MERGE_BANDS if self.bands:
                return f"bands {', '.join(self.bands)} of {self.column} merged"
            case FixKind.MERGE_BANDS:
                return f"bands of {self.column} merged in pairs"
            case FixKind.DROP_COLUMN:
                return f"column {self.column} left out"
            case _:
                assert_never(self.kind)


def parse_fixes(raw: Sequence[Mapping[str, Any]]) -> tuple[Fix, ...]:
    """Return the fixes that `as_json` wrote; raises `FixRefused` for anything else."""
    try:
        fixes = tuple(Fix(FixKind(one["kind"]), one["column"], tuple(one["bands"])) for one in raw)
    except (KeyError, TypeError, ValueError) as broken:
        raise FixRefused("A fix has a kind, a column and bands.") from broken
    if len(fixes) > MOST_FIXES or [one.as_json() for one in fixes] != [dict(one) for one in raw]:
        raise FixRefused(f"At most {MOST_FIXES} fixes are made one after the other.")
    return fixes


def words_of(raw: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what pages and commands say of the fixes that `as_json` wrote."""
    return [str(fix) for fix in parse_fixes(raw)]


def offers(promise: Promise) -> list[Fix]:
    """Return the fixes that fit a promised table, whatever stands in it; bands are offered as neighbours."""
    found = [Fix(FixKind.ROUND_TO_FIVE), Fix(FixKind.MIDPOINT_SIX)]
    for column in promise.columns:
        bands = _bands(column)
        found.append(Fix(FixKind.MERGE_BANDS, column.name))
        if 2 < len(bands) <= _MOST_OFFERED:
            found += [Fix(FixKind.MERGE_BANDS, column.name, pair) for pair in pairwise(bands)]
    found += [Fix(FixKind.DROP_COLUMN, column.name) for column in promise.columns]
    return [fix for fix in found if _fits(promise, fix)]


def promise_after(promise: Promise, fixes: Sequence[Fix]) -> Promise:
    """Return what the fixed copy keeps to; raises `FixRefused` where the promised table cannot be fixed so."""
    if promise.format not in (Promised.TSV, Promised.CSV):
        raise FixRefused("Only tables are fixed.")
    for fix in fixes:
        promise = _promise_after(promise, fix)
    return promise


def fixed(table: Table, promise: Promise, fixes: Sequence[Fix]) -> Table:
    """Return the table after all fixes; its columns are those of the promise, in that order."""
    for fix in fixes:
        table = _fixed(table, promise, fix)
        promise = promise_after(promise, (fix,))
    return table


def _fits(promise: Promise, fix: Fix) -> bool:
    try:
        promise_after(promise, (fix,))
    except FixRefused:
        return False
    return True


def _promise_after(promise: Promise, fix: Fix) -> Promise:
    names = [column.name for column in promise.columns]
    match fix.kind:
        case FixKind.ROUND_TO_FIVE | FixKind.MIDPOINT_SIX:
            if fix.column or fix.bands or not any(map(_is_counted, promise.columns)):
                raise FixRefused("This table promises no column of counts to round.")
            return promise
        case FixKind.DROP_COLUMN:
            if fix.bands or fix.column not in names or len(names) <= _FEWEST_COLUMNS:
                raise FixRefused("Name one column of the table; two others have to stay.")
            return replace(promise, columns=tuple(one for one in promise.columns if one.name != fix.column))
        case FixKind.MERGE_BANDS:
            return replace(promise, columns=_merged_columns(promise, fix))
        case _:
            assert_never(fix.kind)


def _fixed(table: Table, promise: Promise, fix: Fix) -> Table:
    match fix.kind:
        case FixKind.ROUND_TO_FIVE:
            return _rounded(table, promise, lambda count: (count + 2) // 5 * 5)
        case FixKind.MIDPOINT_SIX:
            return _rounded(table, promise, lambda count: (count + 5) // 6 * 6 - 3 if count else 0)
        case FixKind.DROP_COLUMN:
            return _picked(table, [at for at, one in enumerate(promise.columns) if one.name != fix.column])
        case FixKind.MERGE_BANDS:
            return _merged(table, promise, fix)
        case _:
            assert_never(fix.kind)


def _is_counted(column: Column) -> bool:
    return column.kind is Kind.COUNT or (column.kind is Kind.INTEGER and is_count(column.name))


def _rounded(table: Table, promise: Promise, rule: Callable[[int], int]) -> Table:
    counted = [_is_counted(column) for column in promise.columns]
    rows = tuple(
        tuple(_round(cell, rule) if yes else cell for cell, yes in zip(row, counted, strict=True))
        for row in table.rows
    )
    return replace(table, rows=rows)


def _round(cell: str, rule: Callable[[int], int]) -> str:
    if cell == MISSING:
        return cell
    count = int(cell)
    return str(rule(count) if count >= 0 else -rule(-count))


def _picked(table: Table, places: Sequence[int]) -> Table:
    rows = tuple(tuple(row[at] for at in places) for row in table.rows)
    return replace(table, header=tuple(table.header[at] for at in places), rows=rows)


def _bands(column: Column) -> list[str]:
    """Return the bands of a key with a closed list, but for its totals."""
    return [value for value in column.values if not is_total(value)] if column.kind is Kind.KEY else []


def _labels(column: Column, fix: Fix) -> dict[str, str]:
    """Return the new label of each band that is merged."""
    bands = _bands(column)
    chosen = [band for band in bands if band in fix.bands] if fix.bands else bands
    if len(chosen) < 2 or (fix.bands and len(chosen) != len(fix.bands)):
        raise FixRefused("Merge two or more bands of the closed list of one key.")
    groups = [chosen] if fix.bands else [chosen[at : at + 2] for at in range(0, len(chosen), 2)]
    if len(groups[-1]) == 1:
        groups[-2:] = [[*groups[-2], *groups[-1]]]
    labels = {band: _label(group) for group in groups for band in group}
    others = set(column.values) - labels.keys()
    if others & set(labels.values()) or any(len(label) > _LONGEST_LABEL for label in labels.values()):
        raise FixRefused("These bands have no short name together; merge others.")
    return labels


def _label(bands: Sequence[str]) -> str:
    """Return 18-59 for 18-39 and 40-59, 40+ for 40-59 and 60+, else the bands by name."""
    ranges = [_RANGE.fullmatch(band) for band in bands[:-1]]
    ends = [int(one[2]) for one in ranges if one]
    last, beyond = _RANGE.fullmatch(bands[-1]), _FROM.fullmatch(bands[-1])
    starts = [int(one[1]) for one in (*ranges[1:], last or beyond) if one]
    if ranges[0] and len(ends) == len(bands) - 1 and starts == [end + 1 for end in ends]:
        return f"{int(ranges[0][1])}-{int(last[2])}" if last else f"{int(ranges[0][1])}+"
    return " or ".join(bands)


def _column(promise: Promise, fix: Fix) -> Column:
    found = next((one for one in promise.columns if one.name == fix.column), None)
    if found is None:
        raise FixRefused("Merge two or more bands of the closed list of one key.")
    return found


def _merged_columns(promise: Promise, fix: Fix) -> tuple[Column, ...]:
    """Return keys and counts of persons; what cannot be added up, such as a mean, has no place in merged bands."""
    column = _column(promise, fix)
    labels = _labels(column, fix)
    values = tuple(dict.fromkeys(labels.get(value, value) for value in column.values))
    kept = tuple(replace(one, values=values) if one is column else one for one in promise.columns if _adds_up(one))
    if not any(_is_counted(one) for one in kept):
        raise FixRefused("This table promises no column of counts that can be added up.")
    return kept


def _adds_up(column: Column) -> bool:
    return column.kind is Kind.KEY or _is_counted(column)


def _merged(table: Table, promise: Promise, fix: Fix) -> Table:
    column = _column(promise, fix)
    labels = _labels(column, fix)
    at = promise.columns.index(column)
    named = [(*row[:at], labels.get(row[at], row[at]), *row[at + 1 :]) for row in table.rows]
    places = [place for place, one in enumerate(promise.columns) if _adds_up(one)]
    keys = [promise.columns[place].kind is Kind.KEY for place in places]
    small = _picked(replace(table, rows=tuple(named)), places)
    return replace(small, rows=tuple(_added(small.rows, keys, at=places.index(at), merged=set(labels.values()))))


def _added(
    rows: Sequence[tuple[str, ...]], keys: Sequence[bool], *, at: int, merged: set[str]
) -> Iterator[tuple[str, ...]]:
    """Yield each group of merged rows as one, with its sums; a sum with a missing part is missing."""
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for row in rows:
        if row[at] not in merged:
            yield row
            continue
        name = tuple(cell for cell, is_key in zip(row, keys, strict=True) if is_key)
        groups.setdefault(name, []).append(row)
    for group in groups.values():
        yield tuple(
            cells[0] if is_key else _sum(cells) for cells, is_key in zip(zip(*group, strict=True), keys, strict=True)
        )


def _sum(cells: Sequence[str]) -> str:
    return MISSING if MISSING in cells else str(sum(map(int, cells)))
