"""The verbs of `strongroom project`: create, list, member."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json
from strongroom.projects import Role

API = "/api/access/v1"
app = typer.Typer(help="Projects and who is what in them.", no_args_is_help=True)


@app.command()
def create(
    project: Annotated[str, typer.Argument(metavar="ID")],
    title: Annotated[str, typer.Option("--title", help="What the project is for.")],
    min_count: Annotated[
        int | None, typer.Option("--min-count", help="Raise the smallest count that leaves.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Create a project (operators)."""
    body = {"id": project, "title": title, "min_count": min_count}
    with Client(server, token) as client:
        made = client.post(f"{API}/projects", body)
    _show(made, as_json, f"Project {made['id']} is open; the smallest count that leaves is {made['min_count']}.")


@app.command("list")
def list_projects(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """List your projects."""
    with Client(server, token) as client:
        found = client.get(f"{API}/projects")
    if as_json:
        print_json(found)
        return
    table = Table("project", "title", "smallest count", "your roles")
    for row in found:
        table.add_row(row["id"], escape(row["title"]), str(row["min_count"]), ", ".join(row["roles"]))
    out.print(table)


@app.command()
def member(
    project: Annotated[str, typer.Argument(metavar="ID", help="The project, or * for the platform.")],
    person: Annotated[str, typer.Argument(metavar="PERSON", help="NAME@ISSUER")],
    role: Annotated[Role, typer.Argument(metavar="ROLE")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Grant a role (operators)."""
    with Client(server, token) as client:
        made = client.post(f"{API}/projects/{project}/members", {"person": person, "role": role.value})
    news = "is now" if made["changed"] else "was already"
    _show(made, as_json, f"{person} {news} {role.value} of {project}.")


def _show(value: Any, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)
