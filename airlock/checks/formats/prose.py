"""Finds tables inside text: printed data frames, pasted lines of values, literals of code."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, pairwise, takewhile

from ..subject import Table

_WORD = re.compile(r"\S+")
_GAP = re.compile(r"\s{2,}|\t")
_LATEX_WORD = re.compile(r"\\[a-zA-Z]+\*?")
_RULE = re.compile(r"[\s|+=:─═┌┬┐├┼┤└┴┘╞╪╡╔╦╗╠╬╣╚╩╝-]*")
_BARS = str.maketrans("│┆┃║╎", "|||||")
_TYPES = re.compile(r"[\s|]*(?:(?:<[a-z0-9+]{2,6}>|[iuf](?:8|16|32|64)|str|bool|cat|date)[\s|]+){2,60}")
_BARE_KEY = re.compile(r"([{,]\s{0,20})([A-Za-z_]\w{0,60})\s?:")
_COMMENT = re.compile(r"^\s{0,8}(?:#{1,2}|//|>)(?=\s)")
_LIMIT = re.compile(r"\b(lower|upper) \d{2}% CI\b")  # as R names two columns of a curve
_VECTOR = re.compile(r"\s*\$ ([\w.]{1,60})\s*(?::\s?(?:int|num|chr|Factor[^:]{0,80}|logi)|<\w{2,5}>)\s(.{3,})")
_EDGES = " \t'\"()[]{}|;,"
_CONSTANT = re.compile(r"""\s*(?:"([^"\n]{0,200})"|'([^'\n]{0,200})'|([+-]?\d[\d.eE+-]{0,30})L?)\s*([,)\]])""")
_OPENING = re.compile(r"c\(|[(\[]")
_NAME = re.compile(r"""([A-Za-z_][\w.]{0,60})["']?[ \t]{0,4}(?:=|:|<-)[ \t]{0,4}$""")
_FACT = re.compile(r"""[\s-]{0,20}["']?([A-Za-z_][\w .-]{0,40}?)["']?[ \t]{0,20}[:=|;][ \t]{0,20}(\S.{0,200})$""")
_FEWEST_ROWS = 3
_FEWEST_RECORDS, _WIDEST_CROSS = 5, 30
_MAX_LINE = 4000
_MAX_OBJECTS = 20_000
_MAX_SCANNED = 50_000_000
_RECURSED = 100_000
_MAX_NAMES = 2000
_MAX_LITERALS = 500_000
_MAX_TABLES = 20_000
_WIDEST = 200
Numbered = tuple[int, Table]
Splitter = Callable[[str], list[str]]


class Unread(Exception):
    """There is more in the text than is read: what was found so far is not all."""


