"""Reads delimited text in any dialect, writes the one dialect that leaves."""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from itertools import islice
from operator import ge, le

from ..findings import Code, refuse
from ..promise import Column, Kind, Promise, Promised
from ..subject import Table
from ..thresholds import Policy

MISSING = "NA"
BLANK = frozenset({"", "NA", "NaN", "nan", "."})
_DELIMITERS = ("\t", ";", ",", "|")
RARE_DELIMITERS = ("~", "^", ":")  # only where a line has no other space
_NUMBER = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?")
_COMMA_NUMBER = re.compile(r"[+-]?\d{1,18},\d{1,18}")
_THOUSANDS = re.compile(
    r"[+-]?[1-9]\d{0,2}(?:(?P<mark>[,'’ \u00a0\u202f])\d{3})(?:(?P=mark)\d{3}){0,4}(?:\.\d{0,30})?"
)
POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3}){1,5}")
_POINT_NUMBER = re.compile(r"[+-]?\d{0,18}\.\d{1,30}")
_MARKS_OF_THOUSANDS = str.maketrans("", "", ",'’ \u00a0\u202f")
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_LINES_TO_SNIFF = 200
_MAX_CELLS = 4_000_000
_FEWEST_SPACED, _NARROWEST_SPACED = 3, 3
_MOST = 10**15
_MARKS = 3
# Letters of Cyrillic that look like Latin ones; inside a Latin word they write something else than is read.
_LOOK_ALIKES = frozenset("АВЕКМНОРСТХЅІЈаеорсухѕіјһԁԛԝ")
_LATIN = re.compile(r"[A-Za-z]")
_INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800") | {chr(code) for code in range(0x2000, 0x2010)}


