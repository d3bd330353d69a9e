"""The verbs of `strongroom review` beside the votes: step back, comment, lift, register, figures."""

from typing import Annotated, Any

import typer
from rich.table import Table

from airlock.release_requests import LiftReason, Remark
from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json
from strongroom.cli.request import AIRLOCK, Files, RequestId, plain
from strongroom.cli.review import app, chosen_files


@app.command()
def decline(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Have another steward drawn in your place."""
    _do(f"reviews/{request}:decline", None, "Another steward was drawn.", token=token, server=server, as_json=as_json)


@app.command()
def interest(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Declare an interest of your own: you are off this request for good, and your votes are void."""
    said = "You are off this request; others decide on it."
    _do(f"reviews/{request}:interest", None, said, token=token, server=server, as_json=as_json)


@app.command()
def comment(
    request: RequestId,
    text: Annotated[str, typer.Option(help="Free text; it reaches the requester once the other confirms.")] = "",
    remark: Annotated[Remark | None, typer.Option(help="What is to change, in the words of a closed list.")] = None,
    private: Annotated[bool, typer.Option("--private", help="For the other steward alone.")] = False,
    file: Annotated[str, typer.Option(help="Path of the file that it is about.")] = "",
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Comment on a request, for its requester or for the other steward."""
    with Client(server, token) as client:
        about = chosen_files(client.get(f"{AIRLOCK}/reviews/{request}"), [file])[0]["id"] if file else None
        body = {
            "audience": "stewards" if private else "requester",
            "remark": remark.value if remark else None,
            "text": text or None,
            "file": about,
        }
        made = client.post(f"{AIRLOCK}/reviews/{request}:comment", body)
    _say(made, f"Comment {made['id']}" + (" waits for the other steward." if made["waits"] else "."), as_json=as_json)


@app.command()
def confirm(
    request: RequestId,
    comment: Annotated[str, typer.Argument(metavar="COMMENT", help="The comment's id.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Let the other steward's words reach the requester."""
    said, body = "The requester reads it once the request is decided.", {"comment": comment}
    _do(f"reviews/{request}:confirm", body, said, token=token, server=server, as_json=as_json)


@app.command()
def lift(
    request: RequestId,
    reason: Annotated[LiftReason, typer.Option(help="Why; it stands in the register.")],
    note: Annotated[str, typer.Option(help="What you saw, in words; it stands in the register.")],
    files: Files = [],  # noqa: B006
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Lift what automatic checks block (senior stewards); two others vote as ever."""
    with Client(server, token) as client:
        whole = client.get(f"{AIRLOCK}/requests/{request}")
        chosen = chosen_files(whole, files) if files else [f for f in whole["files"] if f["verdict"] == "block"]
        body = {"files": [one["id"] for one in chosen], "reason": reason.value, "note": note}
        done = client.post(f"{AIRLOCK}/requests/{request}:lift", body)
    _say(done, f"Lifted {len(chosen)} block(s); it stands in the register.", as_json=as_json)


@app.command()
def register(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show the register of lifted blocks of your projects."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/register")["lifts"]
    if as_json:
        print_json(found)
        return
    table = Table("Time", "Request", "Findings", "Senior", "Reason", "Note")
    for line in found:
        cells = (line["time"], line["request"], " ".join(line["codes"]), line["senior"], line["reason"], line["note"])
        table.add_row(*map(plain, cells))
    out.print(table)


@app.command()
def figures(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show how the airlock does in your projects: flow, turnaround, agreement, findings."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/figures")
    if as_json:
        print_json(found)
        return
    turn = found["turnaround"]
    out.print(plain(f"waiting {found['waiting']}, decided {found['decided']}, first pass {found['first_pass_rate']}"))
    out.print(plain(f"turnaround: median {turn['median_hours']} h, 90th percentile {turn['p90_hours']} h"))
    table = Table("Week", "Requests", "Files", "Released", "Bytes")
    for week in found["weeks"]:
        table.add_row(*(plain(week[name]) for name in ("week", "requests", "files", "released", "bytes")))
    out.print(table)


def _do(place: str, body: dict[str, Any] | None, said: str, *, token: str, server: str, as_json: bool) -> None:
    with Client(server, token) as client:
        _say(client.post(f"{AIRLOCK}/{place}", body), said, as_json=as_json)


def _say(value: Any, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        out.print(plain(sentence))