def tables(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Yield each table with the number of the line where it starts; raises `Unread` where there are too many."""
    lines = tuple(_LIMIT.sub(r"\1", _COMMENT.sub("", line).translate(_BARS)) for line in lines)
    lines = _named_sides(lines)
    readings = (_crossed, _printed, _spaced, _delimited, _vectors, _records, _literals)
    yield from _limited(one for reading in readings for one in reading(lines))


def _limited(found: Iterable[Numbered]) -> Iterator[Numbered]:
    for made, one in enumerate(found):
        if made >= _MAX_TABLES:
            raise Unread
        yield one


def _printed(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Columns with two spaces or more between them, as pandas and R print them."""
    yield from _runs(lines, lambda line: [cell for cell in _GAP.split(line.strip(" |")) if cell])


def _spaced(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Columns with one space between them; cells hold none."""
    yield from _runs(lines, str.split)


def _delimited(lines: tuple[str, ...]) -> Iterator[Numbered]:
    for mark in ",;|\t~^:":
        if sum(mark in line for line in lines) >= _FEWEST_ROWS:
            yield from _runs(lines, lambda line, mark=mark: _cells(line, mark))  # type: ignore[misc]


def _cells(line: str, mark: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error:
        return line.split(mark)


def _runs(lines: tuple[str, ...], split: Splitter) -> Iterator[Numbered]:
    """Yield blocks of lines with one number of cells, three or more; the line above is their header."""
    block: list[tuple[str, ...]] = []
    start = 0
    before: tuple[str, ...] = ()
    for number, line in enumerate((*lines, ""), start=1):
        if line.strip() and (_RULE.fullmatch(line[:_MAX_LINE]) or _TYPES.fullmatch(line[:_MAX_LINE] + " ")):
            continue  # the line under a header, or one of types
        cells = tuple(cell.strip(_EDGES) for cell in split(line[:_MAX_LINE]))
        if block and len(cells) == len(block[-1]):
            block.append(cells)
            continue
        if len(block) >= _FEWEST_ROWS:
            yield start, _headed(block, before)
            if len(block) > _FEWEST_ROWS and not any(map(str.isdecimal, "".join((*block[0], *block[1])))):
                yield start + 1, Table(block[1], tuple(block[2:]), "", "utf-8")  # a line of code above the header
        before = block[-1] if block else ()
        block, start = ([cells], number) if len(cells) >= 2 else ([], number)
    return


def _headed(block: list[tuple[str, ...]], before: tuple[str, ...]) -> Table:
    width = len(block[0])
    if len(before) == width - 1:  # the column of row numbers has no name
        return Table(("", *before), tuple(block), "", "utf-8")
    return Table(block[0], tuple(block[1:]), "", "utf-8")


def _crossed(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """A line of words, then lines of a word and a whole number for each: R's print of a cross table."""
    cells = [line.split()[:_WIDEST_CROSS] if len(line) < _MAX_LINE else [] for line in lines]
    for at, names in enumerate(cells):
        if len(names) < 2 or any(name[0].isdecimal() for name in names):
            continue
        below = (cells[row] for row in range(at + 1, len(cells)))
        rows = list(takewhile(partial(_is_of_counts, width=len(names) + 1), below))
        if len(rows) > 1:
            yield at + 1, Table(("", *names), tuple(map(tuple, rows)), " ", "utf-8")


def _is_of_counts(row: list[str], *, width: int) -> bool:
    return len(row) == width and all(map(str.isdecimal, row[1:]))


def _named_sides(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return lines with the names of rows, which pandas prints below those of columns, before the latter."""
    joined = list(lines)
    for at, (line, below) in enumerate(pairwise(lines)):
        words = _WORD.finditer(line[:_MAX_LINE])
        first = next(words, None)
        start = first if first is None or first.start() else next(words, None)
        name = below.rstrip()
        if start is None or any(word[0].isdecimal() for word in line[:_MAX_LINE].split()):
            continue  # no names of columns
        if 0 < len(name) < start.start() and not any(map(str.isdecimal, name)):
            joined[at], joined[at + 1] = "", name + line[len(name) :]
    return tuple(joined)


def _vectors(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """The first values of each column, as R's `str` and `glimpse` show a data frame."""
    columns: list[tuple[str, list[str]]] = []
    start = 0
    for number, line in enumerate((*lines, ""), start=1):
        match = _VECTOR.match(line[:_MAX_LINE])
        if match is not None:
            start = start or number
            values = (cell.strip(_EDGES) for cell in re.split(r",\s*|\s+", match[2].rstrip(" .…")))
            columns.append((match[1], [cell for cell in values if cell]))
        elif columns:
            length = min(len(cells) for _, cells in columns)
            if len(columns) > 1 and length >= _FEWEST_ROWS:
                names = tuple(name for name, _ in columns)
                yield (
                    start,
                    Table(names, tuple(zip(*(cells[:length] for _, cells in columns), strict=True)), "", "utf-8"),
                )
            columns, start = [], 0


def _records(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Facts below each other, a name and a value a line, the same names again for each record."""
    rows: list[dict[str, str]] = []
    start = 0
    for number, line in enumerate(lines, start=1):
        match = _FACT.match(line[:_MAX_LINE])
        if match is None:
            continue
        start = start or number
        if not rows or match[1] in rows[-1]:
            rows.append({})
        rows[-1][match[1]] = match[2].strip(_EDGES)
    often = Counter(name for row in rows for name in row)
    names = [name for name, many in often.items() if many > 0.5 * len(rows)]
    if len(rows) >= _FEWEST_RECORDS and 1 < len(names) <= _MAX_NAMES:
        yield (
            start,
            Table(tuple(names), tuple(tuple(row.get(name, "") for name in names) for row in rows), "", "utf-8"),
        )


def marked(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Yield the tables that the text itself marks as such, as Markdown and LaTeX do, with their first lines."""
    yield from _limited(_piped(lines))
    yield from _limited(_tabular(lines))


def is_piped(text: str) -> bool:
    """Return whether the text is a table as Markdown writes it, with a rule under its header."""
    return any(map(_is_rule, text[: 2 * _MAX_LINE].splitlines()[1:3]))


def _is_rule(line: str) -> bool:
    """Return whether a line is the rule under a header: `|---|:--|`."""
    plain = line[:_MAX_LINE].strip()
    return "--" in plain and not plain.strip("|:- \t")


def _piped(lines: tuple[str, ...]) -> Iterator[Numbered]:
    at = 1
    while at < len(lines):
        header = lines[at - 1]
        if "|" not in header or not _is_rule(lines[at]):
            at += 1
            continue
        rows = list(takewhile(lambda line: "|" in line, lines[at + 1 :]))
        if rows:
            yield at, Table(_pipes(header), tuple(map(_pipes, rows)), "|", "utf-8")
        at += len(rows) + 2


def _pipes(line: str) -> tuple[str, ...]:
    plain = line[:_MAX_LINE].strip().removeprefix("|").removesuffix("|")
    return tuple(cell.strip(" \t*_`") for cell in plain.split("|"))


def _tabular(lines: tuple[str, ...]) -> Iterator[Numbered]:
    rows: list[tuple[str, ...]] | None = None
    start = 0
    for number, line in enumerate(lines, start=1):
        if "\\begin{tabular" in line or "\\begin{longtable" in line:
            rows, start = [], number
        if rows is None:
            continue
        for part in line[:_MAX_LINE].split("\\\\"):
            cells = _LATEX_WORD.sub("", part).split("&")
            if len(cells) > 1:
                rows.append(tuple(cell.strip(" {}$\t") for cell in cells))
        if "\\end{tabular" in line or "\\end{longtable" in line:
            if len(rows) > 1:
                yield start, Table(rows[0], tuple(rows[1:]), "&", "utf-8")
            rows = None


def longest_list(lines: tuple[str, ...]) -> int:
    """Return how many constants the longest list in the text has."""
    text = "\n".join(lines)
    starts = islice(_OPENING.finditer(text), _MAX_LITERALS)
    return max((len(_constants(text, match.end())) for match in starts), default=0)


def _literals(lines: tuple[str, ...]) -> Iterator[Numbered]:
    """Lists of constants in code, beside each other if they have one length; objects in JSON and Python."""
    text = "\n".join(line[: _MAX_LINE * 50] for line in lines)
    columns: dict[int, list[tuple[str, list[str]]]] = {}
    for count, match in enumerate(_OPENING.finditer(text)):
        if count > _MAX_LITERALS:
            raise Unread
        cells = _constants(text, match.end())
        if len(cells) >= _FEWEST_ROWS:
            named = _NAME.search(text[max(match.start() - 80, 0) : match.start()])
            columns.setdefault(len(cells), []).append((named[1] if named else "", cells))
    for group in columns.values():
        names = tuple(name for name, _ in group)
        rows = len(group[0][1])
        for at in range(0, len(group), _WIDEST):
            beside = tuple(zip(*(cells for _, cells in group[at : at + _WIDEST]), strict=True))
            yield 1, Table(names[at : at + _WIDEST], beside, "", "utf-8")
        if len(group) >= _FEWEST_ROWS and (not any(names) or len(group) > 2 * rows):  # a list of rows
            header, *rest = (tuple(cells) for _, cells in group)
            yield 1, Table(header, tuple(rest), "", "utf-8")
    yield from _objects(text)


def _constants(text: str, at: int) -> list[str]:
    cells: list[str] = []
    while (match := _CONSTANT.match(text, at)) is not None:
        cells.append(next(one for one in match.groups()[:3] if one is not None))
        at = match.end()
        if match[4] != ",":
            return cells
    return []


def _objects(text: str) -> Iterator[Numbered]:
    decoder = json.JSONDecoder()
    readings = [text, text.replace("'", '"')] if "'" in text else [text]
    if _BARE_KEY.search(text) is not None:  # as JavaScript writes objects
        readings.append(_BARE_KEY.sub(r'\1"\2":', readings[-1]))
    for quoted in readings:
        rows = list(_decoded(quoted, decoder))
        names = list(dict.fromkeys(key for row in rows for key in row))
        if len(names) > _MAX_NAMES:
            raise Unread
        if len(rows) > 1 and names:
            cells = tuple(tuple(str(row.get(name, "")) for name in names) for row in rows)
            yield 1, Table(tuple(names), cells, "", "utf-8")


def _decoded(text: str, decoder: json.JSONDecoder) -> Iterator[dict[str, object]]:
    """Yield the objects in a text; braces that open none cost what was read of them."""
    at = tried = scanned = 0
    while (at := text.find("{", at)) >= 0:
        tried += 1
        if tried > _MAX_OBJECTS or scanned > _MAX_SCANNED:
            raise Unread
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as broken:
            scanned += broken.pos - at
            at += 1
        except (ValueError, RecursionError):
            scanned += _RECURSED
            at += 1
        else:
            if isinstance(value, dict) and value:
                yield value
