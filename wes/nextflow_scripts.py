"""Judges the scripts of Nextflow's processes: what stands in them, what fills them, what the manifest binds (T18)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from wes import nextflow_content, nextflow_drafts, nextflow_options, nextflow_parameters
from wes.lint import Finding
from wes.manifest import Manifest
from wes.nextflow_commands import Commands, Template, filled, parse_commands
from wes.nextflow_outline import Hole, NextflowOutline, Process, Script
from wes.parameters import FILES
from wes.parameters import texts as parameter_texts
from wes.rules import WORK

_RUNNERS = re.compile(
    r"(?:^|[\s;|&(])(?:bash|sh|python3?|perl|Rscript|source|\.|awk -f|sed -f)\s+\$\{([A-Za-z_][A-Za-z0-9_]*)"
)
_FILLING = "x"


def judge(
    process: Process, manifest: Manifest | None, outline: NextflowOutline, known: nextflow_options.Known
) -> Iterator[Finding]:
    """Yield what there is to say of a process's scripts."""
    names = outline.names_of(process)
    for script in process.scripts:
        if script.kind == "computed":
            yield Finding("script-computed", process.file, script.line, process.name)
        yield from _content(process, script)
    bound = manifest is not None and not set(names) & manifest.processes.free
    for script in process.scripts:
        for part in script.parts:
            if part.hole is not None:
                yield from _filled(process, script, part.hole, manifest, bound=bound)
    if manifest is not None and process.kind != "exec":
        for name in names:
            said = nextflow_options.said_of(name, process, outline, known)
            yield from _against(process, name, manifest.processes, said)
            yield from _unfit(process, manifest, manifest.processes.templates.get(name, ()), said)


def _content(process: Process, script: Script) -> Iterator[Finding]:
    shown = script.shown()
    file, first = (process.file, script.line) if script.path is None else (script.path, 1)
    yield from nextflow_content.judge(shown, file, first)
    files = {one.value.text for one in process.takes() if one.name in ("path", "file") and one.value is not None}
    for one in _RUNNERS.finditer(shown):
        if one[1] in files:
            yield Finding("input-is-code", file, first + shown.count("\n", 0, one.start(1)), one[1][:80])


def _filled(
    process: Process, script: Script, hole: Hole, manifest: Manifest | None, *, bound: bool
) -> Iterator[Finding]:
    names, params = {*hole.names}, {*hole.params}
    for _ in process.locals:  # names stand on names: as often as there are some
        for one in process.locals:
            if one.name in names:
                names |= {*one.names}
                params |= {*one.params}
    if "secrets" in names:
        yield Finding("directive-refused", process.file, script.line, f"{process.name}: secrets")
    texts = parameter_texts(manifest.parameters) if manifest is not None else frozenset()
    for param in sorted(params):
        if manifest is None or any(_is_in(param, one) or _is_in(one, param) for one in texts):
            yield Finding("parameter-in-script", process.file, script.line, f"{process.name}: params.{param}"[:200])
    values = {one.value.text for one in process.takes() if one.name in ("val", "each") and one.value is not None}
    for name in sorted(names & values) if not bound else ():
        yield Finding("value-in-script", process.file, script.line, f"{process.name}: {name}"[:200])


def _is_in(part: str, whole: str) -> bool:
    """Say whether a parameter is one by this name, or a part or property of it."""
    return f"{part}.".startswith(f"{whole}.")


def _against(process: Process, name: str, commands: Commands, options: nextflow_options.Said) -> Iterator[Finding]:
    """Yield where what the manifest says of a process is not what the process would run."""
    place = (process.file, process.line, name)
    if name in commands.free:
        yield Finding("process-free", *place)
        if (word := nextflow_options.unsure_of(process, options)) is not None:
            yield Finding("word-unclear", process.file, process.line, f"{name}: {word}"[:200])
        return
    said = commands.templates.get(name)
    if said is None:
        yield Finding("process-missing", *place)
        return
    drafted = nextflow_drafts.draft_templates(process, options)
    if drafted is None:
        return  # `script-computed` says that people compare it
    own = parse_commands({name: drafted}, []).templates[name]
    for text, template in zip(drafted, own, strict=True):
        fitting = [one for one in said if one.fits(filled(text, _FILLING))]
        if not fitting:
            yield Finding("process-differs", *place)
        elif min(_holes(one) for one in fitting) > _holes(template) or not any(
            _literal(one) >= _literal(template) for one in fitting
        ):
            yield Finding("hole-wider", *place)


def _literal(template: Template) -> int:
    return sum(len(one) for text in template.texts() for one in text.literals)


def _holes(template: Template) -> int:
    return sum(len(text.many) for text in template.texts())


def _unfit(
    process: Process, manifest: Manifest, templates: Sequence[Template], options: nextflow_options.Said
) -> Iterator[Finding]:
    """Yield each value that the manifest's schema names for a parameter and no template takes in its place."""

    def is_taken(script: Script, given: Mapping[str, str]) -> bool:
        beside = nextflow_drafts.beside_of(process)
        forms = islice(nextflow_drafts.forms_of(script, process, options, given), nextflow_drafts.MOST_TEMPLATES)
        return any(one.fits(filled(beside + form, _FILLING)) for form in forms for one in templates)

    for script in process.scripts if templates else ():
        holes = [part.hole for part in script.parts if part.hole is not None]
        params = dict.fromkeys(
            name for hole in holes if (name := nextflow_drafts.param_of(hole, process)) is not None
        )
        if script.kind != "text" or not is_taken(script, {}):
            continue  # `process-differs` says so
        for name in params:
            for value in _named_values(manifest, name):
                if not is_taken(script, {name: value}):
                    about = f"{process.name}: params.{name}: {value!r}"
                    yield Finding("value-unfit", process.file, script.line, about[:200])


def _named_values(manifest: Manifest, name: str) -> list[str]:
    """Return the values that the manifest's schema itself names for a parameter, as a script shows them."""
    schema: Any = manifest.parameters
    for one in name.split("."):
        schema = (schema.get("properties") or {}).get(one) or {}
    values = [*(schema.get("enum") or []), *([schema["default"]] if "default" in schema else [])]
    if FILES in schema:
        values = [f"{WORK}inputs/{schema[FILES]}/{one}" for one in values]
    return list(dict.fromkeys(text for one in values if (text := nextflow_parameters.shown(one)) is not None))
