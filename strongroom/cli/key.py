"""The verbs of `strongroom key`: new, add, list, new-vetter."""

import base64
import getpass
import io
import logging
import os
import sys
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from rich.table import Table

from strongroom.audit import Entry, Event, append
from strongroom.cli.client import SERVER, AsJson, Client, Server, Token, out, print_json, refusals
from strongroom.cli.token import open_prepared_database
from strongroom.database import transaction
from strongroom.dsse import key_id, sign
from strongroom.errors import BadRequest, Conflict, NotAllowed, StrongroomError
from strongroom.settings import Settings, load

API = "/api/access/v1"
ENDORSEMENT = "application/vnd.strongroom.endorsement+json"
FOUNDERS = 2
app = typer.Typer(help="Your own keys, and those of vetters.", no_args_is_help=True)
# The crypt4gh package logs key material at DEBUG (decision 20); nothing of it may reach a handler.
logging.getLogger("crypt4gh").disabled = True
for _name in ("keys.c4gh", "keys", "header", "lib", "sodium", "keys.kdf", "keys.ssh"):
    logging.getLogger(f"crypt4gh.{_name}").disabled = True


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The secret key; the public one is FILE.pub.")],
    passphrase: Annotated[bool, typer.Option("--passphrase/--no-passphrase", help="Ask for a passphrase.")] = False,
) -> None:
    """Make a Crypt4GH key pair."""
    with refusals():
        public = make_pair(file, passphrase=_asked_twice() if passphrase else "")
    typer.echo(f"Secret key: {file} (keep it; nobody can replace it)\nPublic key: {public}")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.pub")],
    secret: Annotated[Path, typer.Option("--secret", help="The secret key of the same pair; it never leaves here.")],
    token: Token = "",
    server: Server = SERVER,
    as_json: AsJson = False,
) -> None:
    """Register your public key, with a proof that you hold its secret."""
    with refusals():
        public, private = read_public(file), read_secret(secret)
    with Client(server, token) as client:
        asked = client.post(f"{API}/keys", {"public_key": base64.b64encode(public).decode()})
        with refusals():
            nonce = opened(base64.b64decode(asked["challenge"]), private)
        proof = {"nonce": base64.b64encode(nonce).decode()}
        made = client.post(f"{API}/keys/{asked['fingerprint']}:prove", proof)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"Key {made['fingerprint']} is yours.")


@app.command("list")
def list_keys(token: Token = "", server: Server = SERVER, as_json: AsJson = False) -> None:
    """List your registered keys."""
    with Client(server, token) as client:
        found = client.get(f"{API}/keys")
    if as_json:
        print_json(found)
        return
    table = Table("fingerprint", "proved")
    for row in found:
        table.add_row(row["fingerprint"], row["proved_at"])
    out.print(table)


@app.command("new-vetter")
def new_vetter(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    private: Annotated[Path | None, typer.Option("--out", help="Where the private key goes.")] = None,
    endorsed_by: Annotated[
        Path | None, typer.Option("--endorsed-by", help="A vetter's private key; needed once there are two vetters.")
    ] = None,
) -> None:
    """Make a vetter's Ed25519 signing key and trust its public half (operators, on the server itself)."""
    with refusals():
        secret, public = make_vetter(load(), name, private=private, endorsed_by=endorsed_by)
    typer.echo(f"Signing key: {secret}\nTrusted key: {public}")


def make_pair(secret: Path, *, passphrase: str) -> Path:
    """Write a Crypt4GH key pair: `secret` (0400) and the public key beside it, whose path is returned."""
    from crypt4gh.keys import c4gh

    public = secret.with_name(f"{secret.name}.pub")
    for path in (secret, public):
        if path.exists():
            raise Conflict(f"{path} exists; a key is never overwritten. Choose another name.")
    # The package opens the secret with our umask before it tightens the mode.
    before = os.umask(0o077)
    try:
        with redirect_stderr(io.StringIO()):
            c4gh.generate(str(secret), str(public), passphrase.encode() or None, None)
    except OSError as error:
        raise BadRequest(f"The keys cannot be written there: {error.strerror}.") from error
    finally:
        os.umask(before)
    public.chmod(0o644)
    return public


def read_public(file: Path) -> bytes:
    """Return the 32 bytes of a Crypt4GH public key file."""
    from crypt4gh.keys import get_public_key

    try:
        key = bytes(get_public_key(str(file)))
    except (OSError, ValueError, NotImplementedError) as error:
        raise BadRequest(f"{file} is not a Crypt4GH public key.") from error
    if len(key) != 32:
        raise BadRequest(f"{file} is not a Crypt4GH public key.")
    return key


