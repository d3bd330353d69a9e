"""`strongroom request`: asks for outputs of a run to be released."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from airlock.checks.fixes import FixKind
from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, refusals, stop
from strongroom.errors import BadRequest

AIRLOCK = "/api/airlock/v1"
KEYS = "/api/access/v1/keys"
app = typer.Typer(help="Release requests: what may leave, and when.", no_args_is_help=True)
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")]
Files = Annotated[list[str], typer.Option("--file", help="A file's path in the run; may be given again.")]
Supporting = Annotated[
    list[str],
    typer.Option("--supporting", help="A file that only stewards see; may be given again."),
]
Groups = Annotated[
    Path | None, typer.Option("--groups", help="JSON file: a list of groups, each name, files, context, controls.")
]
Key = Annotated[str, typer.Option("--key", help="Fingerprint of your registered key; needed if you have several.")]


@app.command()
def create(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    purpose: Annotated[str, typer.Option(help="What the files are and what they are for; stewards read it.")],
    files: Files = [],  # noqa: B006
    supporting: Supporting = [],  # noqa: B006
    groups: Groups = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Draft a request for files of a run (all that may leave, if none is named) and have them scanned."""
    with Client(server, token) as client:
        body = {"run": run, "files": files, "purpose": purpose, "supporting": supporting, "groups": _groups(groups)}
        made = client.post(f"{AIRLOCK}/requests", body)
    show_request(made, as_json=as_json)


@app.command()
def outputs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what the airlock holds of a run."""
    with Client(server, token) as client:
        held = client.get(f"{AIRLOCK}/outputs", run=run)
    if as_json:
        print_json(held)
        return
    show_outputs(held)


@app.command()
def fix(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Path of the table, or of a fixed copy, in the run.")],
    how: Annotated[FixKind, typer.Option(help="merge-bands and drop-column need --column.", show_default=False)],
    column: Annotated[str, typer.Option(help="The column to leave out, or whose bands are merged.")] = "",
    bands: Annotated[
        list[str], typer.Option("--band", help="A band to merge with others; without, all are merged in pairs.")
    ] = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Make a fixed copy of a table, which tells less; it stays inside until you ask for it like any output."""
    with Client(server, token) as client:
        found = [one for one in client.get(f"{AIRLOCK}/outputs", run=run)["files"] if one["path"] == file]
        if not found:
            stop("The airlock holds no such file of this run; see `strongroom request outputs`.")
        body = {"kind": how.value, "column": column, "bands": bands}
        held = client.post(f"{AIRLOCK}/outputs/{found[0]['id']}:fix", body)
    if as_json:
        print_json(held)
        return
    show_outputs(held)


@app.command("list")
def list_(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show your requests, newest first."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/requests")["requests"]
    show_lines(found, as_json=as_json)


@app.command()
def show(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show one request: its files, findings, and what you may do next."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/requests/{request}")
    show_request(found, as_json=as_json)


