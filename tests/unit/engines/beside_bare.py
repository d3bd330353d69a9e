"""Runs a Snakemake workflow by its draft, in the tests' house and bare, and holds the files of both side by side."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from engine_room import PYTHON, Room
from test_what_is_sent_is_bound import sent

from strongroom.cli import vet
from strongroom.settings import Settings
from wes.bound import asked_of, check_command
from wes.commands import parse_commands
from wes.engines.snakemake import written
from wes.lint import Finding, lint
from wes.lint_table import TABLE, Severity
from wes.manifest import check_parameters, parse_manifest
from wes.outlining import outline
from wes.rules import WORK

SETTINGS = Settings()


@dataclass(frozen=True)
class Beside:
    """What a draft says, what vetting finds about it, what bare Snakemake made, and the jobs that were sent."""

    drafted: dict[str, Any]
    found: list[Finding]
    made: dict[str, str]
    jobs: list[dict[str, Any]]

    def rules(self) -> set[str]:
        """Return the rules that had jobs."""
        return {job["tags"]["rule"] for job in self.jobs}


def vetted(room: Room, files: dict[str, str], target: Path) -> tuple[dict[str, Any], list[Finding]]:
    """Write the workflow's folder; return its draft, and what vetting says of both."""
    for path, text in files.items():
        (room.flow / path).parent.mkdir(parents=True, exist_ok=True)
        (room.flow / path).write_text(text)
    entry = entry_of(files)
    (room.flow / entry).write_text('container: "genomics"\n' + files[entry])
    vet.draft(SETTINGS, room.flow, target, versions={"snakemake": "9.27.1"})
    drafted = yaml.safe_load(target.read_text())
    manifest = parse_manifest(target.read_text())
    seen = outline(SETTINGS, room.flow, engine="snakemake", entry=entry)
    return drafted, lint(seen, manifest, {"genomics": "x"})


def entry_of(files: dict[str, str]) -> str:
    """Return where a workflow of these files begins."""
    return next(entry for entry in vet.ENTRIES if entry in files)


def run_beside(room: Room, tmp_path: Path, files: dict[str, str], data: dict[str, str] | None = None) -> Beside:
    """Run a workflow twice, and assert that names and contents of its files are the same; `data` is no vetter's."""
    drafted, found = vetted(room, files, tmp_path / "manifest.yaml")
    assert [one for one in found if TABLE[one.code].severity is Severity.ERROR] == []
    laid, bare = drafted.get("work", []), tmp_path / "bare"
    for path in laid:
        for tree in (room.view, room.plain, bare):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(files[path])
    config = check_parameters(parse_manifest(yaml.safe_dump(drafted)), {})
    (room.flow / "given.yaml").write_text(yaml.safe_dump(config))
    for path, text in (data or {}).items():
        room.give(path, text)
        (bare / path).parent.mkdir(parents=True, exist_ok=True)
        (bare / path).write_text(text)
    entry = entry_of(files)
    flags = ("--configfile", str(room.flow / "given.yaml"), "--strongroom-folder", str(room.flow))
    outcome = room.run(files[entry], *flags, entry=entry)
    assert outcome.code == 0, outcome.text

    bare.mkdir(exist_ok=True)
    words = [str(PYTHON), "-m", "snakemake", "-s", str(room.flow / entry), "-d", str(bare), "--cores", "2"]
    home = {"PATH": "/usr/bin:/bin", "HOME": str(bare)}
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=home)
    assert done.returncode == 0, done.stderr
    made = {path: (bare / path).read_text() for path in _names(bare)}
    assert _names(room.view) == set(made)
    jobs = sent(room)
    touched = {path.removeprefix(WORK) for job in jobs for path in job["touch"]}  # empty, and made by no task
    assert {path: "" if path in touched else (room.plain / path).read_text() for path in made} == made

    commands = parse_commands(drafted["commands"])
    for job in jobs:
        asked = asked_of(job["tags"]["rule"], job)
        check_command(commands, asked, config=config, written=written(SETTINGS))
    return Beside(drafted, found, {path: made[path] for path in set(made) - set(laid) - set(data or ())}, jobs)


def _names(tree: Path) -> set[str]:
    """Return the files of a run; Snakemake's own are none, nor what its directories hold for their times."""
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith((".snakemake/", ".cache/")) and "timestamp" not in path}
