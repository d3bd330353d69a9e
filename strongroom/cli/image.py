"""`strongroom image`: OCI images in the content store, by digest; a registry is possible and not needed."""

import json
import os
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.table import Table

from sandbox import images
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.cli import home
from strongroom.cli.client import AsJson, out, print_json
from strongroom.database import open_database, reading, transaction
from strongroom.errors import BadRequest, NotFound
from strongroom.settings import Settings, load
from tes.admission import images_of
from tes.launch import store_of
from tes.store import Task
from tes.tasks import TERMINAL

REGISTRY = "docker://"
app = typer.Typer(help="Images that tasks run in.", no_args_is_help=True)


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(help="An OCI layout, an OCI or docker archive, or docker://HOST/NAME@sha256:DIGEST.")
    ],
    name: Annotated[str, typer.Option(help="The name by which workflows call it.")],
    checks: Annotated[bool, typer.Option("--checks", help="Run the airlock's checks in this image.")] = False,
    credentials: Annotated[Path | None, typer.Option(help="A containers-auth.json for the registry.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check an image by its digests, unpack it once, and write down what it holds."""
    settings = load()
    home.prepare(settings)
    if source.startswith(REGISTRY):
        remote = source.removeprefix(REGISTRY)
        record = images.import_from_registry(remote, store_of(settings), credentials=credentials)
    else:
        record = images.import_image(Path(source), store_of(settings))
    write_name(settings, name, record.digest)
    if checks:
        _write(settings.home / "trust" / "checks-image", record.digest + "\n")
    engine: sa.Engine = open_database(settings.database, joined=settings.joined)
    with transaction(engine) as session:
        facts = {"name": name, "digest": record.digest, "checks": checks}
        audit.append(session, Entry(Event.IMAGE_IMPORTED, "operator", record.digest[:80], None, facts))
    home.prepare(settings)
    if as_json:
        print_json({"name": name, "digest": record.digest})
    else:
        out.print(f"{name} is {record.digest}")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show the names and digests of imported images."""
    names = names_of(load())
    if as_json:
        print_json(names)
        return
    table = Table("Name", "Digest")
    for name, digest in names.items():
        table.add_row(name, digest)
    out.print(table)


@app.command("gc")
def gc(
    unused_days: Annotated[int, typer.Option(min=1, help="Keep what a task used within these days.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Remove images that no name, lock or waiting task has, and that were not used lately."""
    settings = load()
    seconds = max(unused_days * 86_400, 2 * settings.tes.wall_seconds)  # longer than any task that runs now
    removed = images.collect_garbage(store_of(settings), keep=_needed(settings), unused_seconds=seconds)
    if as_json:
        print_json(removed)
    else:
        out.print("\n".join([*removed, f"{len(removed)} removed."]))


def _needed(settings: Settings) -> set[str]:
    found = set(names_of(settings).values())
    for lock in (settings.home / "catalogue").glob("**/images.lock"):
        found |= set(json.loads(lock.read_text()).values())
    trusted = settings.home / "trust" / "checks-image"
    if trusted.exists():
        found.add(trusted.read_text().strip())
    with reading(open_database(settings.database, joined=settings.joined)) as session:
        waiting = sa.select(Task.plan).where(Task.state.not_in([state.value for state in TERMINAL]))
        found |= {image for plan in session.scalars(waiting) for image in images_of(plan)}
    return found


def names_of(settings: Settings) -> dict[str, str]:
    """Return the digest behind each name."""
    try:
        found: dict[str, str] = json.loads(_names_file(settings).read_text())
    except FileNotFoundError:
        return {}
    return found


def write_name(settings: Settings, name: str, digest: str) -> None:
    """Let `name` stand for `digest` in locks that are written from now on; signed locks never change."""
    if not name.isascii() or not name.replace("-", "").isalnum():
        raise BadRequest("--name: letters, digits and hyphens.")
    if not digest:
        raise NotFound("There is no such image.")
    _write(_names_file(settings), json.dumps(names_of(settings) | {name: digest}, indent=2, sort_keys=True) + "\n")


def _names_file(settings: Settings) -> Path:
    return settings.home / "trust" / "images.json"


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    os.chmod(fresh, 0o644)
    fresh.rename(path)
