"""`strongroom release`: fetches what was released and its proof, verifies both, and calls a release back."""

import contextlib
import hashlib
import secrets
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from airlock.release_requests import StopReason
from strongroom.cli import client as clients
from strongroom.cli.audit import verifying_key
from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, refusals
from strongroom.cli.key import read_secret
from strongroom.cli.request import AIRLOCK, RequestId, plain, show_lines, show_request
from strongroom.errors import BadRequest, StrongroomError
from strongroom.settings import load

app = typer.Typer(help="What was released.", no_args_is_help=True)


@app.command("list")
def list_(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show releases of your requests, and of the projects that you are a steward of."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/releases")["requests"]
    show_lines(found, as_json=as_json)


@app.command()
def download(
    request: RequestId,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the files.")],
    key: Annotated[
        Path | None, typer.Option("--key", help="Your Crypt4GH secret key; without it files stay sealed.")
    ] = None,
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Download the files of a release; with --key they are opened and compared with the release's digests."""
    with refusals():
        private = read_secret(key) if key is not None else None
    with Client(server, token, timeout=300) as client:
        whole = client.get(f"{AIRLOCK}/requests/{request}")
        files = [file for file in whole["files"] if file["link"]]
        if not files:
            clients.stop(f"There is nothing to download: the request is {whole['state']}.")
        with refusals():
            got = [_fetch(client, file, folder, private) for file in files]
    if as_json:
        print_json([str(path) for path in got])
        return
    for path in got:
        out.print(plain(path))


@app.command()
def revoke(request: RequestId, token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Call a release back (data stewards): its links answer no more."""
    with Client(server, token) as client:
        changed = client.post(f"{AIRLOCK}/releases/{request}:revoke")
    show_request(changed, as_json=as_json)


@app.command("crate")
def crate_(
    request: RequestId,
    out_file: Annotated[Path, typer.Option("--out", "-o", help="The crate, a new file.")],
    full: Annotated[bool, typer.Option("--full", help="With votes and looks (stewards and auditors).")] = False,
    token: Token = "",
    server: Server = SERVER,
) -> None:
    """Fetch a release's Five Safes RO-Crate, which `verify` checks anywhere."""
    with Client(server, token, timeout=300) as client, refusals():
        part = out_file.with_name(f".{out_file.name}.{secrets.token_hex(4)}")
        if out_file.exists():
            raise StrongroomError(f"{out_file} exists; nothing is overwritten. Choose another --out.")
        query = "?full=true" if full else ""
        try:
            with (
                client.stream("GET", f"{AIRLOCK}/releases/{request}/crate{query}") as answer,
                part.open("xb") as body,
            ):
                for piece in answer.iter_bytes():
                    body.write(piece)
            part.rename(out_file)
        except OSError as error:
            raise BadRequest(f"{out_file} cannot be written: {error.strerror}.") from error
        finally:
            part.unlink(missing_ok=True)
    out.print(plain(out_file))


@app.command()
def verify(
    crate: Annotated[Path, typer.Argument(metavar="CRATE")],
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="PEM of the key that signs heads; else this home's.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option("--files", help="Folder of the downloaded files, also checked.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Refuse a crate that does not show the votes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a crate without any server; exit 1 names the file, entry or byte that was changed."""
    from airlock.crate_check import BadCrate, verify_crate  # one verb of many: the others start without it

    with refusals():
        pinned = load().home / "trust" / "signer.pem"
        if public_key is None and not pinned.exists():
            raise BadRequest("Give --public-key: without the signer's key nothing is proved.")
        key = verifying_key(public_key or pinned)
        try:
            raw = crate.read_bytes()
        except OSError as error:
            raise BadRequest(f"{crate} cannot be read.") from error
        found = verify_crate(raw, key)
        if full and not found.reviewers:
            raise BadCrate("This is a clean crate: it does not show the votes. Ask an auditor for the full one.")
        if files is not None:
            for path in sorted(found.files):
                _check_file(files, path, sha256=found.files[path], body_sha256=found.bodies[path])
    if as_json:
        print_json(asdict(found))
        return
    count, noun = len(found.files), "file" if len(found.files) == 1 else "files"
    typer.echo(f"The crate is whole: release {found.request}, {count} {noun}, {found.events} proven events.")
    typer.echo(f"The signed head of {found.entries} entries is good: {found.root}.")
    if found.called_back:
        typer.echo("This release was called back: its files must not be used any more.")
    for path, stewards in sorted(found.reviewers.items()):
        typer.echo(f"{plain(path)}: approved by {', '.join(stewards)}")
    if not found.reviewers:
        typer.echo("It is a clean crate: votes are proved by the full one.")


def _check_file(folder: Path, path: str, *, sha256: str, body_sha256: str) -> None:
    opened = inside(folder, path)
    sealed = opened.with_name(f"{opened.name}.c4gh")
    present = [file for file in (opened, sealed) if file.is_file()]
    if not present:
        raise StrongroomError(f"{path} is not in the folder.")
    for file in present:
        raw = file.read_bytes()
        body = raw[header_length(raw) :] if file == sealed else raw
        if hashlib.sha256(body).hexdigest() != (body_sha256 if file == sealed else sha256):
            raise StrongroomError(f"{file.name} was changed: it is not what was reviewed and released.")


def header_length(sealed: bytes) -> int:
    """Return how long the header of a Crypt4GH file is; a damaged one takes all, so that no body is found."""
    at = 16
    for _ in range(int.from_bytes(sealed[12:16], "little")):
        at += max(int.from_bytes(sealed[at : at + 4], "little"), 4)
        if at > len(sealed):
            return len(sealed)
    return at


@app.command()
def stop(
    reason: Annotated[StopReason, typer.Option(help="Why; everybody may read it.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Stop all releases, downloads and deliveries at once (stewards, operators, auditors)."""
    with Client(server, token) as client:
        made = client.post(f"{AIRLOCK}/stops", {"reason": reason.value})
    if as_json:
        print_json(made)
    else:
        out.print(plain(f"Nothing leaves until two stewards say `strongroom release resume {made['id']}`."))


@app.command()
def resume(
    stop_id: Annotated[str, typer.Argument(metavar="STOP", help="The stop's id.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Say that releases may go on; they do when two stewards have said so."""
    with Client(server, token) as client:
        found = client.post(f"{AIRLOCK}/stops/{stop_id}:lift")
    if as_json:
        print_json(found)
    else:
        out.print(plain("Releases go on." if found["lifted"] else "Another steward must say so too."))


@app.command()
def stops(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """Show the emergency stops in force."""
    with Client(server, token) as client:
        found = client.get(f"{AIRLOCK}/stops")["stops"]
    if as_json:
        print_json(found)
        return
    for one in found:
        who = one["stopped_by"] or "a steward or operator"
        out.print(plain(f"{one['id']}  since {one['stopped']}  {one['reason']}  by {who}"))


def _fetch(client: Client, file: dict[str, Any], folder: Path, private: bytes | None) -> Path:
    target = inside(folder, file["path"])
    sealed = target.with_name(f"{target.name}.c4gh")
    for path in (target, sealed):
        if path.exists():
            raise StrongroomError(f"{path} exists; nothing is overwritten. Choose another --out.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = sealed.with_name(f".{sealed.name}.{secrets.token_hex(4)}")
    try:
        with client.stream("GET", file["link"]) as answer, part.open("xb") as body:
            for piece in answer.iter_bytes():
                body.write(piece)
        if private is None:
            return part.rename(sealed)
        open_file(part, target, private=private, sha256=file["sha256"])
    finally:
        part.unlink(missing_ok=True)
    return target


def open_file(sealed: Path, target: Path, *, private: bytes, sha256: str) -> None:
    """Decrypt a Crypt4GH file; what does not open whole, or has another digest than told, is not kept."""
    from crypt4gh.lib import decrypt

    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with sealed.open("rb") as source, part.open("xb") as opened:
            try:
                decrypt([(0, private, None)], source, opened)
            except Exception as error:
                raise StrongroomError(f"{target.name} does not open with this key.") from error
        if hashlib.sha256(part.read_bytes()).hexdigest() != sha256:
            raise StrongroomError(f"{target.name} is not what was released; download it again.")
        part.rename(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def inside(folder: Path, path: str) -> Path:
    """Return where a file goes below `folder`; a path that would leave it is refused."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or any(part in ("..", ".") or "\0" in part for part in pure.parts):
        raise StrongroomError("The server named a path outside the folder; nothing was written.")
    return folder.joinpath(*pure.parts)
