"""`strongroom review`: lets data stewards look at files, vote on each, and decide."""

import base64
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from strongroom.cli.client import FAILED, SERVER, USAGE, AsJson, Client, Server, Token, out, print_json, stop
from strongroom.cli.request import AIRLOCK, Files, RequestId, plain, show_lines, show_request

app = typer.Typer(help="Release requests that wait for a data steward.", no_args_is_help=True)
BARS = " ▁▂▃▄▅▆▇█"


class Reason(StrEnum):
    """Why a file is refused; the requester reads the sentence behind it."""

    SMALL_COUNTS = "small-counts"
    PERSON_LEVEL = "person-level"
    DIFFERENCING = "differencing"
    TOO_MUCH = "too-much"
    UNCLEAR = "unclear"
    OUTSIDE_PURPOSE = "outside-purpose"
    BLOCKED_BY_CHECKS = "blocked-by-checks"


class Outcome(StrEnum):
    """What two reviews come to."""

    APPROVE = "approve"
    SPLIT = "split"
    RETURN = "return"
    REJECT = "reject"


@app.command("list")
def list_(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show the requests that wait for you."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/reviews")["requests"]
    show_lines(found, as_json=as_json)


@app.command()
def show(
    request: RequestId,
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="Path of one file to look at.")] = "",
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show a request, or the inside of one of its files; nothing is kept, and each look is in the audit log."""
    with Client(server, token, timeout=300) as client:
        whole = client.get(f"{AIRLOCK}/reviews/{request}")
        if not file:
            show_request(whole, as_json=as_json)
            return
        chosen = _chosen(whole, [file])[0]
        shown = client.get(f"{AIRLOCK}/reviews/{request}/files/{chosen['id']}/view")
    if as_json:
        print_json(shown)
    else:
        draw(shown)


@app.command()
def vote(
    request: RequestId,
    yes: Annotated[bool | None, typer.Option("--yes/--no", help="May it leave?", show_default=False)] = None,
    files: Files = [],  # noqa: B006
    reason: Annotated[Reason, typer.Option(help="Why not; the requester reads it.")] = Reason.UNCLEAR,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Vote on files of a request; without --file on all that you have not voted on."""
    if yes is None:
        stop("Say --yes or --no.", USAGE)
    with Client(server, token) as client:
        whole = client.get(f"{AIRLOCK}/reviews/{request}")
        chosen = _chosen(whole, files) if files else [f for f in whole["files"] if f["my_vote"] is None]
        if not chosen:
            stop("You have voted on every file of this request.", FAILED)
        votes = [
            {
                "file": one["id"],
                "vote": "yes" if yes else "no",
                "reason": None if yes else reason.value,
                "body_sha256": one["body_sha256"],
            }
            for one in chosen
        ]
        changed = client.post(f"{AIRLOCK}/reviews/{request}:vote", {"votes": votes})
    show_request(changed, as_json=as_json)


@app.command()
def consolidate(
    request: RequestId,
    outcome: Annotated[
        Outcome | None, typer.Option(help="By default what the votes say: approve, split or return.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Bring both reviews to one decision."""
    with Client(server, token) as client:
        chosen = outcome or _what_votes_say(client.get(f"{AIRLOCK}/reviews/{request}")["files"])
        changed = client.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": chosen.value})
    show_request(changed, as_json=as_json)


def _what_votes_say(files: list[dict[str, Any]]) -> Outcome:
    good = [f for f in files if len(f["votes"]) >= 2 and all(v["vote"] == "yes" for v in f["votes"])]
    if good and len(good) == len(files):
        return Outcome.APPROVE
    return Outcome.SPLIT if good else Outcome.RETURN


def _chosen(whole: dict[str, Any], paths: list[str]) -> list[dict[str, Any]]:
    by_path = {file["path"]: file for file in whole["files"] if not file["split_off"]}
    unknown = [path for path in paths if path not in by_path]
    if unknown:
        stop(f"This request has these files: {', '.join(sorted(by_path))}.", USAGE)
    return [by_path[path] for path in paths]


def draw(shown: dict[str, Any]) -> None:
    """Print the rendering of one file."""
    view, facts = shown["view"], ", ".join(f"{name} {number}" for name, number in sorted(shown["facts"].items()))
    out.print(plain(f"{shown['path']}  {shown['format']}  {facts}"))
    out.print(plain(f"bytes under review: {shown['body_sha256']}"))
    match view["kind"]:
        case "table" | "vcf":
            table = Table(*(Column(plain(name)) for name in view["columns"]))
            for row in view["rows"]:
                table.add_row(*map(plain, row))
            out.print(table)
        case "text":
            for row in view["rows"]:
                out.print(plain(" ".join(row)))
        case "image":
            size = len(base64.b64decode(view["png"]))
            out.print(plain(f"A PNG of {view['width']} by {view['height']} pixels ({size} bytes as shown)."))
        case _:
            stop("This client is older than the server and cannot draw this file.")
    if view["kind"] == "vcf":
        out.print(plain(f"sample columns: {view['sample_columns']}, header lines: {view['header_lines']}"))
        out.print(plain(f"allele frequencies 0 to 1: {_bars(view['frequency_histogram'])}"))
    if view.get("truncated"):
        out.print(plain(f"{len(view['rows'])} of {view['total_rows']} rows are shown."))


def _bars(counts: list[int]) -> str:
    most = max(counts, default=0) or 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] for count in counts)