@app.command()
def edit(
    request: RequestId,
    purpose: Annotated[str, typer.Option(help="A new purpose; the old one stays if you give none.")] = "",
    files: Files = [],  # noqa: B006
    supporting: Supporting = [],  # noqa: B006
    groups: Groups = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Change a request that is blocked, ready or returned, and have it scanned again."""
    with Client(server, token) as client:
        body: dict[str, Any] = {"files": files, "purpose": purpose or None}
        body |= {"supporting": supporting} if supporting else {}
        body |= {"groups": _groups(groups)} if groups else {}
        changed = client.post(f"{AIRLOCK}/requests/{request}:edit", body)
    show_request(changed, as_json=as_json)


@app.command()
def scan(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Scan a request once more whose scan failed."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:scan")
    show_request(changed, as_json=as_json)


@app.command()
def submit(
    request: RequestId,
    key: Key = "",
    deliver: Annotated[
        list[str], typer.Option("--deliver", help="PATH=URL: a presigned URL that a file is put to once released.")
    ] = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Hand a request to the stewards; files, your key and places are frozen from then on."""
    if any("=" not in one for one in deliver):
        stop("--deliver is PATH=URL.", 2)
    places = dict(one.split("=", 1) for one in deliver)
    _hand_over(request, "submit", key, token=token, server=server, as_json=as_json, deliver_to=places)


@app.command()
def appeal(
    request: RequestId, key: Key = "", token: Token = "", server: Server = SERVER, as_json: AsJson = False
) -> None:
    """Ask two other stewards, once."""
    _hand_over(request, "appeal", key, token=token, server=server, as_json=as_json)


@app.command()
def withdraw(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Take a request back for good."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:withdraw")
    show_request(changed, as_json=as_json)


@app.command()
def comment(
    request: RequestId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the stewards should know.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Answer the stewards."""
    with Client(server, token) as client:
        made = client.post(f"{AIRLOCK}/requests/{request}:comment", {"audience": "stewards", "text": text})
    if as_json:
        print_json(made)
    else:
        out.print(plain("The stewards read it."))


def _groups(file: Path | None) -> list[Any]:
    if file is None:
        return []
    with refusals():
        try:
            found = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise BadRequest("--groups names a JSON file: a list of name, files, context, controls.") from error
    return found if isinstance(found, list) else [found]


def _hand_over(
    request: str,
    verb: str,
    key: str,
    *,
    token: str,
    server: str,
    as_json: bool,
    deliver_to: dict[str, str] | None = None,
) -> None:
    with Client(server, token) as client:
        body: dict[str, Any] = {"key": key or _only_key(client)}
        body |= {"deliver_to": deliver_to} if deliver_to else {}
        changed = client.post(f"{AIRLOCK}/requests/{request}:{verb}", body)
    show_request(changed, as_json=as_json)


def _only_key(client: Client) -> str:
    keys = client.get(KEYS)
    if not keys:
        stop("Register a Crypt4GH key first: `strongroom key add FILE.pub --secret FILE`.")
    if len(keys) > 1:
        stop("You have several keys; say which with --key FINGERPRINT (`strongroom key list`).", 2)
    return str(keys[0]["fingerprint"])


def plain(text: object) -> Text:
    """Return `text` for a terminal: no markup, and nothing that moves the cursor or hides."""
    return Text("".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in str(text)))


def show_outputs(held: dict[str, Any]) -> None:
    """Print what the airlock holds of a run."""
    out.print(files_table(held["files"]))
    print_findings(held["files"])


def show_lines(lines: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print a list of requests."""
    if as_json:
        print_json(lines)
        return
    table = Table("Request", "State", "Turn", "Files", "Project", "Requester", "Changed")
    for line in lines:
        cells = (line[k] for k in ("id", "state", "turn", "files", "project", "requester", "changed"))
        table.add_row(*map(plain, cells))
    out.print(table)


def show_request(request: dict[str, Any], *, as_json: bool) -> None:
    """Print one request."""
    if as_json:
        print_json(request)
        return
    out.print(plain(f"{request['id']}  {request['state']}  turn {request['turn']}  of {request['requester']}"))
    out.print(plain(request["purpose"]))
    if where := _where_to(request):
        out.print(plain(where))
    if request["trouble"]:
        out.print(plain(request["trouble"]))
    for group in request["groups"]:
        out.print(plain(f"{group['name']}: {group['context']}\n  made safe by: {group['controls']}"))
    out.print(files_table(request["files"]))
    print_findings(request["files"])
    for said in request["comments"]:
        words = " ".join(filter(None, [said["sentence"], said["text"]]))
        out.print(plain(f"{said['author'] or 'a steward'} (turn {said['turn']}): {words}"))
    if request["stopped"]:
        out.print(plain("All releases are stopped for now."))
    if request["place"]:
        out.print(plain(f"Place in the queue: {request['place']}"))
    for file in request["files"]:
        if file.get("deliver_to"):
            out.print(plain(f"{file['path']}: goes to {file['deliver_to']} once released ({file['delivery']})"))
            out.print(plain(f"  SHA-256 of the whole URL: {file['deliver_to_sha256']}"))
        for reason in file["reasons"]:
            out.print(plain(f"{file['path']}: {reason['sentence']}"))
        for vote in file["votes"]:
            why = f" ({vote['reason']})" if vote["reason"] else ""
            out.print(plain(f"{file['path']}: {vote['steward']} says {vote['vote']}{why}"))
    if request["may"]:
        out.print(plain(f"You may make it: {', '.join(request['may'])}"))


def _where_to(request: dict[str, Any]) -> str:
    if request["dataset"]:
        return f"Comes into {request['dataset']} once approved; brought in by the ingress {request['run']}"
    return f"Sealed to the key {request['recipient_fingerprint']}" if request["recipient_fingerprint"] else ""


def files_table(files: list[dict[str, Any]]) -> Table:
    """Return files as a table: path, verdict, size, and what has become of them."""
    table = Table("File", "Verdict", "Bytes", "Note")
    for file in files:
        note = "went on in a request of its own" if file.get("split_off") else file.get("my_vote") or ""
        if file.get("fixes"):
            note = f"fixed copy: {', then '.join(file['fixes'])} {note}".strip()
        if file.get("supporting"):
            note = "supporting: never leaves"
        if file.get("lifted"):
            note = f"{note} block lifted".strip()
        if file.get("downloads") is not None:
            note = f"downloaded {file['downloads']} times"
        table.add_row(
            plain(file["path"]), file["verdict"], "" if file["size"] is None else str(file["size"]), plain(note)
        )
    return table


def print_findings(files: list[dict[str, Any]]) -> None:
    """Print what the checks found, with the place and the cure."""
    for file in files:
        for finding in file["findings"]:
            place = ", ".join(f"{name} {number}" for name, number in finding["place"].items())
            where = f" ({place})" if place else ""
            said = f"{finding['severity']} {finding['code']}: {finding['reason']} {finding['cure']}"
            out.print(plain(f"{file['path']}{where}: {said}"))
