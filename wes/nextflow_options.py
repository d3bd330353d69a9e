"""Says what a process's script has from elsewhere: its shell, options by choice, and what `task.ext` gives it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wes import (
    nextflow_calls,
    nextflow_choices,
    nextflow_commands,
    nextflow_parameters,
    nextflow_published,
    nextflow_settings,
)
from wes.nextflow_choices import Word
from wes.nextflow_outline import Hole, Local, NextflowOutline, Process, Value

_EXT = re.compile(r"\(task\.ext\.(\w+)\) \? task\.ext\.(\w+) : (.*)", re.DOTALL)
_PLACE = re.compile(r"\$\{([^}]*)\}")  # as the outline has it
_HOLE = re.compile(r"@\{[a-z0-9_]+\*\}")
_LIST = re.compile(r"\[([\w./-]+(?:, [\w./-]+)*)\]")
_PLAIN_EXT = re.compile(r"task\.ext\.(\w+)")
_CALL = re.compile(r"\bthis\.(\w+)\(")
_MADE = re.compile(r"\{ (?:[^{}]*-> )?\.\.\. \}.*\bjoin\b", re.DOTALL)  # a closure makes each word
_AN_OPTION = re.compile(r"(?:^\(*|[?:(\[] )--?[A-Za-z]")
_PARAM = re.compile(r"params\.([\w.]+)")


@dataclass(frozen=True)
class Known:
    """What is known of the whole workflow: its parameters where a run gives none, and its own functions' names."""

    params: Mapping[str, Any]
    functions: frozenset[str]
    nothings: Mapping[str, Mapping[str, nextflow_calls.Nothing]]  # by a process's name, which inputs may be nothing


def known_of(outline: NextflowOutline) -> Known:
    """Return what is known of a workflow."""
    own = {one.name for one in outline.functions}
    included = {new for one in outline.includes for old, new in one.names if old in own}
    nothings = nextflow_calls.nothings(outline)
    return Known(nextflow_parameters.defaults(outline), frozenset(own | included), nothings)


@dataclass(frozen=True)
class Said:
    """What holds for a process under one of its names: `task.ext` by key (None: code makes it), and its shell."""

    ext: Mapping[str, tuple[str, ...] | None]
    always: frozenset[str]  # keys of `ext` that are set, whatever else selects the process
    shebang: str | None  # None: Nextflow's own
    known: Known
    nothings: Mapping[str, nextflow_calls.Nothing]  # inputs that are nothing in a call


def said_of(name: str, process: Process, outline: NextflowOutline, known: Known) -> Said:
    """Return what the configuration and the process itself say of it under one of its names."""
    found: dict[str, tuple[str, ...] | None] = {}
    always: set[str] = set()
    shell: str | None = None

    def note(key: str, value: Value) -> None:
        before = found.get(key, ())
        texts = _texts(value)
        found[key] = None if texts is None or before is None else tuple(dict.fromkeys((*before, *texts)))

    for said in process.all_of("shell"):
        shell = " ".join(str(one.value) for one in said.values)
    for one in nextflow_settings.read(outline).settings:
        if not nextflow_published.is_selected(one.selector, process, outline, name):
            continue
        if one.name.startswith("process.ext."):
            key = one.name.removeprefix("process.ext.")
            note(key, one.value)
            always |= {key} if one.selector in ("", f"withName:{name}") else set()
        elif one.name == "process.shell" and (one.selector or shell is None):
            words = _LIST.fullmatch(one.value.text)
            shell = one.value.text if words is None else words[1].replace(", ", " ")
    for said in process.all_of("ext"):
        for key, value in said.named.items():
            note(key, value)
            always.add(key)
    shebang = None if shell is None else f"#!{shell}" if shell.startswith("/") else f"#!/usr/bin/env {shell}"
    return Said(found, frozenset(always), shebang, known, known.nothings.get(name, {}))


def _texts(value: Value) -> list[str] | None:
    """Return the texts that a value can be, with @{holes}; None if code makes others."""
    if value.literal is not None:
        return [value.literal]
    if value.kind == "number" and (shown := nextflow_parameters.shown(value.value)) is not None:
        return [shown]
    return templates(value.forms)


def templates(forms: Sequence[str] | None) -> list[str] | None:
    """Return texts with ${names} as templates with @{holes}; None where one is no template."""
    if forms is None or any("@{" in one or "\n" in one for one in forms):
        return None
    return [_PLACE.sub(lambda found: f"@{{{_hole_of(found[1])}*}}", one) for one in forms]


def _hole_of(path: str) -> str:
    return nextflow_commands.hole_name(path.rpartition(".")[2])


