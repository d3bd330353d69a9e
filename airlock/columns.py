"""Reads which columns a contract promises, each with a type that leaves no room for free text (T13)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airlock.checks.patterns import PatternRefused, bits
from airlock.checks.promise import Column, Kind

PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_. -]{0,59}")
CELL = re.compile(r"[A-Za-z0-9<>=+][A-Za-z0-9_.,:;<>=+()%/ -]{0,59}")
NEEDED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_KINDS = {"keys": Kind.KEY, "counts": Kind.COUNT, "integers": Kind.INTEGER, "numbers": Kind.NUMBER}
MAX_VALUES = 1000
MAX_LISTED = 200
# What one key cell may carry at most: enough for a chromosome and position, too little for a person's record.
_MAX_BITS = 40


class Wrong(Exception):
    """One thing wrong with one rule, as a sentence for its author."""


def read_columns(raw: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return the promised columns in their order: `columns` if given, else as declared."""
    declared = [column for field, kind in _KINDS.items() for column in _declared(raw.get(field), field, kind)]
    names = [column.name for column in declared]
    if not declared:
        raise Wrong("a table names its columns under keys, counts, integers and numbers.")
    if len(set(names)) != len(names):
        raise Wrong("keys, counts, integers, numbers: each is named once.")
    order = read_names(raw["columns"], "columns") if "columns" in raw else tuple(names)
    if sorted(order) != sorted(names):
        raise Wrong("columns lists each declared column once.")
    by_name = {column.name: column for column in declared}
    return tuple(by_name[name] for name in order)


def read_names(raw: object, field: str) -> tuple[str, ...]:
    """Return a list of plain names or paths."""
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > MAX_LISTED:
        raise Wrong(f"{field} is a list.")
    pattern = NEEDED if field == "needs" else PLAIN_NAME
    if not all(isinstance(one, str) and pattern.fullmatch(one) and ".." not in one for one in raw):
        raise Wrong(f"{field} holds plain names.")
    if len(set(raw)) != len(raw):
        raise Wrong(f"{field}: each is named once.")
    return tuple(raw)


def read_templates(raw: object) -> tuple[str, ...]:
    """Return the templates of a log's lines; none means that any plain line may leave, within the cap on length."""
    if raw is None:
        return ()
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_LISTED:
        raise Wrong("lines is a list of templates.")
    for pattern in raw:
        if not isinstance(pattern, str):
            raise Wrong("lines holds templates in the language of patterns.")
        try:
            carried = bits(pattern)
        except PatternRefused as refused:
            raise Wrong(f"a template of lines: {refused}") from None
        if carried > _MAX_BITS:
            raise Wrong(f"a template of lines can carry {carried:.0f} bits; {_MAX_BITS} is the most.")
    return tuple(raw)


def read_number(raw: object, field: str) -> int:
    """Return a whole number above zero."""
    if type(raw) is not int or not 1 <= raw <= 10**9:
        raise Wrong(f"{field} is a whole number above zero.")
    return raw


def check_fields(raw: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise for a field that this version does not know, so that no promise is overlooked."""
    for field in raw:
        if field not in known:
            raise Wrong(f"{str(field)[:40]!r} is not a field of this kind of rule.")


def _declared(raw: object, field: str, kind: Kind) -> list[Column]:
    if raw is None:
        return []
    facts = raw if isinstance(raw, Mapping) else {name: None for name in read_names(raw, field)}
    if not all(isinstance(name, str) and PLAIN_NAME.fullmatch(name) for name in facts):
        raise Wrong(f"{field} names columns in plain letters.")
    return [_column(name, kind, about) for name, about in facts.items()]


def _column(name: str, kind: Kind, about: object) -> Column:
    if kind is Kind.KEY:
        return _key(name, about)
    if kind is Kind.NUMBER:
        decimals = about.get("decimals") if isinstance(about, Mapping) else about
        if type(decimals) is not int or not 0 <= decimals <= 18:
            raise Wrong(f"numbers says how many decimals {name} has, such as {name}: 4.")
        return Column(name, kind, decimals=decimals)
    if about is not None:
        raise Wrong(f"{name} is a whole number and takes no settings.")
    return Column(name, kind)


def _key(name: str, about: object) -> Column:
    """Return a key with a closed vocabulary (a list) or a pattern of few bits."""
    facts = about if isinstance(about, Mapping) else {"values": about}
    check_fields(facts, ("values", "pattern"))
    values, pattern = facts.get("values"), facts.get("pattern")
    if isinstance(values, list) and values and pattern is None:
        if not all(isinstance(one, str) or type(one) is int for one in values):
            raise Wrong(f"the values of {name} are words or whole numbers; put others in quotes.")
        cells = tuple(str(one) for one in values)
        closed = len(cells) <= MAX_VALUES and len(set(cells)) == len(cells)
        if not closed or not all(CELL.fullmatch(cell) for cell in cells):
            raise Wrong(f"the values of {name} are at most {MAX_VALUES} different plain words.")
        return Column(name, Kind.KEY, values=cells)
    if not isinstance(pattern, str) or values is not None:
        raise Wrong(f"key {name} has either values (a closed list) or a pattern.")
    try:
        carried = bits(pattern)
    except PatternRefused as refused:
        raise Wrong(f"the pattern of {name}: {refused}") from None
    if carried > _MAX_BITS:
        raise Wrong(f"the pattern of {name} can carry {carried:.0f} bits; {_MAX_BITS} is the most.")
    return Column(name, Kind.KEY, pattern=pattern)
