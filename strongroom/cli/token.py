"""Prints a bearer token of the development issuer, straight from the home's own database."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from access import memberships
from strongroom.audit import Entry, Event, append
from strongroom.cli.client import refusals
from strongroom.database import migrate, open_database, transaction
from strongroom.errors import BadRequest, NotAllowed
from strongroom.identity import DEVELOPMENT, make_development_issuer, mint_token
from strongroom.projects import PLATFORM, PLATFORM_ROLES, Project, Role
from strongroom.settings import Settings, load

ACTOR = "strongroom-token"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def token(
    person: Annotated[str, typer.Option("--person", help="Name of the person; they become NAME@development.")],
    role: Annotated[Role, typer.Option("--role", help="Role that the person is given.")],
    project: Annotated[str | None, typer.Option("--project", help="Project of the role.")] = None,
) -> None:
    """Print one bearer token of the development issuer and nothing else; the role is granted if it is not held."""
    with refusals():
        typer.echo(issue(load(), person, role=role, project=project))


def issue(settings: Settings, name: str, *, role: Role, project: str | None) -> str:
    """Grant `role` to NAME@development and return a token for them; refused unless the development issuer is on."""
    if not settings.identity.development_issuer:
        raise NotAllowed("The development issuer is off here; get a token from your OIDC issuer.")  # T31
    if not _NAME.fullmatch(name):
        raise BadRequest("--person is a name of letters, digits, dots, hyphens and underscores, without @.")
    place = _place(role, project)
    engine = open_prepared_database(settings)
    try:
        _keep_owner(settings, make_development_issuer(settings))
        bearer = mint_token(settings, name)
        _record(engine, settings, person=f"{name}@{DEVELOPMENT}", role=role, place=place)
    finally:
        engine.dispose()
    return bearer


def _place(role: Role, project: str | None) -> str:
    if project is not None:
        return project
    if role not in PLATFORM_ROLES:
        raise BadRequest(f"A {role.value} belongs to a project: add --project NAME.")
    return PLATFORM


def _record(engine: sa.Engine, settings: Settings, *, person: str, role: Role, place: str) -> None:
    with transaction(engine) as session:
        if place != PLATFORM and session.get(Project, place) is None:
            memberships.create_project(session, ACTOR, project=place, title=place, floor=settings.airlock.min_count)
        memberships.grant(session, ACTOR, project=place, person=person, role=role)
        append(session, Entry(Event.TOKEN_MINTED, ACTOR, person, place, {"role": role.value}))


def open_prepared_database(settings: Settings) -> sa.Engine:
    """Return the home's database, its schema made if it is not there; files keep the owner of their folder."""
    file = _sqlite_file(settings)
    with _shared_files():
        if file is not None and not file.parent.exists():
            _make_folder(settings, file.parent)
        engine = open_database(settings.database)
        if not sa.inspect(engine).has_table(Project.__tablename__):
            engine.dispose()
            migrate(settings.database)
            engine = open_database(settings.database)
    if file is not None:
        _keep_owner(settings, file.parent.glob(f"{file.name}*"))
    return engine


def _sqlite_file(settings: Settings) -> Path | None:
    prefix = "sqlite:///"
    return Path(settings.database.removeprefix(prefix)) if settings.database.startswith(prefix) else None


def _make_folder(settings: Settings, folder: Path) -> None:
    if not settings.home.exists():
        settings.home.mkdir(parents=True)
        settings.home.chmod(0o755)  # the processes pass through it; what is in it has modes of its own
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, group=settings.uids.group)
    folder.chmod(0o2770)


def _keep_owner(settings: Settings, files: Iterable[Path]) -> None:
    # What root makes here must stay usable for the processes and the person whom the home belongs to.
    file = _sqlite_file(settings)
    if os.geteuid() != 0 or file is None:
        return
    folder = file.parent.stat()
    for path in files:
        os.chown(path, folder.st_uid, folder.st_gid)


@contextmanager
def _shared_files() -> Iterator[None]:
    before = os.umask(0o007)
    try:
        yield
    finally:
        os.umask(before)
