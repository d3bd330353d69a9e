"""Prints a bearer token of the development issuer, straight from the home's own database."""

import re
from typing import Annotated

import sqlalchemy as sa
import typer

from access import memberships
from strongroom.audit import Entry, Event, append
from strongroom.cli.client import refusals
from strongroom.cli.home import prepare
from strongroom.database import open_database, transaction
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
    step_up: Annotated[bool, typer.Option("--step-up", help="As after a second factor, shown just now.")] = False,
) -> None:
    """Print one bearer token of the development issuer and nothing else; the role is granted if it is not held."""
    with refusals():
        typer.echo(issue(load(), person, role=role, project=project, step_up=step_up))


def issue(settings: Settings, name: str, *, role: Role, project: str | None, step_up: bool = False) -> str:
    """Grant `role` to NAME@development and return a token for them; refused unless the development issuer is on."""
    if not settings.identity.development_issuer:
        raise NotAllowed("The development issuer is off here; get a token from your OIDC issuer.")  # T31
    if not _NAME.fullmatch(name):
        raise BadRequest("--person is a name of letters, digits, dots, hyphens and underscores, without @.")
    place = _place(role, project)
    engine = open_prepared_database(settings)
    try:
        make_development_issuer(settings)
        bearer = mint_token(settings, name, step_up=step_up)
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
    """Return the home's database; a home that `serve` never prepared is laid out first."""
    engine = open_database(settings.database, joined=settings.joined)
    try:
        ready = sa.inspect(engine).has_table(Project.__tablename__)
    except sa.exc.OperationalError:  # SQLite makes files, but no folders
        ready = False
    if not ready:
        engine.dispose()
        prepare(settings)
    # What SQLite adds beside the file while root gets the file's own owner and mode from it.
    return engine
