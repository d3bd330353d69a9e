"""Decides whether a job runs its rule's signed script, with facts that are this job's own (T18)."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from wes.commands import Hole, Kind, ScriptCall
from wes.literals import NotLiteral, read_literal
from wes.matching import Known, is_instance
from wes.rules import SCRIPTS, WORK, WORKFLOW

NAMED = frozenset({"input", "output", "params", "wildcards", "resources", "log"})
PLAIN = frozenset({"threads", "rule", "config", "scriptdir", "bench_iteration"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}|_cores|_nodes")
_UNNAMED = re.compile(r"rule_([0-9]+)")
_RESOURCE = re.compile(r"[A-Za-z0-9 ._/<>=:+-]{0,200}")  # "200 MB", "<TBD>"


def may_call(
    script: ScriptCall,
    rule: str,
    command: Sequence[str],
    contents: Mapping[str, str],
    known: Known,
    *,
    call: str,
    measured: bool = False,
) -> bool:
    """Return whether this is the plug-in's own text round the signed script, and nothing else."""
    if len(command) != 2 or command[0] != "python3" or list(contents) != [command[1]]:
        return False
    if not command[1].startswith(WORK + SCRIPTS):
        return False
    path = WORKFLOW + script.path
    before, after = f"{call}\n\nrun({path!r}, ", ")\n"
    content = contents[command[1]]
    if len(content) < len(before) + len(after) or not (content.startswith(before) and content.endswith(after)):
        return False
    try:
        facts = read_literal(content[len(before) : -len(after)])
    except NotLiteral:
        return False
    plain = facts.get("plain") if isinstance(facts, dict) else None
    if not isinstance(plain, dict) or plain.get("bench_iteration", 0) != (0 if measured else None):
        return False
    return _are_own(facts, script, rule, posixpath.dirname(path), known)


def _are_own(facts: Any, script: ScriptCall, rule: str, folder: str, known: Known) -> bool:
    match facts:
        case {"named": dict(named), "plain": dict(plain), **rest} if not rest:
            pass
        case _:
            return False
    if set(named) != NAMED or set(plain) != PLAIN or not all(_is_list(one) for one in named.values()):
        return False
    if plain["scriptdir"] != folder or plain["rule"] not in (rule, _number(rule)):
        return False
    if not _is_integer(plain["threads"]) or not _config_fits(plain["config"], script, known):
        return False
    return all(_fit(kind, *one, script=script, known=known) for kind, one in named.items())


def _number(rule: str) -> str:
    """Return what Snakemake itself calls a rule without a name, which our plug-in calls rule_N."""
    found = _UNNAMED.fullmatch(rule)
    return found[1] if found else rule


def _is_list(one: Any) -> bool:
    """Return whether this is a list with names for some of its places, as Snakemake's own lists are."""
    match one:
        case (list(items), dict(names)):
            pass
        case _:
            return False
    for name, place in names.items():
        match place:
            case (int(start), None) if 0 <= start < len(items):
                pass
            case (int(start), int(end)) if 0 <= start <= end <= len(items):
                pass
            case _:
                return False
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return False
    return True


def _fit(kind: str, items: list[Any], names: dict[str, Any], *, script: ScriptCall, known: Known) -> bool:
    match kind:
        case "input":
            return all(isinstance(item, str) and item in known.inputs for item in items)
        case "output" | "log":
            return all(isinstance(item, str) and item in known.outputs for item in items)
        case "wildcards":
            return all(_fits(Hole("", Kind.NAME), item, known) for item in items)
        case "resources":
            return all(
                item is None
                or isinstance(item, int | float)
                or (isinstance(item, str) and _RESOURCE.fullmatch(item) is not None)
                for item in items
            )
        case _:
            return all(
                (hole := script.holes.get(f"params{name}")) is not None and _fits(hole, items[place], known)
                for place, name in _places(len(items), names)
            )


def _places(length: int, names: dict[str, Any]) -> list[tuple[int, str]]:
    """Return what each place of a list is called in a manifest: .name, or [number] where it has none.

    A place with two names is told twice, so that it has to fit both.
    """
    found = []
    called = set()
    for name, (start, end) in names.items():
        for place in range(start, start + 1 if end is None else end):
            found.append((place, f".{name}"))
            called.add(place)
    return found + [(place, f"[{place}]") for place in range(length) if place not in called]


def _config_fits(config: Any, script: ScriptCall, known: Known) -> bool:
    """Return whether the configuration is the run's, or that part of it which a module is told.

    What a workflow's own file adds has a hole config.KEY.
    """
    part = known.value(script.config) if script.config else known.config
    run = part if isinstance(part, Mapping) else {}
    if not isinstance(config, dict) or not set(run) <= set(config):
        return False
    for key, value in config.items():
        if key in run:
            if not _same(value, run[key]):
                return False
        elif (hole := script.holes.get(f"config.{key}")) is None or not _fits(hole, value, known):
            return False
    return True


def _fits(hole: Hole, value: Any, known: Known) -> bool:
    if isinstance(value, list | tuple) and hole.kind is not Kind.CONFIG:
        return all(_fits(hole, item, known) for item in value)
    if isinstance(value, dict) and hole.kind is Kind.ENUM:
        return all(_fits(hole, one, known) for pair in value.items() for one in pair)
    match hole.kind:
        case Kind.CONFIG:
            return _same(value, known.value(hole.config))
        case Kind.ENUM:
            return any(_same(value, one) for one in hole.values)
        case Kind.INTEGER:
            return _is_integer(value)
        case Kind.NUMBER:
            return isinstance(value, int | float)
        case Kind.INPUT | Kind.OUTPUT | Kind.PATH:
            return isinstance(value, str) and value in known.paths(hole.kind)
        case Kind.NAME:
            return isinstance(value, str) and is_instance([hole], value, known)
        case _:
            assert_never(hole.kind)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _same(value: Any, other: Any) -> bool:
    """Return whether two values are equal and of one type, all the way down."""
    if isinstance(value, dict) and isinstance(other, Mapping):
        return set(value) == set(other) and all(_same(value[key], other[key]) for key in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_same, value, other))
    return type(value) is type(other) and bool(value == other)
