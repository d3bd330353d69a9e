"""Decides which engine parameters a run may have: a short allow-list, typed, as text that no shell ever sees."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.errors import BadRequest
from wes.manifest import Manifest

FIELD = "workflow_engine_parameters"
MOST_RETRIES = 3
_SWITCHES = frozenset({"true", "false"})
_NUMBER = re.compile(r"[0-9]")


@dataclass(frozen=True)
class Option:
    """One parameter of an engine: its type in words, and what holds when nobody says otherwise."""

    name: str
    type: str
    default: str


# engines.md 4.2: whatever is not here can make an engine do more than the vetters read.
SNAKEMAKE = (
    Option("keep-going", "boolean", "false"),
    Option("retries", f"integer from 0 to {MOST_RETRIES}", "0"),
    Option("forceall", "boolean", "false"),
    Option("until", "names of rules that the workflow lists, with commas between", ""),
    Option("targets", "names of rules that the workflow lists, with commas between", ""),
)
OPTIONS: Mapping[str, tuple[Option, ...]] = {"snakemake": SNAKEMAKE}


def check_options(manifest: Manifest, given: Mapping[str, Any]) -> dict[str, str]:
    """Return `given` as it counts; raise `BadRequest` that names the first parameter that is not allowed."""
    allowed = {option.name for option in OPTIONS.get(manifest.engine, ())}
    for name, value in sorted(given.items()):
        if name not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            raise BadRequest(f"{FIELD}: {name[:40]!r} is not allowed here; {manifest.engine} takes {known}.")
        if not isinstance(value, str):
            raise BadRequest(f"{FIELD}.{name}: values are strings (WES 1.1, RunRequest).")
        _check(manifest, name, value)
    return {name: given[name] for name in sorted(given)}


def is_whole(options: Mapping[str, str]) -> bool:
    """Say whether a run with these options makes all that its workflow promises (T16)."""
    return not options.get("until") and not options.get("targets")


def _check(manifest: Manifest, name: str, value: str) -> None:
    match name:
        case "keep-going" | "forceall":
            if value not in _SWITCHES:
                raise BadRequest(f"{FIELD}.{name}: 'true' or 'false'.")
        case "retries":
            if not _NUMBER.fullmatch(value) or int(value) > MOST_RETRIES:
                raise BadRequest(f"{FIELD}.{name}: a whole number from 0 to {MOST_RETRIES}, as a string.")
        case "until":
            _check_rules(name, value, manifest.until)
        case "targets":
            _check_rules(name, value, manifest.asked_targets)
        case _:
            raise BadRequest(f"{FIELD}.{name}: not allowed here.")


def _check_rules(name: str, value: str, listed: Collection[str]) -> None:
    if not value:
        return  # the default, as service-info has it
    if not listed:
        raise BadRequest(f"{FIELD}.{name}: this workflow lists no rules for it; leave it out.")
    asked = value.split(",")
    if not set(asked) <= set(listed) or len(set(asked)) != len(asked):
        raise BadRequest(f"{FIELD}.{name}: each once, of {', '.join(sorted(listed))}.")
