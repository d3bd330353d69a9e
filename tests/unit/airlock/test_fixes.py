"""Fixed copies do what they are named after, and what they promise is known before a table is read."""

import pytest

from airlock.checks.fixes import Fix, FixKind, FixRefused, fixed, offers, parse_fixes, promise_after, words_of
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.subject import Table

ROUND, MIDPOINT = Fix(FixKind.ROUND_TO_FIVE), Fix(FixKind.MIDPOINT_SIX)
BANDS = Column("band", Kind.KEY, values=("18-39", "40-59", "60+", "total"))
PROMISE = Promise(
    Promised.TSV,
    columns=(
        BANDS,
        Column("sex", Kind.KEY, values=("f", "m")),
        Column("n", Kind.COUNT),
        Column("mean", Kind.NUMBER, decimals=1),
    ),
    max_rows=20,
)
ROWS = (
    ("18-39", "f", "3", "1.5"),
    ("18-39", "m", "12", "2.5"),
    ("40-59", "f", "7", "3.5"),
    ("40-59", "m", "NA", "4.5"),
    ("60+", "f", "0", "NA"),
    ("total", "f", "10", "2.0"),
)
TABLE = Table(("band", "sex", "n", "mean"), ROWS, "\t", "utf-8")


def after(*fixes: Fix) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return header and rows of the table after the fixes, and hold them to the promise of the copy."""
    promise, table = promise_after(PROMISE, fixes), fixed(TABLE, PROMISE, fixes)
    assert [column.name for column in promise.columns] == list(table.header)
    for row in table.rows:
        for cell, column in zip(row, promise.columns, strict=True):
            assert column.kind is not Kind.KEY or column.allows(cell)
    return list(table.header), list(table.rows)


def test_counts_are_rounded_and_nothing_else() -> None:
    five, six = after(ROUND)[1], after(MIDPOINT)[1]
    assert [row[2] for row in five] == ["5", "10", "5", "NA", "0", "10"]
    assert [row[2] for row in six] == ["3", "9", "9", "NA", "0", "9"]
    assert [(*row[:2], row[3]) for row in five] == [(*row[:2], row[3]) for row in ROWS]


@pytest.mark.parametrize("count", range(60))
def test_rounding_moves_a_count_by_less_than_its_band(count: int) -> None:
    table = Table(("k", "n"), (("a", str(count)),), "\t", "utf-8")
    promise = Promise(Promised.TSV, columns=(Column("k", Kind.KEY, values=("a",)), Column("n", Kind.COUNT)))
    five, six = (int(fixed(table, promise, [fix]).rows[0][1]) for fix in (ROUND, MIDPOINT))
    assert five % 5 == 0
    assert abs(five - count) <= 2
    assert (six == 0) is (count == 0)
    assert count == 0 or (six % 6 == 3 and -2 <= count - six <= 3)


def test_merged_bands_add_counts_up_leave_totals_and_drop_what_cannot_be_added() -> None:
    header, rows = after(Fix(FixKind.MERGE_BANDS, "band", ("18-39", "40-59")))
    assert header == ["band", "sex", "n"]
    assert sorted(rows) == [("18-59", "f", "10"), ("18-59", "m", "NA"), ("60+", "f", "0"), ("total", "f", "10")]


def test_bands_merge_in_pairs_and_the_odd_one_joins_the_last() -> None:
    rows = after(Fix(FixKind.MERGE_BANDS, "band"))[1]
    assert sorted(rows) == [("18+", "f", "10"), ("18+", "m", "NA"), ("total", "f", "10")]


def test_bands_without_a_range_keep_both_names() -> None:
    assert {row[1] for row in after(Fix(FixKind.MERGE_BANDS, "sex"))[1]} == {"f or m"}


def test_a_column_is_dropped_and_fixes_follow_each_other() -> None:
    header, rows = after(Fix(FixKind.DROP_COLUMN, "mean"), ROUND)
    assert header == ["band", "sex", "n"]
    assert rows[0] == ("18-39", "f", "5")


@pytest.mark.parametrize(
    "fix",
    [
        Fix(FixKind.ROUND_TO_FIVE, "n"),
        Fix(FixKind.DROP_COLUMN, "nothing"),
        Fix(FixKind.MERGE_BANDS, "n"),
        Fix(FixKind.MERGE_BANDS, "band", ("18-39",)),
        Fix(FixKind.MERGE_BANDS, "band", ("18-39", "total")),
        Fix(FixKind.MERGE_BANDS, "band", ("18-39", "3 persons")),
        Fix(FixKind.MERGE_BANDS, "band", ("18-39", "18-39")),
    ],
)
def test_what_does_not_fit_the_promise_is_refused(fix: Fix) -> None:
    with pytest.raises(FixRefused):
        promise_after(PROMISE, [fix])


def test_a_key_of_a_pattern_has_no_bands_and_two_columns_stay() -> None:
    small = Promise(Promised.TSV, columns=(Column("k", Kind.KEY, pattern="[a-z]{1,3}"), Column("n", Kind.COUNT)))
    assert offers(small) == [ROUND, MIDPOINT]
    assert offers(Promise(Promised.PNG, needs=("a.tsv",))) == []


def test_offers_are_those_that_fit() -> None:
    words = [str(fix) for fix in offers(PROMISE)]
    assert words == [
        "counts rounded to 5",
        "counts rounded to midpoints of 6",
        "bands of band merged in pairs",
        "bands 18-39, 40-59 of band merged",
        "bands 40-59, 60+ of band merged",
        "bands of sex merged in pairs",
        *(f"column {name} left out" for name in ("band", "sex", "n", "mean")),
    ]


def test_only_what_was_written_is_read_back() -> None:
    fixes = [Fix(FixKind.MERGE_BANDS, "band", ("18-39", "40-59")), ROUND]
    told = [fix.as_json() for fix in fixes]
    assert list(parse_fixes(told)) == fixes
    assert words_of(told) == ["bands 18-39, 40-59 of band merged", "counts rounded to 5"]
    for wrong in ([{"kind": "add-noise"}], [{**ROUND.as_json(), "more": 1}], [ROUND.as_json()] * 5):
        with pytest.raises(FixRefused):
            parse_fixes(wrong)
