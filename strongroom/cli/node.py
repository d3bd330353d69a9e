"""The verbs of `strongroom node`: add, remove, list."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.audit import Entry, Event, append
from strongroom.cli.client import AsJson, out, print_json, refusals
from strongroom.cli.token import open_prepared_database
from strongroom.database import transaction
from strongroom.settings import Settings, load
from tes import node_keys

app = typer.Typer(help="Nodes of a cluster that may run tasks.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NODE", help="The node's name, as the scheduler has it.")]


@app.command()
def add(
    node: Name,
    folder: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the node's papers are written.")],
) -> None:
    """Let a node in: write its certificate and key; papers that it had before are good no more."""
    settings = load()
    with refusals():
        node_keys.admit(settings.home / "nodes", node, folder)
        _note(settings, Event.NODE_ADMITTED, node)
    out.print(f"{node} is let in with the papers in {folder}: whoever holds them speaks for that node.")


@app.command()
def remove(node: Name) -> None:
    """Let a node in no more, from its next question on; what runs there goes on until it asks."""
    settings = load()
    with refusals():
        node_keys.dismiss(settings.home / "nodes", node)
        _note(settings, Event.NODE_DISMISSED, node)
    out.print(f"{node} is let in no more.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the nodes that are let in."""
    found = node_keys.admitted(load().home / "nodes")
    if as_json:
        print_json(found)
        return
    for node in found:
        out.print(node)


def _note(settings: Settings, event: Event, node: str) -> None:
    engine = open_prepared_database(settings)
    with transaction(engine) as session:
        append(session, Entry(event, "operator", node, None, {}))
    engine.dispose()
