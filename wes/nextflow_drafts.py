"""Drafts what a manifest says of a Nextflow workflow, from its outline; its author fills it in (T18)."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from itertools import islice, product
from typing import Any

from strongroom.errors import BadRequest
from wes import (
    nextflow_choices,
    nextflow_commands,
    nextflow_files,
    nextflow_options,
    nextflow_parameters,
    nextflow_published,
    nextflow_settings,
    sheets,
)
from wes.draft_manifest import LATER, OURS, head, schema_of, slots
from wes.nextflow_outline import Hole, NextflowOutline, Process, Script
from wes.rules import WORKFLOW

MOST_TEMPLATES = 20  # as wes.nextflow_commands
MOST_LINES = 100
_ORDERED = re.compile(r"([A-Za-z_]\w*)\s*\.\s*(?:sort|unique)\b.*", re.DOTALL)  # still files with a space between
_JOINS = re.compile(r"\bjoin\b|\btask\.ext\b")
_WITH_UNIT = frozenset({"task.memory", "task.disk", "task.time"})  # 2 GB are two words
_FOLDER = frozenset({"projectDir", "baseDir", "workflow.projectDir"})
_PARAM = re.compile(r"params\.([\w.]+)")
_ASKED = re.compile(r"\((\w+)\) \? ")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_BARE = re.compile(r"\$\{?(\w+)\}?")
_MATCH = re.compile(r"(?:[A-Za-z0-9*][A-Za-z0-9._*-]*/)*[A-Za-z0-9*][A-Za-z0-9._*-]*")  # as airlock.contract


def draft(
    outline: NextflowOutline, said: Mapping[str, Any], *, folder: Sequence[str], version: str
) -> dict[str, Any]:
    """Return a manifest: what `said` says is kept, but for its commands, which are always drafted anew."""
    files = nextflow_files.wanted(outline)
    if said.get("inputs"):
        known = {str(one.get("name")) for one in said["inputs"]}
        files = [one for one in files if one.slot in known]
    drafted = head(folder, engine={"name": "nextflow", "version": version}, entry="main.nf") | {
        "images": images(outline),
        "inputs": slots(one.name for one in outline.params) + [slot for one in files for slot in one.slots()],
        "parameters": parameters(outline, files),
        "targets": "full",
        "outputs": outputs(outline),
    }
    told = nextflow_files.with_slots(outline, {one.param: one.slot for one in files})
    clear = sheets.draft(told, said.get("inputs") or drafted["inputs"], said.get("clear") or [])
    drafted["inputs"] = sheets.narrowed(drafted["inputs"], clear)
    kept = {name: said.get(name) or value for name, value in drafted.items()} | ({"clear": clear} if clear else {})
    rest = {name: value for name, value in said.items() if name not in (*kept, "processes", "free_commands")}
    return {**kept, **rest, **draft_commands(outline)}


def draft_commands(outline: NextflowOutline) -> dict[str, Any]:
    """Return `processes` and `free_commands`: templates for each process whose texts are known."""
    processes: dict[str, Any] = {}
    free: list[str] = []
    known = nextflow_options.known_of(outline)
    for process in outline.processes:
        if process.kind == "exec":
            continue
        for name in outline.names_of(process):
            said = nextflow_options.said_of(name, process, outline, known)
            templates = draft_templates(process, said)
            if templates is None or nextflow_options.unsure_of(process, said) is not None:
                free.append(name)
            else:
                processes[name] = templates[0] if len(templates) == 1 else templates
    return {"processes": processes, "free_commands": sorted(set(free) - set(processes))}


def draft_templates(process: Process, said: nextflow_options.Said) -> list[str] | None:
    """Return the templates of a process; None if code makes its script, or more forms than a manifest holds.

    `said` is what holds for it under one of its names.
    """
    variables = process.variables()
    if any(map(nextflow_commands.is_obeyed, variables)):
        return None
    beside = beside_of(process)
    templates: dict[str, None] = {}
    for script in process.scripts:
        forms = list(islice(forms_of(script, process, said), MOST_TEMPLATES + 1))
        if len(forms) > MOST_TEMPLATES and said.nothings:
            said = replace(said, nothings={name: one for name, one in said.nothings.items() if one.is_always})
            forms = list(islice(forms_of(script, process, said), MOST_TEMPLATES + 1))
        if len(forms) > MOST_TEMPLATES:  # then a parameter is its default alone, where that fits no hole
            params = {param_of(part.hole, process) for part in script.parts if part.hole is not None}
            given = {
                one: value
                for one in params
                if one is not None and (value := nextflow_options.unfit(one, said)) is not None
            }
            forms = list(islice(forms_of(script, process, said, given), MOST_TEMPLATES + 1))
        if script.kind != "text" or not forms or len(forms) > MOST_TEMPLATES:
            return None
        templates |= dict.fromkeys(beside + form for form in forms)
    try:
        nextflow_commands.parse_commands({"X": list(templates)}, [])
    except BadRequest:
        return None
    return list(templates)


def beside_of(process: Process) -> str:
    """Return what stands above a process's script in its template."""
    return nextflow_commands.beside(process.variables(), reads_stdin=process.reads_stdin())


