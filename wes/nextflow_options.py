"""Says what a process's script has from elsewhere: its shell, options by choice, and what `task.ext` gives it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wes import nextflow_parameters, nextflow_published, nextflow_settings
from wes.nextflow_outline import NextflowOutline, Process, Value

_EXT = re.compile(r"\(task\.ext\.(\w+)\) \? task\.ext\.(\w+) : (.*)", re.DOTALL)
_LIST = re.compile(r"\[([\w./-]+(?:, [\w./-]+)*)\]")
_PLAIN_EXT = re.compile(r"task\.ext\.(\w+)")
_CHOICE = re.compile(r"\(.*\) \? (.*) : (.*)", re.DOTALL)
_HOLE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}|\$([A-Za-z_]\w*)")
_OPTION = re.compile(r"-[A-Za-z0-9-][\w ./=,:+-]*")
_MADE = re.compile(r"\{ (?:[^{}]*-> )?\.\.\. \}.*\bjoin\b", re.DOTALL)  # a closure makes each word
_AN_OPTION = re.compile(r"(?:^|[?:(\[] )--?[A-Za-z]")


@dataclass(frozen=True)
class Known:
    """What is known of the whole workflow: its parameters where a run gives none."""

    params: Mapping[str, Any]


def known_of(outline: NextflowOutline) -> Known:
    """Return what is known of a workflow."""
    return Known(nextflow_parameters.defaults(outline))


@dataclass(frozen=True)
class Said:
    """What holds for a process under one of its names: `task.ext` by key (None: code makes it), and its shell."""

    ext: Mapping[str, tuple[str, ...] | None]
    shebang: str | None  # None: Nextflow's own
    known: Known


def said_of(name: str, process: Process, outline: NextflowOutline, known: Known) -> Said:
    """Return what the configuration and the process itself say of it under one of its names."""
    found: dict[str, tuple[str, ...] | None] = {}
    shell: str | None = None

    def note(key: str, value: Value) -> None:
        before = found.get(key, ())
        literal = value.literal
        found[key] = None if literal is None or before is None else (*before, literal)

    for said in process.all_of("shell"):
        shell = " ".join(str(one.value) for one in said.values)
    for one in nextflow_settings.read(outline).settings:
        if not nextflow_published.is_selected(one.selector, process, outline, name):
            continue
        if one.name.startswith("process.ext."):
            note(one.name.removeprefix("process.ext."), one.value)
        elif one.name == "process.shell" and (one.selector or shell is None):
            words = _LIST.fullmatch(one.value.text)
            shell = one.value.text if words is None else words[1].replace(", ", " ")
    for said in process.all_of("ext"):
        for key, value in said.named.items():
            note(key, value)
    shebang = None if shell is None else f"#!{shell}" if shell.startswith("/") else f"#!/usr/bin/env {shell}"
    return Said(found, shebang, known)


def are_unsure(process: Process, said: Said) -> bool:
    """Return whether code makes a word of a script that may be an option, which no hole would take."""
    locals_ = {one.name: one.text for one in process.locals}
    holes = [part.hole.text for script in process.scripts for part in script.parts if part.hole is not None]
    return any(_is_unsure(locals_.get(text, text), said) for text in (*holes, *locals_.values()))


def _is_unsure(text: str, said: Said) -> bool:
    if choices(text, said) is not None:
        return False
    ext = _EXT.fullmatch(text)
    if ext is not None and said.ext.get(ext[1], ()) is None and _is_option(ext[3]):
        return True
    return bool(_AN_OPTION.search(text) or _MADE.search(text))


def choices(text: str, said: Said) -> list[str] | None:
    """Return the texts, with @{holes}, that a value can be; None where it is plain words, or not known."""
    ext = _EXT.fullmatch(text)
    if ext is not None and ext[1] == ext[2]:
        return _of_ext(ext[1], ext[3], said)
    plain = _PLAIN_EXT.fullmatch(text)
    if plain is not None:
        return _of_ext(plain[1], None, said)
    between = _CHOICE.fullmatch(text)
    if between is None or not any(arm.startswith("-") for arm in between.groups()):
        return None
    arms = [_arm(arm) for arm in between.groups()]
    return None if None in arms else list(dict.fromkeys(arm for arm in arms if arm is not None))


def _of_ext(key: str, otherwise: str | None, said: Said) -> list[str] | None:
    given = said.ext.get(key, ())
    last = None if otherwise is None else _arm(otherwise)
    if given is None or (not given and last is None):
        return None
    # Plain words fit a hole, whatever they are; options are known by their letters.
    if not _is_option(otherwise) and all(not one.startswith("-") and " " not in one for one in given):
        return None
    return list(dict.fromkeys([*given, *([] if last is None else [last])]))


def _is_option(otherwise: str | None) -> bool:
    return otherwise is not None and (otherwise == "" or otherwise.startswith("-"))


def _arm(text: str) -> str | None:
    """Return an option as a template, or nothing as it is; None for what is neither."""
    if text == "":
        return ""
    pieces = _HOLE.split(text)
    literals = pieces[::3]
    if not _OPTION.match(text) or any(one and not re.fullmatch(r"[\w ./=,:+-]*", one) for one in literals):
        return None
    names = [
        (braced or bare or "").split(".")[-1].lower() for braced, bare in zip(pieces[1::3], pieces[2::3], strict=True)
    ]
    holes = [f"@{{{re.sub(r'[^a-z0-9_]', '_', name).strip('_') or 'value'}*}}" for name in names]
    return "".join(part for pair in zip(literals, [*holes, ""], strict=True) for part in pair)
