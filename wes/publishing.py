"""Decides what an engine may publish: what a task of its run made, under a name that the contract knows (T16)."""

import posixpath
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from airlock.contract import Contract, Release
from strongroom.database import transaction
from strongroom.errors import NotAllowed, StrongroomError
from wes.nextflow_rules import TASKS, held_below
from wes.rules import Held, only, relative
from wes.settlement import copied
from wes.store import RunFile

FIELDS = frozenset({"source", "target"})


class NotPublished(StrongroomError):
    """A file cannot be published so; the sentence begins with the process that made it, where that is known."""

    def __init__(self, error: StrongroomError, rule: str | None) -> None:
        self.status, self.rule = error.status, rule
        super().__init__(f"{rule}: {error.sentence}" if rule else error.sentence, detail=error.detail)


def published(asked: Mapping[str, Any], *, files: Mapping[str, Held], contract: Contract) -> dict[str, str]:
    """Return the path in the run of each file that is published, by its new path, or raise `NotAllowed`.

    Only the path changes: a published file keeps its object, and the process and task that made it (T16).
    """
    only(asked, FIELDS, "a published file")
    source, target = relative(asked.get("source"), "source"), relative(asked.get("target"), "publishDir")
    if f"{target}/".startswith((TASKS, "inputs/")):
        raise NotAllowed("publishDir: a folder of the run beside its inputs and tasks, such as results.")
    found = {target + inside.removeprefix(source): inside for inside in held_below(source, files)}
    for path, inside in found.items():
        if not inside.startswith(TASKS):
            raise NotAllowed("publishDir: only what a process made is published.")
        rule = contract.rule_for(path)
        released = rule is not None and rule.release is Release.AIRLOCK
        if released and posixpath.basename(path) != posixpath.basename(inside):
            # A process makes several files; the name says which of them the contract promises.
            raise NotAllowed("publishDir: what the contract releases keeps its name; do without saveAs there.")
    return found


def record(engine: sa.Engine, run: str, found: Mapping[str, str]) -> dict[str, Held]:
    """Write down what is published; return the files that the run now has."""
    with transaction(engine) as session:
        made = {}
        for path, inside in found.items():
            row = session.get(RunFile, (run, inside))
            assert row is not None
            session.merge(copied(row, path))
            made[path] = Held(row.object, is_input=False)
    return made