def unsure_of(process: Process, said: Said) -> str | None:
    """Return a word of a script that may be nothing, several words or an option, which no hole would take."""
    holes = [part.hole for script in process.scripts for part in script.parts if part.hole is not None]
    todo: list[Hole | Local] = [one for one in holes if one.choices is None]
    seen: set[str] = set()
    while todo:
        one = todo.pop()
        # The source of a hole of shell: is told as it is.
        if (process.kind == "shell" and "?" in one.text and isinstance(one, Hole)) or _is_unsure(one, said):
            return one.text
        shown = " ".join(nextflow_choices.arms(one.text) or [one.text])
        for name in {*one.names} - seen:
            if re.search(rf"\b{re.escape(name)}\b", shown):
                seen.add(name)
                given = [local for local in process.locals if local.name == name]
                # A name with two values is not a choice that one place shows.
                if len(given) > 1 and any(_is_more_than_words(local, said) for local in given):
                    return name
                # By itself it is one of its forms; what code makes of it has to be words.
                if any(not _is_told(local, alone=one.text == name) for local in given if local.forms is not None):
                    return name
                todo += [local for local in given if local.choices is None and local.forms is None]
    return None


def _is_told(local: Local, *, alone: bool) -> bool:
    told = templates(local.forms)
    return told is not None and (alone or all(nextflow_commands.fits_hole(_HOLE.sub("x", one)) for one in told))


def _is_unsure(one: Hole | Local, said: Said) -> bool:
    if choices(one, said, "") is not None:
        return False
    ext = _EXT.fullmatch(one.text)
    if ext is not None and said.ext.get(ext[1], ()) is None and _is_option(ext[3]):
        return True
    return Word.UNCLEAR in _forms(one, said).values()


def _is_more_than_words(local: Local, said: Said) -> bool:
    if local.choices is not None:
        return not all(map(nextflow_commands.fits_hole, local.choices))
    return _is_unsure(local, said) or choices(local, said, "") is not None


def choices(one: Hole | Local, said: Said, hole: str) -> list[str] | None:
    """Return the texts, with @{holes}, that a value can be; None where it is plain words, or not known.

    `hole` stands where one of them is plain words.
    """
    ext = _EXT.fullmatch(one.text)
    if ext is not None and ext[1] == ext[2]:
        found = _of_ext(ext[1], ext[3], said)
        if found is not None or _is_option(ext[3]):
            return found
    plain = _PLAIN_EXT.fullmatch(one.text)
    if plain is not None:
        return _of_ext(plain[1], None, said)
    forms: list[str | Word] = []
    for arm, form in _forms(one, said).items():
        param = _PARAM.fullmatch(arm)
        default = None if param is None else unfit(param[1], said)
        forms += [form] if default is None else [default, form]
    if Word.UNCLEAR in forms or all(form is Word.PLAIN for form in forms):
        return None
    return list(dict.fromkeys(hole if isinstance(form, Word) else form for form in forms))


def _forms(one: Hole | Local, said: Said) -> dict[str, str | Word]:
    """Return what each arm of a choice is, or the value itself if it is none."""
    arms = nextflow_choices.arms(one.text)
    if arms is None:
        return {one.text: Word.UNCLEAR}
    forms = {arm: nextflow_choices.form(arm, one.names, is_choice=len(arms) > 1) for arm in arms}
    for arm, form in forms.items():
        is_called = any(name in said.known.functions for name in _CALL.findall(arm))
        if form is Word.PLAIN and (is_called or _AN_OPTION.search(arm) or _MADE.search(arm)):
            forms[arm] = Word.UNCLEAR
    return forms


def unfit(param: str, said: Said) -> str | None:
    """Return a parameter's default as a script shows it, if it is known and fits no hole."""
    default = nextflow_parameters.shown(nextflow_parameters.part(said.known.params, param))
    if default is None or nextflow_commands.fits_hole(default) or "@{" in default or "\n" in default:
        return None  # the lines of a text are stripped with the script's
    return default


def _of_ext(key: str, otherwise: str | None, said: Said) -> list[str] | None:
    given = said.ext.get(key, ())
    last = nextflow_choices.form(otherwise, ["task"], is_choice=True) if otherwise is not None else None
    last = last if isinstance(last, str) else None
    if last is not None and given and all(given) and key in said.always:
        last = None
    if given is None or (not given and last is None):
        return None
    # Plain words fit a hole, whatever they are; options are known by their letters.
    if not _is_option(otherwise) and all(nextflow_commands.fits_hole(_HOLE.sub("x", one)) for one in given):
        return None
    return list(dict.fromkeys([*given, *([] if last is None else [last])]))


def _is_option(otherwise: str | None) -> bool:
    return otherwise is not None and (otherwise == "" or otherwise.startswith("-"))
