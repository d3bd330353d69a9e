"""`strongroom workflow`: what may run, and the signatures that make it so."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.bells import ring
from strongroom.cli import changes, home, rehearsal
from strongroom.cli import vet as reading
from strongroom.cli.client import FAILED, AsJson, err, out, print_json
from strongroom.cli.image import names_of
from strongroom.cli.key import private_key
from strongroom.database import open_database, transaction
from strongroom.dsse import key_id
from strongroom.errors import Conflict
from strongroom.settings import Settings, load
from wes import catalogue, records, revocation, signing
from wes.engines import ENGINES, open_engine
from wes.manifest import Manifest
from wes.signing import Revoked

__all__ = ["app", "private_key"]
app = typer.Typer(help="The catalogue of vetted workflows.", no_args_is_help=True)
Version = Annotated[str, typer.Argument(metavar="NAME/VERSION", help="Such as cohort-frequencies/1.0.0.")]


@app.command()
def vet(
    folder: Annotated[Path, typer.Argument(help="The workflow's folder: manifest.yaml and all its files.")],
    draft: Annotated[
        Path | None, typer.Option(help="Only write a manifest for you to edit into this new file; vet nothing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a workflow version; without an error in it, take it into the catalogue, unsigned."""
    settings = load()
    if draft is not None:
        _draft(settings, folder, draft, as_json=as_json)
        return
    home.prepare(settings)
    images = names_of(settings)
    seen = reading.read(settings, folder, images)
    if not as_json:
        reading.show(seen.findings)
    findings = [one.facts() for one in seen.findings]
    if errors := seen.errors():
        if as_json:
            print_json({"findings": findings, "free_commands": seen.free})
        err.print(f"Not taken into the catalogue: {len(errors)} of the findings are errors.")
        raise typer.Exit(FAILED)
    statement = catalogue.vet(settings, folder, images)
    facts = {**statement.facts(), "free_commands": seen.free}
    _write_down(settings, Event.WORKFLOW_VETTED, f"{statement.workflow}/{statement.version}", facts)
    told = catalogue.glimpses_of(settings, statement)
    if as_json:
        print_json({**facts, "findings": findings, "engine_sees": told})
        return
    out.print(f"{statement.workflow}/{statement.version} is {statement.digest}")
    for name, digest in statement.images.items():
        out.print(f"  image {name}: {digest}")
    _tell_free(seen.free)
    for sentence in told:
        out.print(f"  {sentence}")
    changes.show(settings, statement.workflow, statement.version)
    out.print(f"It may run once {settings.vetting.signatures} vetters have signed it.")


@app.command()
def sign(
    version: Version,
    key: Annotated[Path, typer.Option(help="Your private key (Ed25519, PEM).")],
    digest: Annotated[str, typer.Option(help="What you read, as `vet` printed it: sha256:…")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Sign a workflow version as a vetter, after you have read it and what it changes."""
    settings = load()
    name, number = changes.parts(version)
    private = private_key(key)
    read = signing.stated(settings, name, number)
    if digest not in ("", read["digest"]):
        raise Conflict(f"{version} is {read['digest']}, not what you have read; read it once more.")
    free = _free(settings, name, number)
    if not as_json:
        changes.show(settings, name, number)
        _tell_free(free)
        out.print(f"{version} is {read['digest']}")
        if sys.stdin.isatty() and not yes and not typer.confirm("Have you read it, and do you sign it?"):
            raise typer.Exit(FAILED)
    signatures = catalogue.sign(settings, name, number, private, read=read)
    facts: dict[str, object] = {
        "key": key_id(private.public_key()),
        "digest": read["digest"],
        "free_commands": free,
    }
    _write_down(settings, Event.WORKFLOW_SIGNED, version, facts)
    needed = settings.vetting.signatures
    if as_json:
        print_json({"version": version, "signatures": signatures, "needed": needed, "vetted": signatures >= needed})
        return
    state = "vetted and may run" if signatures >= needed else f"not yet vetted: {signatures} of {needed} signatures"
    out.print(f"{version} is {state}.")


@app.command()
def revoke(
    version: Version,
    key: Annotated[Path, typer.Option(help="Your private key (Ed25519, PEM): any vetter may revoke.")],
    reason: Annotated[Revoked, typer.Option(help="Why; it is written into the audit log.")] = Revoked.UNSAFE,
    as_json: AsJson = False,
) -> None:
    """Take a version out of use at once and for ever; its runs end as `vetting.revoked_runs` says."""
    settings = load()
    name, number = changes.parts(version)
    private = private_key(key)
    signing.revoke(settings, name, number, reason, private)
    cancel = settings.vetting.revoked_runs == "cancel"
    with transaction(open_database(settings.database, joined=settings.joined)) as session:
        mine = key_id(private.public_key())
        runs = revocation.record(session, name, number, key=mine, reason=reason.value, cancel=cancel)
    for run in runs:
        ring(settings.sockets / f"run-{run}.bell")
    if as_json:
        print_json({"version": version, "canceled_runs": runs})
        return
    out.print(f"{version} is revoked; {len(runs)} runs are canceled." if cancel else f"{version} is revoked.")


@app.command("run-local")
def run_local(
    folder: Annotated[Path, typer.Argument(help="The workflow's folder, with its manifest.")],
    inputs: Annotated[Path, typer.Option(help="A folder with a folder of files for each input slot.")],
    params: Annotated[Path | None, typer.Option(help="The parameters, as YAML or JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a workflow on your own open data before you ask for vetting: the real engine, every wall, nothing kept."""
    outcome = rehearsal.rehearse(load(), folder, inputs, rehearsal.read_parameters(params))
    if as_json:
        print_json(vars(outcome))
    else:
        rehearsal.show(outcome)
    if outcome.state != "COMPLETE":
        raise typer.Exit(FAILED)


@app.command()
def diff(
    version: Version,
    against: Annotated[str, typer.Option(help="The VERSION to compare with; by default the last vetted one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a version changes: images, manifest, commands, contract, files."""
    found = changes.against_last(load(), *changes.parts(version), than=against)
    if as_json:
        print_json(changes.facts(*found) if found else {"against": None, "changes": []})
    elif found is None:
        out.print("There is no vetted version before this one: read all of it.")
    else:
        changes.print_changes(*found)


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
            f"{row.name}/{row.version}",
            "yes" if row.vetted else "revoked" if row.revoked else "no",
            ", ".join(row.signed_by) or "-",
            row.title,
        )
    out.print(table)


def _draft(settings: Settings, folder: Path, target: Path, *, as_json: bool) -> None:
    versions = {name: open_engine(name).version for name in ENGINES}
    findings = reading.draft(settings, folder, target, versions=versions)
    if as_json:
        print_json({"draft": str(target), "findings": [one.facts() for one in findings]})
        return
    reading.show(findings)
    out.print(f"A manifest to edit is in {target}: say what its inputs, parameters and outputs are.")


def _free(settings: Settings, name: str, number: str) -> list[str]:
    said = records.described(catalogue.stored(settings, name, number)[1])
    return said.free() if isinstance(said, Manifest) else []


def _tell_free(free: list[str]) -> None:
    for rule in free:
        out.print(f"  [yellow]free command[/] {rule}: whatever the engine asks for in its name is run")


def _write_down(settings: Settings, event: Event, subject: str, facts: dict[str, object]) -> None:
    with transaction(open_database(settings.database, joined=settings.joined)) as session:
        audit.append(session, Entry(event, "vetting", subject, None, facts))
