"""`strongroom review`: lets data stewards look at files, vote on each, and decide."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from airlock.release_requests import Outcome, Reason
from strongroom.cli.check import read_policy
from strongroom.cli.client import FAILED, SERVER, USAGE, AsJson, Client, Server, Token, out, print_json, stop
from strongroom.cli.request import AIRLOCK, Files, RequestId, plain, show_lines, show_request

app = typer.Typer(help="Release requests that wait for a data steward.", no_args_is_help=True)
BARS = " ▁▂▃▄▅▆▇█"
MOST_ROW = 10**9  # as the airlock's API has it


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
    first: Annotated[
        int, typer.Option("--from", min=1, max=MOST_ROW, help="The first row to draw; 200 are drawn.")
    ] = 1,
    page: Annotated[
        int | None, typer.Option(min=1, max=MOST_ROW, help="Of the PDFs in a file: the page to draw, for --json.")
    ] = None,
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
        chosen = chosen_files(whole, [file])[0]
        shown = client.get(f"{AIRLOCK}/reviews/{request}/files/{chosen['id']}/view", first=str(first), page=page)
    if as_json:
        print_json(shown)
    else:
        draw(shown)


@app.command()
def compare(
    request: RequestId,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Path of a table.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show a table beside its last release, cell by cell; each look is in the audit log."""
    with Client(server, token, timeout=300) as client:
        whole = client.get(f"{AIRLOCK}/reviews/{request}")
        chosen = chosen_files(whole, [file])[0]
        found = client.get(f"{AIRLOCK}/reviews/{request}/files/{chosen['id']}/beside")
    if as_json:
        print_json(found)
    else:
        draw_beside(found)


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
        leaving = [f for f in whole["files"] if not f["supporting"] and not f["split_off"]]
        chosen = chosen_files(whole, files) if files else [f for f in leaving if f["my_vote"] is None]
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


@app.command()
def replay(
    policy: Annotated[Path, typer.Option(help="Thresholds (YAML or JSON) that are stricter than the platform's.")],
    requests: Annotated[
        list[str] | None, typer.Argument(metavar="[REQUEST…]", help="By default all that you may see.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Show what earlier requests would have got under other thresholds; nothing changes."""
    limits = read_policy(policy).as_json()
    with Client(server, token, timeout=600) as client:
        known = [row["id"] for at in ("reviews", "releases") for row in client.get(f"{AIRLOCK}/{at}")["requests"]]
        replayed = [
            client.post(f"{AIRLOCK}/reviews/{one}:replay", {"policy": limits})
            for one in requests or sorted(set(known))
        ]
    if as_json:
        print_json(replayed)
        return
    table = Table("Request", "File", "Got", "Would get", "Findings")
    for one in replayed:
        for file in one["files"]:
            table.add_row(
                one["request"], plain(file["path"]), file["before"], file["after"], ", ".join(file["codes"])
            )
    out.print(table)


def _what_votes_say(files: list[dict[str, Any]]) -> Outcome:
    files = [file for file in files if not file["supporting"]]
    good = [f for f in files if len(f["votes"]) >= 2 and all(v["vote"] == "yes" for v in f["votes"])]
    if good and len(good) == len(files):
        return Outcome.APPROVE
    return Outcome.SPLIT if good else Outcome.RETURN


def chosen_files(whole: dict[str, Any], paths: list[str]) -> list[dict[str, Any]]:
    """Return the files of a request that have these paths; a path that it has not ends the command."""
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
    _draw_view(view)


def draw_beside(found: dict[str, Any]) -> None:
    """Print a table beside its last release: what changed as old → new."""
    out.print(plain(f"{found['path']} beside {found['released_path']}, released {found['released']}"))
    out.print(plain(f"cells changed {found['changed']}, added {found['added']}, removed {found['removed']}"))
    marks = {"same": "", "changed": "≠", "added": "+", "removed": "-"}
    heads = [f"{marks[one['change']]}{one['name']}" for one in found["columns"]]
    table = Table("Row", "", *(Column(plain(head)) for head in heads))
    for row in found["rows"]:
        cells = [_beside(cell) for cell in row["cells"]]
        table.add_row(str(row["number"]), marks[row["change"]], *map(plain, cells))
    out.print(table)
    if not found["whole"]:
        out.print(plain("Rows beyond those that both show were not compared."))


def _beside(cell: dict[str, Any]) -> str:
    match cell["change"]:
        case "changed":
            return f"{cell['before']} → {cell['text']}"
        case "removed":
            return f"-{cell['before']}"
        case "added":
            return f"+{cell['text']}"
        case _:
            return str(cell["text"])


def _draw_view(view: dict[str, Any]) -> None:
    match view["kind"]:
        case "table" | "vcf":
            table = Table(Column("Row", justify="right"), *(Column(plain(name)) for name in view["columns"]))
            for number, row in enumerate(view["rows"], start=view["first"]):  # findings name rows by these numbers
                table.add_row(str(number), *map(plain, row))
            out.print(table)
        case "text":
            for row in view["rows"]:
                out.print(plain(" ".join(row)))
        case "image":
            size = len(base64.b64decode(view["png"]))
            out.print(plain(f"A PNG of {view['width']} by {view['height']} pixels ({size} bytes as shown)."))
        case "page":
            drawn = f"a PNG of {view['width']} by {view['height']} pixels" if view["png"] else "it cannot be drawn"
            out.print(plain(f"Page {view['number']} of {view['total']}: {drawn}."))
        case "parts":
            for part in view["parts"]:
                out.print(plain(f"part {part['number']} of {view['total_parts']}: {part['format']}"))
                _draw_view(part["view"])
        case _:
            stop("This client is older than the server and cannot draw this file.")
    if view["kind"] == "vcf":
        out.print(plain(f"sample columns: {view['sample_columns']}, header lines: {view['header_lines']}"))
        out.print(plain(f"allele frequencies 0 to 1: {_bars(view['frequency_histogram'])}"))
    if view.get("truncated") and not view["rows"]:
        out.print(plain(f"No rows here: the last of them is row {view['total_rows']}."))
    elif view.get("truncated"):
        out.print(plain(f"{len(view['rows'])} of {view['total_rows']} rows are shown, from row {view['first']} on."))


def _bars(counts: list[int]) -> str:
    most = max(counts, default=0) or 1
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] for count in counts)