def forms_of(
    script: Script, process: Process, said: nextflow_options.Said, given: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yield the script once for each choice between literals in it, its other holes as @{holes}.

    `given` are values of parameters, which stand as they are.
    """
    choices: dict[str, list[str]] = {}
    pieces: list[tuple[str, str]] = []
    for number, part in enumerate(script.parts):
        if part.hole is None:
            if "@{" in (part.text or ""):
                return
            pieces.append(("", part.text or ""))
            continue
        # A name is the same wherever it stands in one script; what code makes may be another at each place.
        key = part.hole.text if _NAME.fullmatch(part.hole.text) else f"{number} {part.hole.text}"
        pieces.append((key, ""))
        if key not in choices:
            param = param_of(part.hole, process)
            value = None if param is None or given is None else given.get(param)
            found = _choices(part.hole, process, said) if value is None else [value]
            choices[key] = found or [f"@{{{_name(part.hole)}{_star(part.hole, process)}}}"]
            nothing = said.nothings.get(part.hole.text)
            if nothing is not None:
                choices[key] = [*([] if nothing.is_always else choices[key]), *nothing.texts]
    for choice in product(*choices.values()):
        chosen = dict(zip(choices, choice, strict=True))
        text = "".join(chosen.get(key, text) for key, text in pieces).strip()
        if text:
            first = "" if said.shebang is None or text.startswith("#!") else f"{said.shebang}\n"
            yield f"{first}{text}\n"


def _choices(hole: Hole, process: Process, said: nextflow_options.Said) -> list[str] | None:
    if hole.choices is not None:
        return list(dict.fromkeys(hole.choices))
    local = [one for one in process.locals if one.name == hole.text]
    # A name with two values is not a choice that one place shows.
    if len(local) == 1 and local[0].choices is not None:
        return list(dict.fromkeys(local[0].choices))
    if len(local) == 1 and (forms := nextflow_options.templates(local[0].forms)) is not None:
        return forms
    if (folder := _folder(hole, process)) is not None:
        return [folder]
    one = local[0] if len(local) == 1 else hole
    asked = _ASKED.match(one.text)
    nothing = None if asked is None else said.nothings.get(asked[1])
    if nothing is not None and nothing.is_always and {*nothing.texts} <= {"", "[]"}:
        arms = nextflow_choices.arms(one.text)
        if arms is not None and len(arms) == 2 and (last := nextflow_choices.form(arms[1], (), is_choice=True)) == "":
            return [last]
    return nextflow_options.choices(one, said, f"@{{{_name(hole)}{_star(hole, process)}}}")


def _folder(hole: Hole, process: Process) -> str | None:
    """Return the folder that a hole always is: the workflow's, or its module's."""
    own = {one.name for one in process.locals} | {one.value.text for one in process.takes() if one.value is not None}
    if hole.text in own:
        return None
    if hole.text == "moduleDir":
        return posixpath.join(WORKFLOW, posixpath.dirname(process.file)).rstrip("/")
    return WORKFLOW.rstrip("/") if hole.text in _FOLDER else None


def param_of(hole: Hole, process: Process) -> str | None:
    """Return the parameter, as a.b, that a hole is, by itself or by a name that the script's code gives it."""
    local = [one.text for one in process.locals if one.name == hole.text]
    found = _PARAM.fullmatch(hole.text if not local else local[0] if len(local) == 1 else "")
    return None if found is None else found[1]


def _name(hole: Hole) -> str:
    said = (hole.params or [hole.text.removeprefix("task.")])[0] if hole.params else hole.text.removeprefix("task.")
    is_path = hole.params or re.fullmatch(r"workflow(?:\.\w+)+", said)
    first = said.split(".")[-1] if is_path else re.split(r"[^A-Za-z0-9_]", said.strip("( "))[0]
    return nextflow_commands.hole_name(first)


def _star(hole: Hole, process: Process) -> str:
    """Say whether several words may stand in a hole: files of one input, and lists that code joins."""
    texts = [hole.text, *(one.text for one in process.locals if one.name in hole.names)]
    if any(_JOINS.search(text) for text in texts):
        return "*"
    if hole.text in _WITH_UNIT:
        return "*"
    files = {one.value.text for one in process.takes() if one.name in ("path", "file") and one.value is not None}
    arms = [_BARE.sub(r"\1", arm) for text in texts for arm in nextflow_choices.arms(text) or ()]
    return "*" if any(text in files or _is_ordered(text, files) for text in arms) else ""


def _is_ordered(text: str, files: Set[str]) -> bool:
    found = _ORDERED.fullmatch(text)
    return found is not None and found[1] in files


def images(outline: NextflowOutline) -> list[str]:
    """Return the images that processes name literally."""
    said = [one.value for process in outline.processes for one in process.all_of("container")]
    said += [one.value for one in nextflow_settings.read(outline).says("process.container")]
    return list(dict.fromkeys(name for one in said if one is not None and (name := one.image) is not None))


def parameters(outline: NextflowOutline, files: Sequence[nextflow_files.Wanted] = ()) -> dict[str, Any]:
    """Return the schema of what else the workflow reads of its parameters; `files` are those that have slots."""
    known = nextflow_parameters.defaults(outline)
    properties = {key: _schema(value) for key, value in sorted(known.items()) if key not in OURS}
    properties |= {one.param: one.schema() for one in files}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _schema(value: Any) -> dict[str, Any]:
    return _map(value) if isinstance(value, dict) else schema_of(value)


def _map(value: Mapping[str, Any]) -> dict[str, Any]:
    computed = sorted(key for key, one in value.items() if not nextflow_parameters.is_whole(one))
    properties = {key: _schema(one) for key, one in sorted(value.items())}
    said = {"description": LATER, "type": "object", "additionalProperties": False, "properties": properties}
    if computed:
        # Who gives a part of such a map gives the rest too: nobody knows it outside of the workflow.
        return said | {"required": computed}
    default = nextflow_parameters.settled(value)
    return said if default is None else said | {"default": default}


def outputs(outline: NextflowOutline) -> list[dict[str, Any]]:
    """Return a contract that lets nothing out: one line for each file that the workflow publishes."""
    lines: dict[str, dict[str, Any]] = {}
    for one in nextflow_published.published(outline, nextflow_settings.read(outline).settings):
        for match in (pattern.replace("**", "*") for pattern in one.patterns):
            if _MATCH.fullmatch(match) and match not in lines:
                rule = {} if one.process is None else {"rule": outline.names_of(one.process)[0]}
                lines[match] = {"match": match, "description": LATER, "release": "inside", **rule}
    return list(lines.values())[:MOST_LINES]
