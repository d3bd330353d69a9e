"""Finds how few a model or group rests on where words say so: n=3, leaves of one, 3 residual degrees of freedom."""

import re
from collections.abc import Iterator

from ..findings import Code, Finding, found
from ..formats.table import number, whole
from ..subject import Prose, Subject, Table

_SIZE = re.compile(r"(?<![\w.])[nN]\s?=\s?(\d{1,6})(?![\w.,%])")
_LEAF = re.compile(r"(?:(?<![A-Za-z])|(?<=\\n))samples?\s?[=:]\s?(\d{1,9})(?![\w.%])")
_WEIGHTS = re.compile(r"weights: \[([\d., ]{1,2000})\]")
_LEAVES = re.compile(r"(?:leaf|internal)_count=([\d ]{1,20000})")
_RPART = re.compile(r"\s*\d{1,9}\) \S.{0,200}? (\d{1,9}) [\d.e+-]{1,20} \S+(?: \([\d. e-]{1,2000}\))? ?\*?\s*")
_RPART_HEAD = re.compile(r"node\), split, n")
_RESIDUAL = (
    re.compile(r"Df Residuals:\s{0,60}(\d{1,9})\b"),
    re.compile(r"[Rr]esidual (?:standard error|deviance):.{0,60}? on (\d{1,9})\s{1,3}degrees of freedom"),
)
_COUNTED = re.compile(r"Name: (?:count|\w{1,40}), (?:Length: \d{1,9}, )?dtype: int64")
_INDEX = re.compile(r"[A-Za-z_]\w{0,60}")  # the name of the groups, which a sum of a data frame has not
_STATA = re.compile(
    r"\s*\S.{0,60}? \|\s{1,30}([\d,]{1,12}(?:\s{1,30}[\d,]{1,12}){0,20})\s{1,9}\|\s{1,30}[\d,]{1,12}\s*"
)
_STATA_ONE = re.compile(r"\s*\S.{0,60}? \|\s{1,30}([\d,]{1,12})\s{1,30}\d{1,3}\.\d\d\s{1,30}\d{1,3}\.\d\d\s*")
_LAST = re.compile(r"\S.{0,200}?\s(\d{1,9})\s*")


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each line of text, and each name of a column and label of a row."""
    model, least = subject.model, subject.policy.min_count
    if isinstance(model, Prose):
        yield from _trees(model.lines, least)
        yield from _counted(model.lines, least)
        for row, line in enumerate(model.lines, start=1):
            matches = (match for pattern in _RESIDUAL for match in pattern.finditer(line))
            if any(int(match[1]) < subject.policy.min_dof for match in matches):
                yield found(Code.LOW_DEGREES_OF_FREEDOM, row=row)
    elif isinstance(model, Table) and (subject.promise is None or subject.promise.unit == "person"):
        for row, cells in enumerate((model.header, *model.rows)):
            for column, cell in enumerate(cells, start=1):
                if any(0 < int(match[1]) < least for match in _SIZE.finditer(cell[:200])):
                    yield found(Code.SMALL_COUNT, row=row, column=column)


def _trees(lines: tuple[str, ...], least: int) -> Iterator[Finding]:
    rpart = any(_RPART_HEAD.search(line) for line in lines[:20])
    for row, line in enumerate(lines, start=1):
        sizes = [int(match[1]) for match in _LEAF.finditer(line)]
        sizes += [int(size) for match in _LEAVES.finditer(line) for size in match[1].split()]
        sizes += [round(sum(number(part) or 0 for part in one[1].split(","))) for one in _WEIGHTS.finditer(line)]
        if rpart and (node := _RPART.fullmatch(line[:3000])) is not None:
            sizes.append(int(node[1]))
        if (tabulated := _STATA.fullmatch(line[:300]) or _STATA_ONE.fullmatch(line[:300])) is not None:
            sizes += [int(one.replace(",", "")) for one in tabulated[1].split() if one.strip(",")]
        if any(0 < size < least for size in sizes):
            yield found(Code.SMALL_COUNT, row=row)


def _counted(lines: tuple[str, ...], least: int) -> Iterator[Finding]:
    """Judge the lines above the last one of a printed series of counts, as pandas writes it."""
    start = 0
    for end, line in enumerate(lines):
        if not line.strip():
            start = end + 1
        of_groups = line.strip() == "dtype: int64" and start < end and _INDEX.fullmatch(lines[start].strip())
        if of_groups or _COUNTED.match(line.strip()):
            for row in range(start, end):
                last = _LAST.fullmatch(lines[row][:300])
                value = whole(last[1]) if last is not None else None
                if value is not None and 0 < value < least:
                    yield found(Code.SMALL_COUNT, row=row + 1)
