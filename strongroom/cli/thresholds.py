"""Reads and shows thresholds that two persons sign, for `strongroom project` and `strongroom dataset`."""

import tomllib
from pathlib import Path
from typing import Any

import typer

from strongroom.cli.client import print_json, stop


def read_thresholds(file: Path) -> dict[str, Any]:
    """Return what a file in TOML asks for."""
    try:
        found = tomllib.loads(file.read_text())
    except (OSError, ValueError):
        stop("--file names a file in TOML: a line for each threshold, as in min_count = 10.")
    return found


def waiting(made: dict[str, Any], who: str, command: str) -> str:
    """Return what a person who proposed a version reads: who signs it, and how."""
    sentence = f"Version {made['version']} waits for another {who}, who reads and signs it:"
    return f"{sentence}\n{command} {made['version']} --sha256 {made['sha256']}"


def show_versions(rows: list[dict[str, Any]], as_json: bool, nobody: str) -> None:
    """Print all versions with their signers and numbers; `nobody` where there is none."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo(nobody)
    for row in rows:
        state = "in force" if row["in_force"] else "superseded" if row["signed_by"] else "waits for a second person"
        signed = f", signed by {row['signed_by']}" if row["signed_by"] else ""
        typer.echo(f"Version {row['version']} ({state}): proposed by {row['proposed_by']}{signed}, {row['sha256']}")
        for name, value in sorted(row["thresholds"].items()):
            typer.echo(f"  {name} = {value}")
