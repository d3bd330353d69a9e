"""`strongroom release`: fetches what was released, and calls it back."""

import contextlib
import hashlib
import secrets
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, refusals, stop
from strongroom.cli.key import read_secret
from strongroom.cli.request import AIRLOCK, RequestId, plain, show_lines, show_request
from strongroom.errors import StrongroomError

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
            stop(f"There is nothing to download: the request is {whole['state']}.")
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
