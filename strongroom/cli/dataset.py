"""The verbs of `strongroom dataset`: create, share, floors, sign-floors, add, list, from-run, delete."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from archive import ingest
from sandbox.crypt4gh import body_length_of
from strongroom.cli.client import SERVER, USAGE, AsJson, Client, Server, Token, err, out, print_json, stop
from strongroom.cli.thresholds import read_thresholds, show_versions, waiting

API, ACCESS = "/api/archive/v1", "/api/access/v1"
NO_FLOORS = "Nobody has signed floors: projects with this data are held to their own policies."
PIPE = Path("-")
app = typer.Typer(help="Encrypted files that projects may use.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="DATASET")]


@app.command()
def create(
    dataset: Name,
    title: Annotated[str, typer.Option("--title", help="What the data is.")] = "",
    observability: Annotated[
        str, typer.Option("--observability", help="coarse, or open for public and demo data only.")
    ] = "coarse",
    sensitivity: Annotated[
        str, typer.Option("--sensitivity", help="standard, or high: stronger walls, inputs read whole.")
    ] = "standard",
    project: Annotated[str | None, typer.Option("--project", help="Home project, if it has one.")] = None,
    min_population: Annotated[
        int | None,
        typer.Option(
            "--min-population", help="Fewest persons of a run whose results may leave; 0: no persons in it."
        ),
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Make an empty dataset."""
    body = {
        "id": dataset,
        "title": title,
        "observability": observability,
        "sensitivity": sensitivity,
        "project": project,
        "min_population": min_population,
    }
    with Client(server, token) as client:
        made = client.post(f"{API}/datasets", body)
    _show(made, as_json, f"Dataset {made['id']} is made ({made['observability']}); add files and share it.")


