"""Finds the files behind what a task's inputs name, when the task starts: of its own run, or of its datasets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import bodies
from archive.decisions import Decision
from strongroom.errors import NotFound
from tes.files import MOST_FILES
from tes.store import TaskOutput


def resolved(session: orm.Session, inputs: Sequence[Mapping[str, Any]], decision: Decision) -> list[dict[str, Any]]:
    """Return inputs that are one object or content each; raise `NotFound` for one that leads to nothing.

    Whether the task may read them is the key broker's business, which asks again (T11).
    """
    found: dict[str, dict[str, Any]] = {}
    for n, given in enumerate(inputs):
        for one in _files(session, given, decision, where=f"inputs[{n}]"):
            if found.setdefault(one["path"], one) is not one:
                raise NotFound(f"inputs[{n}]: a file of it has the path of another input.")
        if len(found) > MOST_FILES:
            raise NotFound(f"inputs: they hold more than {MOST_FILES} files.")
    _check_apart(found)
    return list(found.values())


def _files(
    session: orm.Session, given: Mapping[str, Any], decision: Decision, *, where: str
) -> Iterable[dict[str, Any]]:
    if "of" not in given:
        return [dict(given)]
    objects = _objects(session, given, decision)
    if given["type"] == "FILE":
        if given["name"] not in objects:
            raise NotFound(f"{where}: there is no such file in this run or its datasets.")
        return [{"path": given["path"], "object": objects[given["name"]]}]
    above = f"{given['name']}/" if given["name"] else ""
    below = {name.removeprefix(above): one for name, one in objects.items() if name.startswith(above)}
    if not below:
        raise NotFound(
            f"{where}: this directory is empty, or there is none of this name in this run or its datasets."
        )
    return [{"path": f"{given['path']}/{name}", "object": one} for name, one in below.items()]


def _objects(session: orm.Session, given: Mapping[str, Any], decision: Decision) -> Mapping[str, str]:
    if given["of"] == "dataset":
        mine = given["owner"] in decision.datasets  # of other datasets a task learns nothing, not even names
        return bodies.names_in(session, given["owner"], below=given["name"]) if mine else {}
    name = given["name"]
    query = sa.select(TaskOutput.path, TaskOutput.object).where(TaskOutput.run == decision.run)
    if name:
        # `0` comes right after `/`: all that begins with the name and a slash, by the index.
        inside = sa.and_(TaskOutput.path > f"{name}/", TaskOutput.path < f"{name}0")
        query = query.where(sa.or_(TaskOutput.path == name, inside))
    return {path: one for path, one in session.execute(query.order_by(TaskOutput.number))}  # the last one counts


def _check_apart(found: Mapping[str, Any]) -> None:
    for path in found:
        if any(str(parent) in found for parent in PurePosixPath(path).parents):
            raise NotFound("inputs: a file of one lies below a file of another.")
