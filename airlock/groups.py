"""Sorts a request's files into groups with context and controls, and files that never leave beside them."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock.checks.fixes import words_of
from airlock.review_store import FileGroup, groups_of
from airlock.store import IntakeFile, ReleaseRequest, RequestFile, files_of
from strongroom.canonical import canonical
from strongroom.errors import BadRequest, Conflict

ALL = "all"
MOST_GROUPS = 20


@dataclass(frozen=True)
class Group:
    """Files that are read together: what they are, and what was done so that they tell of nobody."""

    name: str
    files: tuple[str, ...]  # paths
    context: str
    controls: str


def check_groups(groups: Sequence[Group], paths: Collection[str], supporting: Collection[str]) -> None:
    """Raise unless each file that may leave stands in one group, and a supporting file in none."""
    if len({one.name for one in groups}) != len(groups) or len(groups) > MOST_GROUPS:
        raise BadRequest(f"groups: at most {MOST_GROUPS}, each with a name of its own.")
    named = [path for one in groups for path in one.files]
    leaving = set(paths) - set(supporting)
    if not set(supporting) <= set(paths) or not leaving:
        raise BadRequest("supporting: files of this request, and not all of them.")
    if groups and (len(set(named)) != len(named) or set(named) != leaving):
        raise BadRequest("groups: name each file that is to leave once.")


def sort(
    session: orm.Session, row: ReleaseRequest, *, groups: Sequence[Group] | None, supporting: Collection[str]
) -> None:
    """Write down which files stand together, and which only help to read the others; None keeps the groups."""
    files = files_of(session, row.id, with_supporting=True)
    paths = {file.path for file in files}
    if groups is None:
        groups = [_still(session, row, one, paths - set(supporting)) for one in groups_of(session, row.id)]
        groups = [one for one in groups if one.files and one.name != ALL]
        if {p for g in groups for p in g.files} != paths - set(supporting):
            groups = []
    check_groups(groups, paths, supporting)
    session.execute(sa.delete(FileGroup).where(FileGroup.request == row.id))
    given = groups or [Group(ALL, tuple(sorted(paths - set(supporting))), row.purpose, _controls(session, files))]
    by_path = {path: one.name for one in given for path in one.files}
    for file in files:
        file.supporting, file.group = file.path in supporting, by_path.get(file.path)
    session.add_all(
        FileGroup(request=row.id, name=one.name, context=one.context, controls=one.controls) for one in given
    )
    session.flush()


def check_complete(session: orm.Session, row: ReleaseRequest) -> str:
    """Raise unless every group says what it is; return the digest of the groups, which is frozen with the files."""
    found = {one.name: one for one in groups_of(session, row.id)}
    files = files_of(session, row.id)
    for file in files:
        one = found.get(file.group or "")
        if one is None or not one.context.strip() or not one.controls.strip():
            raise Conflict("Say for each group of files what they are (context) and what makes them safe (controls).")
    told = [
        {"name": one.name, "context": one.context, "controls": one.controls, "files": _paths(files, one.name)}
        for one in found.values()
    ]
    return hashlib.sha256(canonical(told)).hexdigest()


def controls_of(promise: Mapping[str, Any]) -> str:
    """Return what an output's contract promises, in words: nobody is asked for what they have said already."""
    said = []
    if promise.get("max_rows"):
        said.append(f"at most {promise['max_rows']} rows")
    if promise.get("max_sites"):
        said.append(f"at most {promise['max_sites']} sites")
    counts = [str(column["name"]) for column in promise.get("columns", ()) if column.get("kind") == "count"]
    if counts:
        said.append(f"counts in {', '.join(counts)}")
    return "; ".join(said) or f"as its contract promises ({promise.get('format', 'one format')})"


def _controls(session: orm.Session, files: Sequence[RequestFile]) -> str:
    sources = [session.get_one(IntakeFile, file.file) for file in files]
    return "\n".join(f"{one.path}: {'; '.join([*words_of(one.fixes), controls_of(one.promise)])}" for one in sources)


def _paths(files: Sequence[RequestFile], group: str) -> list[str]:
    return [file.path for file in files if file.group == group]


def _still(session: orm.Session, row: ReleaseRequest, one: FileGroup, paths: Collection[str]) -> Group:
    before = [f.path for f in files_of(session, row.id, with_supporting=True) if f.group == one.name]
    return Group(one.name, tuple(path for path in before if path in paths), one.context, one.controls)