@app.command()
def share(
    dataset: Name,
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    until: Annotated[datetime | None, typer.Option("--until", help="Last moment (UTC); for ever without.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Take it back now.")] = False,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Let a project use a dataset, or take it back."""
    with Client(server, token) as client:
        if end:
            made = client.post(f"{API}/datasets/{dataset}:unshare", {"project": project})
        else:
            last = until.replace(tzinfo=UTC).isoformat() if until else None
            made = client.post(f"{API}/datasets/{dataset}:share", {"project": project, "until": last})
    _show(made, as_json, f"Dataset {dataset} is shared with: {', '.join(made['projects']) or 'nobody'}.")


@app.command("allow-queries")
def allow_queries(
    dataset: Name,
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    queries: Annotated[int, typer.Option("--queries", help="How many more populations it may ask about today.")] = 5,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """As a DAC member: let a project ask more of a dataset today than its budget."""
    with Client(server, token) as client:
        made = client.post(f"{API}/datasets/{dataset}:allow-queries", {"project": project, "queries": queries})
    _show(made, as_json, f"{project} may ask about {queries} more populations of {dataset} today.")


@app.command()
def floors(
    dataset: Name,
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML with the thresholds that no project may be laxer in.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show a dataset's floors, or propose the next version (DAC members)."""
    with Client(server, token) as client:
        if file is None:
            show_versions(client.get(f"{ACCESS}/datasets/{dataset}/floors"), as_json, NO_FLOORS)
            return
        made = client.post(f"{ACCESS}/datasets/{dataset}/floors", {"thresholds": read_thresholds(file)})
    _show(made, as_json, waiting(made, "DAC member", f"strongroom dataset sign-floors {dataset}"))


@app.command("sign-floors")
def sign_floors(
    dataset: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1)],
    sha256: Annotated[str, typer.Option("--sha256", help="The digest of the thresholds that you read.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Put floors in force that somebody else proposed (DAC members)."""
    with Client(server, token) as client:
        made = client.post(f"{ACCESS}/datasets/{dataset}/floors/{version}:sign", {"sha256": sha256})
    _show(made, as_json, f"Version {made['version']} of the floors of {dataset} is in force.")


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files to encrypt; - is standard input.")],
    dataset: Annotated[str, typer.Option("--dataset", help="Where they go.")],
    name: Annotated[str | None, typer.Option("--name", help="Name in the dataset; by default the file's.")] = None,
    person: Annotated[str | None, typer.Option("--person", help="Label of the person whose data it is.")] = None,
    persons: Annotated[
        Path | None, typer.Option("--persons", help="File with the labels of all whose data it is, one a line.")
    ] = None,
    clear: Annotated[
        bool,
        typer.Option("--clear", help="Let engines read it, where a workflow was vetted for it: sample sheets only."),
    ] = False,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Encrypt files on this side and add them."""
    if name is not None and len(files) != 1:
        stop("--name goes with one file.", USAGE)
    if PIPE in files and name is None:
        stop("Standard input needs a --name.", USAGE)
    for file in files:
        if file != PIPE and not file.is_file():
            stop(f"{file} is not a file that can be read.", USAGE)
    labels = _labels(person, persons)
    with Client(server, token, timeout=300.0) as client:
        made = [_add(client, dataset, file, name=name or file.name, persons=labels, clear=clear) for file in files]
    _show(made, as_json, f"{len(made)} encrypted and added to {dataset}.")


@app.command("list")
def list_datasets(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET")] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """List datasets, or the files of one."""
    with Client(server, token) as client:
        found = client.get(f"{API}/datasets/{dataset}" if dataset else f"{API}/datasets")
    if as_json:
        print_json(found)
    elif dataset:
        out.print(_files_table(found))
    else:
        out.print(_datasets_table(found))


@app.command("from-run")
def from_run(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    dataset: Annotated[str, typer.Option("--dataset", help="Id of the derived dataset.")],
    title: Annotated[str, typer.Option("--title", help="What the data is.")] = "",
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Make what a run wrote, and its contract keeps inside, a dataset of the project."""
    with Client(server, token) as client:
        made = client.post(f"{API}/datasets/from-run", {"run": run, "dataset": dataset, "title": title})
    _show(made, as_json, f"Dataset {made['dataset']} holds {len(made['files'])} outputs of the run.")


@app.command()
def delete(
    dataset: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Destroy a dataset's keys for ever: nobody can open its files again, restored or not."""
    if not yes:
        typer.confirm(f"Destroy the keys of {dataset} for ever?", abort=True)
    with Client(server, token) as client:
        made = client.post(f"{API}/datasets/{dataset}:delete")
    _show(made, as_json, f"Dataset {dataset} is gone.")


def _labels(person: str | None, listed: Path | None) -> list[str]:
    labels = [person] if person else []
    if listed is not None:
        if not listed.is_file():
            stop(f"{listed} is not a file that can be read.", USAGE)
        labels += [line.strip() for line in listed.read_text().splitlines() if line.strip()]
    return labels


def _add(client: Client, dataset: str, file: Path, *, name: str, persons: list[str], clear: bool) -> dict[str, Any]:
    with _opened(file) as plain, _bar(name, None if file == PIPE else file.stat().st_size) as advance:
        return ingest.add(client, dataset, plain, name=name, persons=persons, clear=clear, progress=advance)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BufferedReader]:
    if file == PIPE:
        with open(sys.stdin.fileno(), "rb", closefd=False) as plain:
            yield plain
    else:
        with open(file, "rb") as plain:
            os.posix_fadvise(plain.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            yield plain


@contextlib.contextmanager
def _bar(name: str, size: int | None) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress:
        task = progress.add_task(escape(name), total=body_length_of(size) if size is not None else None)
        yield lambda length: progress.advance(task, length)


def _datasets_table(found: list[dict[str, Any]]) -> Table:
    table = Table("dataset", "title", "observability", "sensitivity", "files", "projects", "from run")
    for row in found:
        projects, made_by = ", ".join(row["projects"]), row["derived_from_run"] or ""
        table.add_row(
            row["id"],
            escape(row["title"]),
            row["observability"],
            row["sensitivity"],
            str(len(row["files"])),
            projects,
            made_by,
        )
    return table


def _files_table(found: dict[str, Any]) -> Table:
    table = Table("file", "size", "engines")
    for row in found["files"]:
        size = str(row["size"]) if row["size"] is not None else "not shown"
        table.add_row(escape(row["name"]), size, "may read it" if row["clear"] else "")
    return table


def _show(value: Any, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)
