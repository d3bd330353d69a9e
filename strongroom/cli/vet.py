"""Reads a workflow for `strongroom workflow vet`: its findings on the screen, and a manifest drafted into a file."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from strongroom.cli.changes import plain
from strongroom.cli.client import out
from strongroom.errors import BadRequest, StrongroomError
from strongroom.settings import Settings
from wes import draft_manifest, nextflow_drafts, nextflow_lint, outlining, raw_inputs
from wes.catalogue import MANIFEST
from wes.lint import Finding, lint
from wes.lint_table import TABLE, Severity
from wes.manifest import Manifest, parse_manifest
from wes.outline import Outline
from wes.reading import NotRead

ENTRIES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
COLOURS = {Severity.ERROR: "red", Severity.LOOK: "yellow", Severity.HINT: "dim"}


@dataclass(frozen=True)
class Seen:
    """What reading a folder gave; profiles have no findings."""

    findings: list[Finding]
    free: list[str]

    def errors(self) -> list[Finding]:
        """Return what must be cured before anybody signs."""
        return [one for one in self.findings if one.severity is Severity.ERROR]


def read(settings: Settings, folder: Path, images: dict[str, str]) -> Seen:
    """Return the findings about a workflow's folder, and the rules whose commands are free."""
    if not (folder / MANIFEST).is_file():
        return Seen([], [])
    manifest = parse_manifest((folder / MANIFEST).read_text())
    free = manifest.free()
    return Seen(_lint(settings, folder, manifest, images), free)


def _lint(settings: Settings, folder: Path, manifest: Manifest, images: dict[str, str]) -> list[Finding]:
    try:
        if manifest.engine == "nextflow":
            found = outlining.nextflow_outline(settings, folder, entry=manifest.entry)
            return nextflow_lint.lint(found, manifest, images)
        return lint(outlining.outline(settings, folder, engine="snakemake", entry=manifest.entry), manifest, images)
    except NotRead as error:
        return [Finding("reader-failed", manifest.entry, 0, error.detail[-200:])]


def draft(settings: Settings, folder: Path, target: Path, *, versions: dict[str, str]) -> list[Finding]:
    """Write a manifest for an author to edit into `target`; return what there is to say of the workflow itself.

    `versions` are the engines' by their names.
    """
    if target.exists():
        raise BadRequest("--draft: this file exists, and a draft overwrites nothing; name another.")
    said: dict[str, Any] = {}
    if (folder / MANIFEST).is_file():
        said = yaml.safe_load((folder / MANIFEST).read_text()) or {}
    engine = _engine(folder, said)
    names = folder.absolute().parts[-2:]
    if engine == "nextflow":
        read_ = outlining.nextflow_outline(settings, folder, entry=str(said.get("entry", "main.nf")))
        drafted = nextflow_drafts.draft(read_, said, folder=names, version=versions[engine])
        found = nextflow_lint.lint(read_, None, {})
    else:
        entry = str(said.get("entry") or _snakefile(folder) or ENTRIES[0])
        outline = outlining.outline(settings, folder, engine=engine, entry=entry)
        drafted = draft_manifest.draft(outline, said, folder=names, version=versions[engine], entry=entry)
        more, stubs = dict[str, list[Any]](), list[str]()
        if not said.get("inputs"):
            more, stubs = _missing(settings, folder, outline, drafted)
        drafted = _as_opened(settings, folder, outline, said, drafted, more=more, stubs=stubs)
        if not drafted["outputs"]:
            drafted["outputs"] = _outputs(settings, folder, outline, drafted, stubs)
        found = lint(outline, None, {})
    target.write_text(yaml.dump(drafted, Dumper=_Lines, sort_keys=False, allow_unicode=True, width=110))
    return found


class _Lines(yaml.SafeDumper):
    """Writes texts of several lines line by line."""


_Lines.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _engine(folder: Path, said: dict[str, Any]) -> str:
    """Return whose workflow it is: what its manifest says, or the file that it begins with."""
    known = said.get("engine")
    if isinstance(known, dict) and known.get("name") in ("nextflow", "snakemake"):
        return str(known["name"])
    is_nextflow = (folder / "main.nf").is_file() and _snakefile(folder) is None
    return "nextflow" if is_nextflow else "snakemake"


