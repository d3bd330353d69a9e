"""`strongroom request`: asks for outputs of a run to be released."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, stop

AIRLOCK = "/api/airlock/v1"
KEYS = "/api/access/v1/keys"
app = typer.Typer(help="Release requests: what may leave, and when.", no_args_is_help=True)
RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="The request's id.")]
Files = Annotated[list[str], typer.Option("--file", help="A file's path in the run; may be given again.")]
Key = Annotated[str, typer.Option("--key", help="Fingerprint of your registered key; needed if you have several.")]


@app.command()
def create(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    purpose: Annotated[str, typer.Option(help="What the files are and what they are for; stewards read it.")],
    files: Files = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Draft a request for files of a run (all that may leave, if none is named) and have them scanned."""
    with Client(server, token) as client:
        made = client.post(f"{AIRLOCK}/requests", {"run": run, "files": files, "purpose": purpose})
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
    out.print(files_table(held["files"]))
    print_findings(held["files"])


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
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Change a request that is blocked, ready or returned, and have it scanned again."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:edit", {"files": files, "purpose": purpose or None})
    show_request(changed, as_json=as_json)


@app.command()
def scan(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Scan a request once more whose scan failed."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:scan")
    show_request(changed, as_json=as_json)


@app.command()
def submit(
    request: RequestId, key: Key = "", token: Token = "", server: Server = SERVER, as_json: AsJson = False
) -> None:
    """Hand a request to the stewards; files and your key are frozen from then on."""
    _hand_over(request, "submit", key, token=token, server=server, as_json=as_json)


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


def _hand_over(request: str, verb: str, key: str, *, token: str, server: str, as_json: bool) -> None:
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/requests/{request}:{verb}", {"key": key or _only_key(client)})
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
    if request["recipient_fingerprint"]:
        out.print(plain(f"Sealed to the key {request['recipient_fingerprint']}"))
    if request["trouble"]:
        out.print(plain(request["trouble"]))
    out.print(files_table(request["files"]))
    print_findings(request["files"])
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


def files_table(files: list[dict[str, Any]]) -> Table:
    """Return files as a table: path, verdict, size, and what has become of them."""
    table = Table("File", "Verdict", "Bytes", "Note")
    for file in files:
        note = "went on in a request of its own" if file.get("split_off") else file.get("my_vote") or ""
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
