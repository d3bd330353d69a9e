"""Says what a Nextflow workflow's parameters are where a run gives none, by its configuration and its scripts."""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from wes.nextflow_outline import NextflowOutline, Param, Value
from wes.nextflow_settings import OWN_CONFIG
from wes.rules import WORKFLOW

_FOLDER = re.compile(r"\$\{?(?:workflow\.)?(?:projectDir|baseDir)\}?(?![A-Za-z0-9_.])")
_READ = re.compile(r"\$\{params\.(\w+)\}|\$params\.(\w+)(?![\w.])")
_NULL = "null"


class Unknown:
    """What only running the workflow would tell."""


UNKNOWN = Unknown()  # computed: what the workflow itself makes of it stays
UNSET = Unknown()  # a part of a map that is read, and set nowhere


def defaults(outline: NextflowOutline, entry: str = "main.nf") -> dict[str, Any]:
    """Return each parameter's value where a run gives none; `UNKNOWN` for what is computed, or set nowhere.

    A map is a dictionary of such values, and of `UNSET` ones.
    """
    named: dict[str, list[Param]] = {}
    # A configuration's word counts more than a script's, and the first script's more than a module's.
    for one in sorted(outline.params, key=lambda param: _weight(param, outline, entry)):
        named.setdefault(one.name.partition(".")[0], []).append(one)
    return {key: _known(key, ones, {*outline.configs}) for key, ones in named.items()}


def shown(value: Any) -> str | None:
    """Return what a script shows of a plain value; None where only the engine knows it."""
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else _NULL
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, int | float) and "e" not in repr(value) else None


def part(values: Mapping[str, Any], name: str) -> Any:
    """Return the value of a parameter, as a.b; `UNKNOWN` if there is none."""
    value: Any = values
    for one in name.split("."):
        value = value.get(one, UNKNOWN) if isinstance(value, Mapping) else UNKNOWN
    return value


def is_whole(value: Any) -> bool:
    """Return whether nothing in a value is computed."""
    return all(is_whole(one) for one in value.values()) if isinstance(value, dict) else value is not UNKNOWN


def settled(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a map's parts that are set; None if there are parts and none of them is."""
    found: dict[str, Any] = {}
    for key, one in value.items():
        known = settled(one) if isinstance(one, dict) else one
        if not isinstance(known, Unknown) and not (known is None and isinstance(one, dict)):
            found[key] = known
    return found if found or not value else None


def _known(key: str, ones: Sequence[Param], configs: Set[str]) -> Any:
    said = [one for one in ones if one.default is not None]
    counting = [one for one in said if one.file in configs] or said
    whole, below = [one for one in counting if one.name == key], [one for one in counting if one.name != key]
    read = [one.name.removeprefix(f"{key}.") for one in ones if one.name != key and one.default is None]
    if not said:
        return _tree({}, read) if read else UNKNOWN
    if any(one.file not in configs and one.name != key for one in said) or (whole and below):
        return UNKNOWN  # what changes a part of a map, and when, nobody knows
    if not whole:
        return _tree({path: value for one in reversed(below) for path, value in _parts(one, key)}, read)
    first, again = whole[0], [one for one in whole if one.file == whole[0].file and one.file not in configs]
    if len(again) > 1:
        if not all(_is_sure(one) for one in again):
            return UNKNOWN  # code decides which of them counts
        first = max(again, key=lambda one: one.line)
    if first.parts is None:
        return UNKNOWN if first.default is None else _value(first.default)
    if len(whole) > 1 and first.file in configs:
        return UNKNOWN  # Nextflow joins maps of configurations
    return _tree(first.parts, read)


def _is_sure(one: Param) -> bool:
    return one.default is not None and (one.parts is not None or _value(one.default) is not UNKNOWN)


def _parts(one: Param, key: str) -> Iterator[tuple[str, Value]]:
    name = one.name.removeprefix(f"{key}.")
    if one.parts:
        yield from ((f"{name}.{path}", value) for path, value in one.parts.items())
    elif one.default is not None:
        yield name, one.default


def _tree(values: Mapping[str, Value], read: Sequence[str]) -> dict[str, Any]:
    """Return values by their paths as maps in maps, with what else of them is read."""
    tree: dict[str, Any] = {}
    known = {path: _value(value) for path, value in values.items()}
    # The longest first: what holds a part that is read is a map.
    for path in [*known, *sorted({*read} - {*known}, key=lambda one: (-one.count("."), one))]:
        *above, last = path.split(".")
        place: Any = tree
        for part in above:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):  # else a property of a plain value, and none of a map's parts
            place.setdefault(last, known.get(path, UNSET))
    return tree


def filled(text: str, known: dict[str, Any]) -> str:
    """Return a template in which the parameters stand that are known to be texts."""

    def value(found: re.Match[str]) -> str:
        said = known.get(found[1] or found[2])
        return said if isinstance(said, str) else found[0]

    return _READ.sub(value, text)


def _weight(one: Param, outline: NextflowOutline, entry: str) -> int:
    return [one.file == OWN_CONFIG, one.file in outline.configs, one.file == entry, True].index(True)


def _value(default: Value) -> Any:
    if default.kind in ("text", "number"):
        return default.value
    if default.text == _NULL:
        return None
    if default.kind == "template":
        text = _FOLDER.sub(WORKFLOW.rstrip("/"), str(default.value))
        return text if "$" not in text else UNKNOWN
    return UNKNOWN