def _snakefile(folder: Path) -> str | None:
    """Return where a Snakemake workflow begins, as Snakemake itself looks for it."""
    return next((entry for entry in ENTRIES if (folder / entry).is_file()), None)


def _missing(
    settings: Settings, folder: Path, found: Outline, drafted: dict[str, Any]
) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the inputs and work that a draft needs for files that no rule makes, and these files."""
    config, inputs = draft_manifest.rehearsal(drafted)
    work, entry = list(drafted.get("work", [])), drafted["entry"]
    globbed = raw_inputs.globbed(found, draft_manifest.STUB, draft_manifest.STUBS)
    try:
        missing = outlining.missing(
            settings, folder, entry=entry, config=config, inputs=[*inputs, *globbed], work=work
        )
    except StrongroomError:
        missing = []  # the dry run for the contract says why
    own = raw_inputs.own(folder, sorted(missing))
    raw = [path for path in dict.fromkeys([*globbed, *missing]) if path not in own and raw_inputs.is_raw(path)]
    taken = [str(one["name"]) for one in drafted["inputs"]]
    slots = raw_inputs.slots(raw, later=draft_manifest.LATER, stub=draft_manifest.STUB, taken=taken)
    return {"inputs": slots, "work": own}, raw


def _as_opened(
    settings: Settings,
    folder: Path,
    found: Outline,
    said: dict[str, Any],
    drafted: dict[str, Any],
    *,
    more: dict[str, list[Any]],
    stubs: list[str],
) -> dict[str, Any]:
    """Return the draft with a grant for what a dry run opened as well, and say where it opened nothing."""
    names, entry, engine = folder.absolute().parts[-2:], drafted["entry"], drafted["engine"]["version"]
    again = partial(draft_manifest.draft, found, said, folder=names, version=engine, entry=entry, more=more)
    drafted = again()
    config, inputs = draft_manifest.rehearsal(drafted)
    inputs, work = list(dict.fromkeys([*inputs, *stubs])), drafted.get("work", [])
    try:
        paths, whole = outlining.opened(settings, folder, entry=entry, config=config, inputs=inputs, work=work)
    except StrongroomError:
        return drafted  # the dry run for the contract says why
    slots = {path.split("/")[1] for path in paths if path.startswith("inputs/")}
    opened = again(opened=sorted(slots))
    unopened = [str(one["input"]) for one in opened.get("clear", ()) if one["input"] not in slots]
    if whole and unopened:
        out.print(
            f"The dry run opened no file of {plain(', '.join(unopened))}: take the grant under clear out, "
            "unless other parameters lead there."
        )
    return opened


def _outputs(
    settings: Settings, folder: Path, found: Outline, drafted: dict[str, Any], stubs: list[str]
) -> list[dict[str, Any]]:
    config, inputs = draft_manifest.rehearsal(drafted)
    inputs = list(dict.fromkeys([*inputs, *stubs]))
    try:
        planned = outlining.plan(
            settings,
            folder,
            engine="snakemake",
            entry=drafted["entry"],
            config=config,
            inputs=inputs,
            work=drafted.get("work", []),
        )
    except StrongroomError as error:
        out.print(
            f"The dry run for the contract did not succeed; write outputs by hand. {plain(error.detail[-600:])}"
        )
        return []
    return draft_manifest.outputs(found, planned)


def show(findings: list[Finding]) -> None:
    """Print findings: the grave first, each with its reason and cure."""
    if not findings:
        out.print("No findings.")
        return
    table = Table("", "Where", "What", "Why, and what to do")
    order = list(Severity)
    for one in sorted(findings, key=lambda f: (order.index(f.severity), f.file, f.line)):
        entry = TABLE[one.code]
        word = f"[{COLOURS[one.severity]}]{one.severity.value}[/]"
        place = f"{one.file}:{one.line}" if one.line else one.file
        table.add_row(word, place, plain(f"{one.code}: {one.about}"), f"{entry.reason} {entry.cure}")
    out.print(table)
