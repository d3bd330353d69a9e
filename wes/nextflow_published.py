"""Says which files of a run a Nextflow workflow publishes, as far as its code and configuration say."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice, product
from typing import Any

from wes import nextflow_channels, nextflow_parameters
from wes.nextflow_outline import NextflowOutline, Process, Said, Setting, Value

RESULTS = "results"  # Nextflow's own word for outputDir
MOST_FORMS = 100
_FILLED = re.compile(r"\$\{[^}]*\}")
_BRACES = re.compile(r"\{([^{}]*)\}")
_GLOB = re.compile(r"[A-Za-z0-9_*]+")


@dataclass(frozen=True)
class Published:
    """Files that are published: their folder, None if code makes it, and patterns of their paths in the run.

    Without a process the channel that holds them could not be followed.
    """

    file: str
    line: int
    about: str
    folder: str | None
    patterns: tuple[str, ...]
    process: Process | None


def published(outline: NextflowOutline, settings: list[Setting]) -> list[Published]:
    """Return what is published; `settings` are those of the configuration that Nextflow reads."""
    known = nextflow_parameters.defaults(outline)
    return [*_directives(outline, known), *_selectors(outline, settings, known), *_outputs(outline, settings, known)]


def _directives(outline: NextflowOutline, known: dict[str, Any]) -> Iterator[Published]:
    for process in outline.processes:
        for said in process.all_of("publishDir"):
            if not _is_off(said.named):
                value = said.value or said.named.get("path")
                yield _to_folder(process, process.file, said.line, _folder(value, known), said.named)


def _selectors(outline: NextflowOutline, settings: list[Setting], known: dict[str, Any]) -> Iterator[Published]:
    for one in settings:
        if one.name != "process.publishDir" or _is_off(one.named):
            continue
        value = one.named.get("path", one.value)
        for process in outline.processes:
            # A directive is in force where no selector names the process.
            if is_selected(one.selector, process, outline) and (one.selector or not process.all_of("publishDir")):
                yield _to_folder(process, one.file, one.line, _folder(value, known), one.named)


def is_selected(selector: str, process: Process, outline: NextflowOutline, name: str | None = None) -> bool:
    """Return whether a configuration's selector names a process, or one name of it; what is no pattern names all."""
    kind, _, pattern = selector.partition(":")
    names = outline.names_of(process) if name is None else [name]
    if kind == "withLabel":
        names = [str(one.value.value) for one in process.all_of("label") if one.value is not None]
    globs = [one.rpartition(":")[2].replace(".*", "*") for one in pattern.removeprefix("!").split("|")]
    if not kind or not all(_GLOB.fullmatch(one) for one in globs):
        return True
    return any(fnmatchcase(name, one) for name in names for one in globs) != pattern.startswith("!")


def _to_folder(process: Process, file: str, line: int, folder: str | None, named: Mapping[str, Value]) -> Published:
    only = named.get("pattern")
    if "saveAs" in named or (only is not None and only.value is None):
        names = ["**"]
    elif only is not None:
        names = list(plain(str(only.value)))
    else:
        names = [name for one in process.makes() for name in _names(one)]
    patterns = () if folder is None else tuple(dict.fromkeys(_joined(folder, name) for name in names))
    return Published(file, line, process.name, folder, patterns, process)


def _outputs(outline: NextflowOutline, settings: list[Setting], known: dict[str, Any]) -> Iterator[Published]:
    named = nextflow_channels.names(outline)
    given = next((one.value for one in reversed(settings) if one.name == "outputDir" and not one.selector), None)
    top = RESULTS if given is None else _folder(given, known)
    declared = {one.name: one for one in outline.outputs}
    for workflow in outline.workflows:
        for channel in workflow.publishes:
            said = declared.get(channel.name)
            if said is None or any(_is_no(one.value) for one in said.directives if one.name == "enabled"):
                continue
            paths = [one for one in said.directives if one.name == "path"]
            line = paths[-1].line if paths else channel.line
            below = "." if not paths else _folder(paths[-1].value, known)
            folder = None if below is None or top is None else _joined(top, below)
            sources = nextflow_channels.follow(channel, workflow, named)
            if sources is None:
                unknown = () if folder is None else (_joined(folder, "**"),)
                yield Published(said.file, line, said.name, folder, unknown, None)
                continue
            by_process: dict[str, tuple[Process, list[str]]] = {}
            for one in sources:
                outputs = one.output.inner if one.output.name == "tuple" else [one.output]
                files = [name for part in outputs for name in _names(part)]
                by_process.setdefault(f"{one.process.file} {one.process.name}", (one.process, []))[1].extend(files)
            for process, files in by_process.values():
                patterns = () if folder is None else tuple(dict.fromkeys(_joined(folder, name) for name in files))
                yield Published(said.file, line, said.name, folder, patterns, process)


def _folder(value: Value | None, known: dict[str, Any]) -> str | None:
    if value is None:
        return None
    if value.kind not in ("text", "template"):
        said = known.get(value.text.removeprefix("params.")) if value.text.startswith("params.") else None
        return _plain(said) if isinstance(said, str) else None
    return _plain(_FILLED.sub("*", nextflow_parameters.filled(str(value.value), known)))


def _plain(folder: str) -> str:
    return folder if "://" in folder else posixpath.normpath(folder)


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else folder if name == "." else f"{folder}/{name}"


def _is_off(named: Mapping[str, Value]) -> bool:
    return _is_no(named.get("enabled"))


def _is_no(value: Value | None) -> bool:
    return value is not None and value.value is False


def _names(output: Said) -> Iterator[str]:
    if output.name in ("path", "file"):
        value = output.value
        yield from ["*"] if value is None or value.value is None else plain(str(value.value))


def plain(pattern: str) -> Iterator[str]:
    """Yield a pattern of Nextflow's without braces; `*` for what it takes from a value, `**` across folders."""
    pieces = _BRACES.split(_FILLED.sub("*", pattern))
    choices = [[piece] if n % 2 == 0 else piece.split(",") for n, piece in enumerate(pieces)]
    for choice in islice(product(*choices), MOST_FORMS):
        yield re.sub(r"\*{2,}", "**", "".join(choice).replace("?", "*"))
