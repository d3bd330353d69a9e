"""Finds shares in a table of as many persons as the comments beside it say, which give away a small count."""

import re
from collections.abc import Iterator
from decimal import Decimal

from ..findings import Code, Finding, found
from ..subject import Bundle, Prose, Subject, Table
from .column_names import is_base, is_percent
from .percents import SAID, is_small
from .shares import numbers, whole_of

_COMMENT = re.compile(r"\s*#")


def check(subject: Subject) -> Iterator[Finding]:
    """Judge each table of a file whose comments name one number of persons, where it has none of its own."""
    bundle = subject.model
    if not isinstance(bundle, Bundle) or subject.promise is not None:
        return
    lines = [
        line
        for one in bundle.members
        if isinstance(one.model, Prose) and one.name == "comments"
        for line in one.model.lines
        if _COMMENT.match(line)
    ]
    said = {match[1].replace(",", "") for line in lines for match in SAID.finditer(line)}
    if len(said) != 1:
        return  # of two, nobody can say which is meant
    persons = Decimal(said.pop())
    for number, one in enumerate(bundle.members, start=1):
        if isinstance(one.model, Table) and not any(map(is_base, one.model.header)):
            yield from _table(one.model, persons, number, subject)


def _table(table: Table, persons: Decimal, number: int, subject: Subject) -> Iterator[Finding]:
    for at, name in enumerate(table.header):
        if not is_percent(name):
            continue
        shares = numbers(table, at)
        whole = whole_of(name, shares)
        for row, share in enumerate(shares, start=1):
            if (
                share is not None
                and 0 <= share <= whole
                and is_small(share / whole * persons, persons, subject.policy)
            ):
                yield found(Code.SMALL_COUNT, row=row, column=at + 1, member=number)