def read_secret(file: Path) -> bytes:
    """Return the 32 bytes of a Crypt4GH secret key file; asks for its passphrase if it has one."""
    from crypt4gh.keys import get_private_key

    try:
        return bytes(get_private_key(str(file), partial(getpass.getpass, f"Passphrase of {file}: ")))
    except SystemExit as error:  # the package ends the process on a wrong passphrase
        raise NotAllowed("This is not the passphrase of the key.") from error
    except Exception as error:
        raise BadRequest(f"{file} is not a Crypt4GH secret key.") from error


def opened(message: bytes, private: bytes) -> bytes:
    """Return what a small Crypt4GH message holds, opened with a secret key."""
    from crypt4gh.lib import decrypt

    found = io.BytesIO()
    try:
        decrypt([(0, private, None)], io.BytesIO(message), found)
    except Exception as error:
        raise StrongroomError("The challenge does not open: is --secret the secret of this public key?") from error
    return found.getvalue()


def make_vetter(
    settings: Settings, name: str, *, private: Path | None, endorsed_by: Path | None = None
) -> tuple[Path, Path]:
    """Write NAME's Ed25519 key (PEM, 0600), then log and write its public half among the home's trusted vetters.

    T23: changing verifier keys takes two people. Once two vetters are trusted, the operator needs one of them.
    """
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise BadRequest("A vetter's name has letters, digits, hyphens and underscores.")
    secret = private or settings.home / "vetters" / f"{name}.pem"
    public = settings.home / "trust" / "vetters" / f"{name}.pem"
    for path in (secret, public):
        if path.exists():
            raise Conflict(f"{path} exists; a key is never overwritten. Choose another name.")
    key = Ed25519PrivateKey.generate()
    endorsement = _endorsement(settings, key, name, endorsed_by)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trusted = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        _write(secret, pem, folder=0o700, mode=0o600)
        _log_vetter(settings, name, key_id(key.public_key()), endorsement)  # before the key counts, never after
        _write(public, trusted, folder=0o755, mode=0o644)
    except PermissionError as error:
        raise NotAllowed("Only the operator of this home may add a vetter; run this as root.") from error
    return secret, public


def private_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key in a PEM file."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest("--key: a private key file in PEM form, without a passphrase.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadRequest("--key: an Ed25519 key; `strongroom key new-vetter` makes one.")
    return key


def _endorsement(
    settings: Settings, key: Ed25519PrivateKey, name: str, endorsed_by: Path | None
) -> dict[str, Any] | None:
    trusted = {
        key_id(public): public
        for file in sorted((settings.home / "trust" / "vetters").glob("*.pem"))
        if isinstance(public := serialization.load_pem_public_key(file.read_bytes()), Ed25519PublicKey)
    }
    if len(trusted) < FOUNDERS:
        return None
    if endorsed_by is None:
        raise NotAllowed("There are two vetters already: one of them endorses a new one (--endorsed-by KEY).")
    try:
        endorser = serialization.load_pem_private_key(endorsed_by.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest("--endorsed-by: a private key file in PEM form, without a passphrase.") from error
    if not isinstance(endorser, Ed25519PrivateKey) or key_id(endorser.public_key()) not in trusted:
        raise NotAllowed("--endorsed-by: not the key of a vetter who is trusted here.")
    return sign(ENDORSEMENT, {"name": name, "key": key_id(key.public_key())}, endorser)


def _log_vetter(settings: Settings, name: str, key: str, endorsement: dict[str, Any] | None) -> None:
    engine = open_prepared_database(settings)
    try:
        with transaction(engine) as session:
            facts = {"name": name} | ({"endorsement": endorsement} if endorsement else {})
            append(session, Entry(Event.VETTER_TRUSTED, "operator", key, None, facts))
    finally:
        engine.dispose()


def _write(path: Path, content: bytes, *, folder: int, mode: int) -> None:
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
        path.parent.chmod(folder)
    with open(path, "xb", opener=lambda p, flags: os.open(p, flags, mode)) as file:
        file.write(content)
    path.chmod(mode)


def _asked_twice() -> str:
    first = getpass.getpass("Passphrase: ", stream=sys.stderr)
    if not first or first != getpass.getpass("Again: ", stream=sys.stderr):
        raise BadRequest("The two passphrases differ or are empty; nothing was made.")
    return first
