"""A table beside an earlier one: rows meet by their keys, and what nobody can know is not said."""

from airlock.celldiff import Change, Compared, Sheet, compare

C = Change


def sheet(text: str, *, whole: bool = True) -> Sheet:
    header, *rows = [tuple(line.split()) for line in text.splitlines()]
    return Sheet(header, tuple(rows), whole)


def told(compared: Compared) -> list[tuple[str, ...]]:
    """Return a line for each row: how it changed, then its cells, changed ones with what they were."""
    marks = {C.SAME: "", C.CHANGED: "", C.ADDED: "+", C.REMOVED: "-"}
    lines = []
    for row in compared.rows:
        cells = [
            f"{cell.before}>{cell.text}"
            if cell.change is C.CHANGED
            else marks[cell.change] + (cell.text or cell.before)
            for cell in row.cells
        ]
        lines.append((row.change.value, *cells))
    return lines


def test_cells_rows_and_columns_are_told_apart() -> None:
    old = sheet("band n old\n18-39 12 1\n40-59 40 2\n60+ 9 3")
    new = sheet("band n new\n18-39 12 7\n40-59 44 8\n80+ 5 9")
    found = compare(old, new, {"band"})
    assert found.columns == (("band", C.SAME), ("n", C.SAME), ("new", C.ADDED), ("old", C.REMOVED))
    assert told(found) == [
        ("changed", "18-39", "12", "+7", "-1"),
        ("changed", "40-59", "40>44", "+8", "-2"),
        ("added", "+80+", "+5", "+9", ""),
        ("removed", "-60+", "-9", "", "-3"),
    ]
    assert [cell.by for row in found.rows for cell in row.cells if cell.by is not None] == [4]
    assert (found.count(C.CHANGED), found.count(C.ADDED), found.count(C.REMOVED)) == (1, 5, 5)


def test_rows_that_are_gone_stand_where_they_were() -> None:
    found = compare(sheet("k n\na 1\nb 2\nc 3"), sheet("k n\na 1\nc 3"), {"k"})
    assert told(found) == [("same", "a", "1"), ("removed", "-b", "-2"), ("same", "c", "3")]


def test_equal_keys_meet_in_their_order_and_rows_without_keys_by_their_place() -> None:
    assert told(compare(sheet("k n\na 1\na 2"), sheet("k n\na 1\na 3"), {"k"})) == [
        ("same", "a", "1"),
        ("changed", "a", "2>3"),
    ]
    assert told(compare(sheet("n\n1\n2"), sheet("n\n1\n5"), set())) == [("same", "1"), ("changed", "2>5")]


def test_of_tables_drawn_in_part_the_ends_are_not_compared() -> None:
    old, new = sheet("k n\na 1\nb 2\nc 3", whole=False), sheet("k n\na 1\nb 5\nx 7\ny 8", whole=False)
    found = compare(old, new, {"k"})
    assert told(found) == [("same", "a", "1"), ("changed", "b", "2>5")]
    assert not found.whole
