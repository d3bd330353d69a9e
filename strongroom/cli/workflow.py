"""`strongroom workflow`: what may run, and the signatures that make it so."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rich.table import Table

from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.cli import home
from strongroom.cli.client import AsJson, out, print_json
from strongroom.cli.image import names_of
from strongroom.database import open_database, transaction
from strongroom.dsse import key_id
from strongroom.errors import BadRequest
from strongroom.settings import Settings, load
from wes import catalogue

app = typer.Typer(help="The catalogue of vetted workflows.", no_args_is_help=True)
Version = Annotated[str, typer.Argument(metavar="NAME/VERSION", help="Such as cohort-frequencies/1.0.0.")]


@app.command()
def vet(
    folder: Annotated[Path, typer.Argument(help="The workflow's folder: manifest.yaml and all its files.")],
    as_json: AsJson = False,
) -> None:
    """Take a workflow version into the catalogue, unsigned: its files by content, its images by digest."""
    settings = load()
    home.prepare(settings)
    statement = catalogue.vet(settings, folder, names_of(settings))
    _write_down(settings, Event.WORKFLOW_VETTED, f"{statement.workflow}/{statement.version}", statement.facts())
    if as_json:
        print_json(statement.facts())
        return
    out.print(f"{statement.workflow}/{statement.version} is {statement.digest}")
    for name, digest in statement.images.items():
        out.print(f"  image {name}: {digest}")
    out.print(f"It may run once {settings.vetting.signatures} vetters have signed it.")


@app.command()
def sign(
    version: Version,
    key: Annotated[Path, typer.Option(help="Your private key (Ed25519, PEM).")],
    as_json: AsJson = False,
) -> None:
    """Sign a workflow version as a vetter, after you have read it."""
    settings = load()
    name, _, number = version.partition("/")
    private = private_key(key)
    signatures = catalogue.sign(settings, name, number, private)
    _write_down(settings, Event.WORKFLOW_SIGNED, version, {"key": key_id(private.public_key())})
    needed = settings.vetting.signatures
    if as_json:
        print_json({"version": version, "signatures": signatures, "needed": needed, "vetted": signatures >= needed})
        return
    state = "vetted and may run" if signatures >= needed else f"not yet vetted: {signatures} of {needed} signatures"
    out.print(f"{version} is {state}.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show what the catalogue holds, and what of it may run."""
    rows = list(catalogue.listed(load()))
    if as_json:
        print_json([vars(row) for row in rows])
        return
    table = Table("Workflow", "May run", "Signed by", "Title")
    for row in rows:
        table.add_row(
            f"{row.name}/{row.version}", "yes" if row.vetted else "no", ", ".join(row.signed_by) or "-", row.title
        )
    out.print(table)


def private_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key in a PEM file."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest("--key: a private key file in PEM form, without a passphrase.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadRequest("--key: an Ed25519 key; `strongroom key new-vetter` makes one.")
    return key


def _write_down(settings: Settings, event: Event, subject: str, facts: dict[str, object]) -> None:
    with transaction(open_database(settings.database)) as session:
        audit.append(session, Entry(event, "vetting", subject, None, facts))
