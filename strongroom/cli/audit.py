"""The verbs of `strongroom audit`: verify, export, show."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from rich.markup import escape
from rich.table import Table
from sqlalchemy import orm

from strongroom.audit import AuditEvent, head
from strongroom.audit_heads import Head, Logged, Report, check_log, logged, signed_heads
from strongroom.audit_witness import witnessed
from strongroom.cli.client import FAILED, AsJson, err, out, print_json, refusals
from strongroom.database import open_database, reading
from strongroom.dsse import Envelope
from strongroom.errors import BadRequest, NotFound
from strongroom.settings import Settings, load

app = typer.Typer(help="The log of everything that happened.", no_args_is_help=True)


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="An export; else this home's log.")] = None,
    public_key: Annotated[Path | None, typer.Option("--public-key", help="PEM of the key that signs heads.")] = None,
    witness: Annotated[
        Path | None,
        typer.Option("--witness", help="A witness's file: its heads must fit too, signed by the same key."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every entry, the chain, the tree and the signed heads; exit 1 names what was changed."""
    with refusals():
        seen = witnessed(witness) if witness is not None else []
        if file is not None:
            report = verified_export(file, public_key, seen)
        else:
            report = _verified_home(load(), public_key, seen)
    if as_json:
        print_json({**asdict(report), "whole": report.whole})
    else:
        _tell(report)
    if not report.whole:
        raise typer.Exit(FAILED)


@app.command()
def export(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Write the whole log with its heads as JSON lines, which `verify` checks anywhere."""
    with refusals():
        settings = load()
        engine = _open(settings)
        try:
            with reading(engine) as session, open(file, "x", encoding="utf-8") as lines:
                count = sum(1 for line in _lines(session) if lines.write(line))
        except FileExistsError as error:
            raise BadRequest(f"{file} exists; choose another name.") from error
        except OSError as error:
            raise BadRequest(f"{file} cannot be written: {error.strerror}.") from error
        finally:
            engine.dispose()
    typer.echo(f"{count} lines in {file}.")


@app.command()
def show(
    subject: Annotated[str | None, typer.Option("--subject", help="Only what concerns this id.")] = None,
    tail: Annotated[int, typer.Option("--tail", min=1, max=100_000, help="How many of the last entries.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last entries of this home's log."""
    with refusals():
        engine = _open(load())
        try:
            with reading(engine) as session:
                rows = _last(session, subject=subject, tail=tail)
        finally:
            engine.dispose()
    if as_json:
        print_json(rows)
        return
    table = Table("entry", "time", "event", "who", "what", "project", "facts")
    for row in rows:
        facts = ", ".join(f"{name} {_short(value)}" for name, value in row["facts"].items())
        time = row["time"][:19].replace("T", " ")
        cells = (str(row["seq"]), time, row["event"], row["actor"], row["subject"], row["project"] or "", facts)
        table.add_row(*(escape(cell) for cell in cells))
    out.print(table)


def verified_export(file: Path, public_key: Path | None, seen: Sequence[Envelope] = ()) -> Report:
    """Check an exported log; needs neither a server nor a database."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
            entries, heads, last = _parsed(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read.") from error
    return check_log(entries, [*heads, *seen], _key(public_key), last=last)


def _verified_home(settings: Settings, public_key: Path | None, seen: Sequence[Envelope]) -> Report:
    kept = settings.home / "trust" / "signer.pem"
    key = _key(public_key or (kept if kept.exists() else None))
    engine = _open(settings)
    try:
        with reading(engine) as session:
            return check_log(logged(session), [*signed_heads(session), *seen], key, last=Head(*head(session)))
    finally:
        engine.dispose()


def _lines(session: orm.Session) -> Iterator[str]:
    for entry in logged(session):
        yield _line(
            {
                "kind": "entry",
                "seq": entry.seq,
                "salt": entry.salt.hex(),
                "leaf": entry.leaf,
                "body": entry.body.decode(),
            }
        )
    for envelope in signed_heads(session):
        yield _line({"kind": "signed_head", "envelope": envelope})
    size, root = head(session)
    yield _line({"kind": "head", "size": size, "root": root})


def _line(facts: Any) -> str:
    return json.dumps(facts) + "\n"


def _parsed(lines: Iterable[str]) -> tuple[list[Logged], list[Envelope], Head | None]:
    entries: list[Logged] = []
    heads: list[Envelope] = []
    last: Head | None = None
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            if line != _line(found):  # what reads alike but is written otherwise was changed too
                raise ValueError
            match found:
                case {"kind": "entry", "seq": int(seq), "salt": str(salt), "leaf": str(leaf), "body": str(body)}:
                    entries.append(Logged(seq, body.encode(), _bytes(salt), _hash(leaf)))
                case {"kind": "signed_head", "envelope": dict(envelope)}:
                    heads.append(envelope)
                case {"kind": "head", "size": int(size), "root": str(root)}:
                    last = Head(size, root)
                case _:
                    raise ValueError
        except (ValueError, RecursionError) as error:
            at = f"entry {number - 1}, or " if number == len(entries) + 1 else ""
            what = f"{at}what follows the entries,"
            raise BadRequest(f"Line {number} is not a line of an exported log: {what} was changed.") from error
    if last is None:
        raise BadRequest("The export has no head: its last line was changed or removed.")
    return entries, heads, last


def _bytes(text: str) -> bytes:
    """Return what hexadecimal text says; raise `ValueError` unless it is written as we write it, in small letters."""
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError
    return raw


def _hash(leaf: str) -> str:
    if len(_bytes(leaf)) != 32:
        raise ValueError
    return leaf


def _key(file: Path | None) -> Ed25519PublicKey | None:
    return None if file is None else verifying_key(file)


def verifying_key(file: Path) -> Ed25519PublicKey:
    """Return the Ed25519 public key of a PEM file."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise BadRequest(f"{file} is not a public key in PEM.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadRequest(f"{file} is not an Ed25519 public key.")
    return key


def _open(settings: Settings) -> sa.Engine:
    engine = open_database(settings.database, joined=settings.joined)
    path = engine.url.database
    if engine.dialect.name == "sqlite" and (path is None or not Path(path).exists()):
        raise NotFound("There is no log here yet; set STRONGROOM_HOME to the folder that `serve` uses.")
    return engine


def _last(session: orm.Session, *, subject: str | None, tail: int) -> list[dict[str, Any]]:
    wanted = sa.select(AuditEvent.body).order_by(AuditEvent.seq.desc()).limit(tail)
    if subject is not None:
        wanted = wanted.where(AuditEvent.subject == subject)
    return [json.loads(body) for body in reversed(session.scalars(wanted).all())]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _tell(report: Report) -> None:
    if report.whole:
        typer.echo(f"The log is whole: {report.entries} entries, root {report.root}.")
    for problem in report.problems:
        err.print(problem.sentence, style="red", markup=False, soft_wrap=True)
    if report.signed:
        typer.echo(f"{report.signed} signed heads are good.")
    if report.unchecked:
        typer.echo(f"The signatures of {report.unchecked} heads were not checked: give --public-key.")
