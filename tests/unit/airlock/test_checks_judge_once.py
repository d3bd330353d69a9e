"""What several checks ask of one file is worked out once, and nothing else is said of it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.checks.codes import Code
from airlock.checks.disclosure import printed, row_level
from airlock.checks.formats.table import in_order, strange_character
from airlock.checks.subject import Format, Prose, Subject, Table
from airlock.policy import FLOOR

ROWS = (("NA00001", "41"), ("NA00002", "52"), ("NA00003", "63"))


def test_a_column_is_built_once_and_belongs_to_its_table() -> None:
    table = Table(("person", "age"), ROWS, "\t", "utf-8")
    assert table.column(1) == ("41", "52", "63")
    assert table.column(1) is table.column(1)
    assert replace(table, rows=ROWS[1:]).column(1) == ("52", "63")
    assert (table, hash(table)) == (Table(("person", "age"), ROWS, "\t", "utf-8"), hash(replace(table)))


def test_a_column_of_short_rows_is_filled_and_not_kept() -> None:
    """A line of many names over rows of few cells would be a large table in memory alone."""
    table = Table(("person", "age", "size"), (*ROWS, ("NA00004",)), "\t", "utf-8")
    assert table.column(1) == ("41", "52", "63", "")
    assert table.column(2) == ("", "", "", "")
    assert table.column(0) is table.column(0)
    assert table.column(1) is not table.column(1)


@pytest.mark.parametrize(("gap", "readings"), [("\t", 3), ("  ", 2), (", ", 2), (" ", 1)])
def test_a_block_that_is_read_in_several_ways_is_judged_once(
    gap: str, readings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Subject] = []
    check = row_level.check
    monkeypatch.setattr(row_level, "check", lambda subject: check(judged.append(subject) or subject))
    lines = tuple(gap.join(row) for row in (("sample", "age"), *ROWS, *((f"NA0001{n}", f"{n}4") for n in range(9))))
    subject = Subject("report.txt", Format.TEXT, Prose(("Results:", *lines, "Done.")), FLOOR)
    found = [(finding.code, finding.place.row) for finding in printed.check(subject)]
    assert found == [(Code.ROW_LEVEL, 2)] * readings
    assert len(judged) == 1


def test_blocks_that_differ_in_one_cell_are_judged_each() -> None:
    harmless = tuple(f"band-{n}  {n % 3}" for n in range(9))
    persons = tuple(f"NA0000{n}  {n}" for n in range(9))
    for blocks in ((harmless, persons), (persons, harmless), (persons, persons)):
        lines = tuple(line for block in blocks for line in ("sample  n", *block, "and"))
        subject = Subject("report.txt", Format.TEXT, Prose(lines), FLOOR)
        rows = {finding.place.row for finding in printed.check(subject) if finding.code is Code.ROW_LEVEL}
        assert rows == {1 + 11 * at for at, block in enumerate(blocks) if block is persons}


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=1, min_value=-3, max_value=3), max_size=6))
def test_numbers_are_in_order_if_sorting_changes_nothing(values: list[Decimal]) -> None:
    assert in_order(values) is (values in (sorted(values), sorted(values, reverse=True)))


def test_a_character_is_strange_alone_and_among_plain_ones() -> None:
    for at in range(128):
        letter = chr(at)
        strange = (at < 32 and letter not in "\t\n\r") or at == 127
        for before in ("", "plain ", "plain\t", "größer "):
            told = strange_character(before + letter + " and more")
            assert told == ((len(before), Code.CONTROL_CHARACTERS) if strange else None), (before, at)
