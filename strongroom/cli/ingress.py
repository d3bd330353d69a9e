"""`strongroom ingress`: brings reference data and code into a project, through checks and two stewards."""

from pathlib import Path
from typing import Annotated, Any

import typer

from airlock.checks.brought import Declared
from archive import ingest, rules
from strongroom.cli.client import SERVER, USAGE, AsJson, Client, Server, Token, out, print_json, stop
from strongroom.cli.request import AIRLOCK, files_table, plain, print_findings, show_request

INGRESS = f"{AIRLOCK}/ingress"
app = typer.Typer(help="Reference data and code that tasks are to see.", no_args_is_help=True)
As = Annotated[Declared, typer.Option("--as", help="What the files are; their content is held against it.")]
Purpose = Annotated[str, typer.Option(help="What the files are, where they come from, what for; stewards read it.")]


@app.command()
def bring(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to encrypt and bring in.")],
    project: Annotated[str, typer.Option("--project", help="The project whose tasks are to see them.")],
    dataset: Annotated[str, typer.Option("--dataset", help="A new dataset, called PROJECT-…, that they become.")],
    declared: As,
    purpose: Purpose,
    title: Annotated[str, typer.Option("--title", help="What the dataset is.")] = "",
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Encrypt files on this side, bring them into quarantine, and have them scanned; then `ingress submit`."""
    _check_files(files)
    with Client(server, token, timeout=300.0) as client:
        opened = client.post(INGRESS, {"project": project, "dataset": dataset, "title": title})
        _upload(client, opened, files, declared)
        made = client.post(f"{AIRLOCK}/requests", {"run": opened["id"], "purpose": purpose})
    show_request(made, as_json=as_json)


@app.command()
def add(
    ingress: Annotated[str, typer.Argument(metavar="INGRESS", help="The id that a request's `run` tells.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to encrypt and bring in.")],
    declared: As,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Bring more files, or mended ones under new names; `request edit` chooses which are asked for."""
    _check_files(files)
    with Client(server, token, timeout=300.0) as client:
        shown = _upload(client, client.get(f"{INGRESS}/{ingress}"), files, declared)
    _show(shown, as_json=as_json)


@app.command()
def show(
    ingress: Annotated[str, typer.Argument(metavar="INGRESS")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what an ingress brought, and what the checks say of it."""
    with Client(server, token) as client:
        shown = client.get(f"{INGRESS}/{ingress}")
    _show(shown, as_json=as_json)


@app.command()
def submit(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Hand what was scanned to the stewards; no key of yours is needed, it is sealed to its dataset."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:submit", {})
    show_request(changed, as_json=as_json)


def _check_files(files: list[Path]) -> None:
    for file in files:
        if not file.is_file():
            stop(f"{file} is not a file that can be read.", USAGE)
        if file.stat().st_size > rules.MOST_BROUGHT:
            stop(f"{file}: {rules.TOO_LARGE}", USAGE)


def _upload(client: Client, ingress: dict[str, Any], files: list[Path], declared: Declared) -> dict[str, Any]:
    shown = ingress
    for file in files:
        with file.open("rb", buffering=0) as source:
            sent = ingest.add(client, ingress["dataset"], source, name=file.name)
        brought = {"object": sent["object"], "name": file.name, "declared": declared.value}
        shown = client.post(f"{INGRESS}/{ingress['id']}/files", brought)
    return shown


def _show(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    out.print(plain(f"{shown['id']}  for {shown['dataset']} of {shown['project']}"))
    out.print(files_table(shown["files"]))
    print_findings(shown["files"])
