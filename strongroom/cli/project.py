"""The verbs of `strongroom project`: create, list, who is what in them, policies."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from access import grants
from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, refusals, stop
from strongroom.cli.thresholds import read_thresholds, show_versions, waiting
from strongroom.cli.token import open_prepared_database
from strongroom.database import transaction
from strongroom.projects import Role, Training
from strongroom.settings import load

API = "/api/access/v1"
NOBODY = "Nobody has signed a policy: the platform's floor holds, with the project's own smallest count."
Place = Annotated[str, typer.Argument(metavar="ID", help="The project, or * for the platform.")]
Whom = Annotated[str, typer.Argument(metavar="PERSON", help="NAME@ISSUER")]
As = Annotated[Role, typer.Argument(metavar="ROLE")]
app = typer.Typer(help="Projects and who is what in them.", no_args_is_help=True)


@app.command()
def create(
    project: Annotated[str, typer.Argument(metavar="ID")],
    title: Annotated[str, typer.Option("--title", help="What the project is for.")],
    min_count: Annotated[
        int | None, typer.Option("--min-count", help="Raise the smallest count that leaves.")
    ] = None,
    needs_training: Annotated[
        bool, typer.Option("--needs-training", help="Refuse whoever has no certificate in force.")
    ] = False,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Create a project (operators)."""
    body = {"id": project, "title": title, "min_count": min_count, "needs_training": needs_training}
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
    project: Place,
    person: Whom,
    role: As,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Grant a role: a second operator says the same, then it counts from the next day on (operators)."""
    with Client(server, token) as client:
        made = client.post(f"{API}/projects/{project}/members", {"person": person, "role": role.value})
    _show(made, as_json, told_of_grant(made))


@app.command()
def members(
    project: Place,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """List who holds which role, and what waits for a second operator (operators, auditors)."""
    with Client(server, token) as client:
        found = client.get(f"{API}/projects/{project}/members")
    if as_json:
        print_json(found)
        return
    table = Table("person", "role", "standing", "since", "proposed by")
    for row in found:
        since, proposed = (row["since"] or "")[:19], row["proposed_by"] or ""
        table.add_row(escape(row["person"]), row["role"], row["standing"], since, escape(proposed))
    out.print(table)


@app.command("end-member")
def end_member(
    project: Place,
    person: Whom,
    role: As,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Take a role away at once, or what was proposed or granted and does not count yet (operators)."""
    with Client(server, token) as client:
        made = client.post(f"{API}/projects/{project}/members:end", {"person": person, "role": role.value})
    _show(made, as_json, f"{person} is no {role.value} of {project}.")


@app.command()
def operators(
    people: Annotated[list[str], typer.Argument(metavar="PERSON...", help="NAME@ISSUER, of two persons.")],
) -> None:
    """Name the first operators, on the host itself, while there are not two: from then on two grant roles."""
    with refusals():
        settings = load()
        engine = open_prepared_database(settings)
        try:
            with transaction(engine) as session:
                grants.name_first_operators(session, people)
        finally:
            engine.dispose()
    typer.echo(f"Operators now: {', '.join(people)}.")


def told_of_grant(made: dict[str, Any]) -> str:
    """Return what an operator reads of a grant: what became of it, and what is to be done."""
    what = f"{made['role']} of {made['project']}"
    match made["standing"]:
        case "waits":
            command = f"strongroom project member {made['project']} {made['person']} {made['role']}"
            return f"{made['person']} will be {what} once another operator says the same:\n{command}"
        case "begins":
            return f"{made['person']} will be {what} from {made['since'][:19]} UTC on."
        case _:
            return f"{made['person']} {'is now' if made['changed'] else 'was already'} {what}."


@app.command()
def certify(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="NAME@ISSUER")],
    training: Annotated[Training, typer.Argument(metavar="TRAINING")],
    paper: Annotated[Path, typer.Option("--paper", help="The certificate; its digest is kept, not the paper.")],
    issuer: Annotated[str, typer.Option("--issuer", help="Who gave it.")],
    since: Annotated[datetime, typer.Option("--since", formats=["%Y-%m-%d"], help="First day, UTC.")],
    until: Annotated[datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="The day that it ends on, UTC.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Record a person's training (operators); who has no valid one is refused at submit and at release."""
    try:
        digest = hashlib.sha256(paper.read_bytes()).hexdigest()
    except OSError:
        stop("--paper names a file that can be read.")
    body = {"person": person, "training": training.value, "issuer": issuer, "sha256": digest}
    body |= {"since": since.replace(tzinfo=UTC).isoformat(), "until": until.replace(tzinfo=UTC).isoformat()}
    with Client(server, token) as client:
        made = client.post(f"{API}/certificates", body)
    _show(made, as_json, f"{person} is trained as {training.value} until {made['until']}.")


@app.command()
def contact(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Where your notices go; empty ends them.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Say where your notices go."""
    with Client(server, token) as client:
        made = client.post(f"{API}/me:contact", {"email": email})
    _show(made, as_json, "Notices go there." if email else "You get no mail.")


@app.command()
def policy(
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    file: Annotated[
        Path | None, typer.Option("--file", help="TOML with thresholds; those left out are the platform's.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show a project's policies, or propose the next version (DAC members, senior stewards)."""
    with Client(server, token) as client:
        if file is None:
            show_versions(client.get(f"{API}/projects/{project}/policies"), as_json, NOBODY)
            return
        made = client.post(f"{API}/projects/{project}/policies", {"thresholds": read_thresholds(file)})
    _show(made, as_json, waiting(made, "DAC member or senior steward", f"strongroom project sign-policy {project}"))


@app.command("sign-policy")
def sign_policy(
    project: Annotated[str, typer.Argument(metavar="PROJECT")],
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1)],
    sha256: Annotated[str, typer.Option("--sha256", help="The digest of the thresholds that you read.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Put a policy in force that somebody else proposed (DAC members, senior stewards)."""
    with Client(server, token) as client:
        made = client.post(f"{API}/projects/{project}/policies/{version}:sign", {"sha256": sha256})
    _show(made, as_json, f"Version {made['version']} of the policy of {project} is in force.")


def _show(value: Any, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(value)
    else:
        typer.echo(sentence)