def decode(content: bytes) -> tuple[str, str]:
    """Return text and encoding; never fails, as Latin-1 takes any byte."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(name, errors="replace"), name
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def comments(text: str) -> tuple[tuple[str, ...], str]:
    """Return the lines of words, after a `#`, above a table, and the text without them."""
    lines = text.splitlines(keepends=True)
    count = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    if (
        count
        and count < len(lines)
        and any(
            mark in lines[count] and lines[count - 1].count(mark) == lines[count].count(mark) for mark in _DELIMITERS
        )
    ):
        count -= 1  # the last of them names the columns
    return tuple(line.rstrip("\r\n") for line in lines[:count]), "".join(lines[count:])


def sniff(text: str, marks: Sequence[str] = _DELIMITERS) -> str | None:
    """Return the delimiter that splits nearly every line into the same number of cells, or None for prose."""
    lines = [line for line in text.splitlines()[:_LINES_TO_SNIFF] if line.strip("\ufeff\0 ")]
    best: tuple[int, str] | None = None
    for delimiter in marks:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            continue
        if not widths or widths[0] < 2 or len(widths) < 2:
            continue
        same = sum(1 for width in widths if width == widths[0])
        if same * 10 >= len(widths) * 8 and (best is None or widths[0] > best[0]):
            best = (widths[0], delimiter)
    return best[1] if best else None


def read(text: str, *, delimiter: str, encoding: str, policy: Policy) -> Table:
    """Return the table; stops with a refusal at a quoting error or far beyond the policy's size."""
    rows: list[tuple[str, ...]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            rows.append(tuple(cells))
            if len(rows) > policy.max_rows * 20 or len(rows) * len(rows[0]) > _MAX_CELLS:
                raise refuse(Code.TOO_LARGE, row=len(rows))
    except csv.Error:
        raise refuse(Code.RAGGED_ROWS, row=len(rows) + 1) from None
    rows = [row for row in rows if any(cell.strip("\ufeff ") for cell in row)]
    if not rows:
        raise refuse(Code.EMPTY)
    comma = delimiter != "," and _writes_commas(rows[1:])
    return Table(tuple(cell.strip() for cell in rows[0]), tuple(rows[1:]), delimiter, encoding, comma)


def _writes_commas(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a comma in a number is the decimal one; `1,204` beside `0.5` is of thousands."""
    marked = [cell for row in rows for cell in row if _COMMA_NUMBER.fullmatch(cell)]
    if not marked:
        return False
    if not all(map(_THOUSANDS.fullmatch, marked)):
        return True
    points = (cell for row in rows for cell in row if _POINT_NUMBER.fullmatch(cell))
    return not any(POINTS.fullmatch(cell) is None for cell in points)


def read_spaced(text: str, *, encoding: str, policy: Policy) -> Table | None:
    """Return the table that a text is from its first to its last line, cells apart by spaces; None for prose.

    The first line names columns in words; that of R lacks a name for the names of rows.
    """
    lines = (tuple(line.split()) for line in text.splitlines() if line.strip())
    header, rows = next(lines, ()), list[tuple[str, ...]]()
    for row in lines:
        rows.append(row)
        if len(row) != len(rows[0]) or len(rows) > policy.max_rows * 20 or len(rows) * len(row) > _MAX_CELLS:
            return None
    width = len(rows[0]) if rows else 0
    if len(header) == width - 1:
        header = ("", *header)
    if len(rows) < _FEWEST_SPACED or width < _NARROWEST_SPACED or len(header) != width:
        return None
    table = Table(header, tuple(rows), " ", encoding)
    counted = any(all(number(cell) is not None for cell in table.column(at)) for at in range(width))
    return table if counted and all(number(name) is None for name in header) else None


def number(cell: str, *, decimal_comma: bool = False) -> Decimal | None:
    """Return the number that a cell holds, thousands apart by a mark or not, or None."""
    text = cell.strip().removesuffix("%").strip()
    if decimal_comma and ("," in text or POINTS.fullmatch(text)):
        text = text.replace(".", "").replace(",", ".")
    elif _THOUSANDS.fullmatch(text):
        text = text.translate(_MARKS_OF_THOUSANDS)
    return _plain_number(text)


def _plain_number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def in_order(values: Sequence[Decimal]) -> bool:
    """Return whether numbers rise or fall all along, as those of an axis do."""
    return any(all(map(before, values, islice(values, 1, None))) for before in (le, ge))


def whole(cell: str) -> int | None:
    """Return the whole number that a cell holds, or None."""
    text = cell.strip()
    return int(text) if _INTEGER.fullmatch(text) else None


def counted(cell: str, *, decimal_comma: bool = False) -> int | None:
    """Return the whole number that a cell holds, however it is written: `3`, `3.0`, `+3`, `3e0`, `1,204`."""
    value = whole(cell)
    if value is not None:
        return value
    for comma in (decimal_comma, False):  # `1,204` may be of thousands where commas are decimal elsewhere
        written = number(cell, decimal_comma=comma) if "%" not in cell else None
        if written is not None and abs(written) < _MOST and written == int(written):
            return int(written)
    return None


def strange_character(text: str) -> tuple[int, Code] | None:
    """Return the place and kind of the first character that a reader cannot see, if there is one."""
    if text.isascii() and text.isprintable():
        return None
    for at, letter in enumerate(text):
        if letter.isascii():
            if letter < " " and letter not in "\t\n\r":
                return at, Code.CONTROL_CHARACTERS
            if letter == "\x7f":
                return at, Code.CONTROL_CHARACTERS
        elif _is_hidden(text, at):
            return at, Code.HIDDEN_CHARACTERS
    return None


def _is_hidden(text: str, at: int) -> bool:
    """Return whether a letter beyond ASCII is not seen, or is not what it looks like."""
    letter, category = text[at], unicodedata.category(text[at])
    if category in ("Cf", "Cc", "Co", "Cn", "Cs", "Zl", "Zp", "Nd") or letter in _INVISIBLE:
        return True  # a digit of another script is a number that no check reads
    if category == "Mn":
        return _is_unseen(text, at)
    return letter in _LOOK_ALIKES and bool(_LATIN.search(text[max(at - 1, 0) : at + 2]))


def _is_unseen(text: str, at: int) -> bool:
    """Return whether a mark changes nothing that can be seen, or is one of a pile; emoji may ask for their colour."""
    if text[at] == "\ufe0f":
        return at == 0 or unicodedata.category(text[at - 1]) not in ("So", "Sm", "Po", "Nd")
    if "\ufe00" <= text[at] <= "\ufe0f" or "\U000e0100" <= text[at] <= "\U000e01ef":
        return True
    return at >= _MARKS and all(unicodedata.category(one) == "Mn" for one in text[at - _MARKS : at])


def write(table: Table, promise: Promise, *, policy: Policy) -> bytes:
    """Return the clean copy: declared columns in declared order, typed cells, sorted rows, LF, UTF-8 (T13)."""
    if table.encoding != "utf-8":
        raise refuse(Code.ENCODING)
    order = _order(table, promise)
    if len(table.rows) > promise.max_rows:
        raise refuse(Code.TOO_MANY_ROWS, row=promise.max_rows + 1)
    typed = []
    for line, row in enumerate(table.rows, start=1):
        if len(row) != len(table.header):
            raise refuse(Code.RAGGED_ROWS, row=line)
        cells = [
            clean_cell(row[at], column, policy=policy) for at, column in zip(order, promise.columns, strict=True)
        ]
        if None in cells:
            raise refuse(Code.CONTRACT_VALUE, row=line, column=order[cells.index(None)] + 1)
        typed.append(tuple(cell for cell in cells if cell is not None))
    typed.sort(key=lambda cells: tuple(_rank(cells, promise)))
    out = io.StringIO(newline="")
    delimiter = "\t" if promise.format is Promised.TSV else ","
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([column.name for column in promise.columns])
    writer.writerows(typed)
    return out.getvalue().encode()


def _order(table: Table, promise: Promise) -> list[int]:
    names = [column.name for column in promise.columns]
    if sorted(table.header) != sorted(names):
        raise refuse(Code.CONTRACT_COLUMNS)
    if table.delimiter != ("\t" if promise.format is Promised.TSV else ",") and len(names) > 1:
        raise refuse(Code.CONTRACT_FORMAT)
    return [table.header.index(name) for name in names]


def clean_cell(cell: str, column: Column, *, policy: Policy) -> str | None:
    """Return the one way to write this cell, or None when the column does not allow it."""
    if column.kind is Kind.KEY:
        return cell if len(cell) <= policy.max_cell_length and column.allows(cell) else None
    if cell in BLANK:
        return MISSING
    if column.kind in (Kind.COUNT, Kind.INTEGER):
        value = whole(cell)
        if value is None or abs(value) >= policy.max_magnitude:
            return None
        if value < 0 and column.kind is Kind.COUNT:
            return None
        return str(value)
    try:
        parsed = _plain_number(cell.strip().removesuffix("%").strip())
        if parsed is None or abs(parsed) >= policy.max_magnitude:
            return None
        rounded = parsed.quantize(Decimal(1).scaleb(-column.decimals), rounding=ROUND_HALF_EVEN)
    except InvalidOperation:
        return None
    return f"{rounded or abs(rounded):f}"  # there is no minus zero


def _rank(cells: tuple[str, ...], promise: Promise) -> Iterator[tuple[int, Decimal, str]]:
    for cell, column in zip(cells, promise.columns, strict=True):
        if column.kind is Kind.KEY:
            place = column.values.index(cell) if column.values else 0
            yield (0, Decimal(place), cell)
        elif cell == MISSING:
            yield (1, Decimal(0), "")
        else:
            yield (0, Decimal(cell), "")
