"""Finds trees and distances between single persons or samples, by the names of their tips."""

import re
from collections.abc import Iterator, Sequence

from ..findings import Code, Finding, found
from ..subject import Prose, Subject
from .row_level import is_coded
from .series import numbered

_TIP = re.compile(r"[(,]\s*['\"]?([^\s(),:;'\"\[\]]{1,60})")
_TAXA = "TAXLABELS"
_NUMBER = re.compile(r"-?\d{1,3}(?:\.\d{1,12})?(?:e-?\d{1,3})?")
_FEW, _SIDE = 5, 8
_LEAST_OF_TREE = 4
_LONGEST = 2_000_000


def check(subject: Subject) -> Iterator[Finding]:
    """Judge the tips of trees, then the labels of a square of numbers."""
    model = subject.model
    if not isinstance(model, Prose):
        return
    text = "\n".join(model.lines)[:_LONGEST]
    labels: list[str] = []
    if (start := text.lstrip()[:1]) == "(" or "#NEXUS" in text[:20].upper():
        for said in text.split(";")[:-1]:
            labels += _TIP.findall(said) if ")" in said else said[said.upper().find(_TAXA) :].split()[1:]
    elif start.isdecimal():
        labels = _square([line.split() for line in model.lines if line.strip()])
    if _are_persons(labels):
        yield found(Code.ROW_LEVEL, row=1)


def _are_persons(labels: Sequence[str]) -> bool:
    coded = sum(1 for label in set(labels) if is_coded(label))
    return coded >= _FEW or any(
        numbered(labels, least=least) for least in (_FEW, _LEAST_OF_TREE) if len(set(labels)) >= least
    )


def _square(lines: list[list[str]]) -> list[str]:
    """Return the labels of a matrix as PHYLIP writes it: how many, then each with its distances."""
    if (
        not lines
        or len(lines[0]) != 1
        or not lines[0][0].isdecimal()
        or len(lines) != int(lines[0][0]) + 1
        or len(lines) <= _SIDE
    ):
        return []
    rows = lines[1:]
    if not all(len(row) > 1 and all(map(_NUMBER.fullmatch, row[1:])) for row in rows[1:]):
        return []
    return [row[0] for row in rows]
