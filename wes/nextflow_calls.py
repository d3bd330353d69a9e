"""Reads calls of a Nextflow workflow's code by Groovy's text of them: what processes and workflows are given."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from wes import nextflow_channels, nextflow_commands, nextflow_parameters
from wes.nextflow_outline import NextflowOutline, Noted, Process, Said, Workflow

FURTHEST = 20  # workflows call workflows, so many deep
NAME = re.compile(r"\w+")
NO_FILE, NO_TEXT = "[]", ""
_OPTION = re.compile(r"-[\w. =:/+-]*")  # Groovy's text of code begins with no dash, and of a number neither
_PARAM = re.compile(r"\$\{params\.([\w.]+)\}")
_NULL = "null"
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


class Call(NamedTuple):
    """A call of a process or of a workflow."""

    said: Noted
    called: Process | Workflow
    arguments: list[str]


class Nothing(NamedTuple):
    """What a script shows of an input that no hole takes, nothing or a text by its letters, and if it always is."""

    texts: tuple[str, ...]
    is_always: bool


Takes = Mapping[tuple[str, str], frozenset[bool]]


def calls(outline: NextflowOutline) -> list[Call]:
    """Return every call of a process or a workflow."""
    named = nextflow_channels.names(outline)
    found = [(one, named.get((one.file, one.name))) for one in outline.calls if one.where == "workflow"]
    return [Call(one, called, arguments(one.text)) for one, called in found if called is not None]


def arguments(text: str) -> list[str]:
    """Return the arguments of a call by Groovy's text of it."""
    return parts(text[text.find("(") + 1 : -1]) if text.endswith(")") else []


def parts(text: str) -> list[str]:
    """Return what stands between the commas of a text."""
    return [one.strip() for one in _split(text)] if text else []


def nothings(outline: NextflowOutline) -> dict[str, dict[str, Nothing]]:
    """Return by a process's name which of its inputs no hole takes in one of its calls, or in all."""
    params = nextflow_parameters.defaults(outline)
    seen: dict[str, dict[str, set[str | None]]] = {}
    all_calls = calls(outline)
    takes = _takes(all_calls)
    for one in all_calls:
        if isinstance(one.called, Process):
            of_process = seen.setdefault(one.said.name, {})
            for name, text in [*_shown(one, one.called, takes), *_unfit(one, one.called, params)]:
                of_process.setdefault(name, set()).add(text)
    return {
        process: {
            name: Nothing(tuple(sorted(said)), is_always=None not in texts)
            for name, texts in names.items()
            if (said := {text for text in texts if text is not None})
        }
        for process, names in seen.items()
    }


def _shown(call: Call, process: Process, takes: Takes) -> Iterator[tuple[str, str | None]]:
    """Yield each input with what a script shows of it where it is nothing; None where it is something."""
    given = call.arguments or [NO_TEXT] * (len(process.inputs) == 1)
    for n, taken in enumerate(process.inputs):
        argument = given[n] if n < len(given) else None
        inner = taken.inner if taken.name == "tuple" else [taken]
        nothing = set(_files(taken, argument or ""))
        kinds = _kinds(call, n, argument, takes)
        for one in inner:
            name = one.value.text if one.value is not None else ""
            if one.name in ("path", "file"):
                may_be = name in nothing and True in kinds
                is_sure = False not in kinds
                yield from [(name, "")] * may_be + [(name, None)] * (not may_be or not is_sure)
            elif taken.name in ("val", "each"):
                is_known = argument in (NO_TEXT, NO_FILE) or (argument is not None and _OPTION.fullmatch(argument))
                yield name, argument if is_known and len(given) == len(process.inputs) else None


def _unfit(call: Call, process: Process, params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each input with the texts that calls give it, or parameters by their defaults, and no hole takes."""
    for taken, values in zip(process.inputs, call.said.values, strict=False):
        name = taken.value.text if taken.value is not None else ""
        for one in values if taken.name in ("val", "each") and NAME.fullmatch(name) else ():
            param = _PARAM.fullmatch(one)
            text = one if param is None else nextflow_parameters.shown(nextflow_parameters.part(params, param[1]))
            is_template = text is not None and "@{" not in text and "\n" not in text
            if is_template and text and text != _NULL and not nextflow_commands.fits_hole(text):
                yield name, text


def _kinds(call: Call, n: int, argument: str | None, takes: Takes) -> frozenset[bool]:
    """Return whether an argument is nothing: True, False, or both."""
    if argument is not None and (known := takes.get((call.said.file, argument))) is not None:
        return known
    if n not in call.said.empties:
        return frozenset({False})
    shown = argument is not None and argument.startswith("[") and parts(argument[1:-1])
    return frozenset({True} if argument == NO_FILE or (shown and NO_FILE in shown) else {True, False})


def _files(taken: Said, argument: str) -> list[str]:
    """Return the names of files in an input that may be none: those that an argument shows, or all but the first."""
    inner = taken.inner if taken.name == "tuple" else [taken]
    shown = parts(argument[1:-1]) if taken.name == "tuple" and argument.startswith("[") else []
    if len(shown) == len(inner):
        return [name for one, text in zip(inner, shown, strict=True) if text == NO_FILE for name in _file(one)]
    names = [name for one in inner for name in _file(one)]
    return names[1:] if len(names) > 1 else names


def _file(one: Said) -> list[str]:
    is_named = one.name in ("path", "file") and one.value is not None and NAME.fullmatch(one.value.text)
    return [one.value.text] if is_named and one.value is not None else []


def _takes(all_calls: list[Call]) -> dict[tuple[str, str], frozenset[bool]]:
    """Return of what workflows take whether it is nothing, by their file and what they call it."""
    found: dict[tuple[str, str], frozenset[bool]] = {}
    for _ in range(FURTHEST):
        before = dict(found)
        for call in all_calls:
            if isinstance(call.called, Workflow):
                for n, take in enumerate(call.called.takes):
                    argument = call.arguments[n] if n < len(call.arguments) else None
                    place = (call.called.file, take)
                    found[place] = found.get(place, frozenset()) | _kinds(call, n, argument, before)
        if found == before:
            break
    return found


def _split(text: str) -> Iterator[str]:
    depth = begin = 0
    for n, letter in enumerate(text):
        depth += _BRACKETS.get(letter, 0)
        if letter == "," and depth == 0:
            yield text[begin:n]
            begin = n + 1
    yield text[begin:]
