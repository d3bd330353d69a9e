"""`strongroom audit` checks a home or an export, offline, and its exit code tells."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from strongroom.audit import AuditEvent, Entry, Event, append
from strongroom.audit_heads import sign_head
from strongroom.cli.audit import app
from strongroom.database import Base, open_database, transaction
from strongroom.merkle import leaf_hash
from strongroom.settings import load

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "database").mkdir(parents=True)
    engine = open_database(load().database)
    Base.metadata.create_all(engine)
    for size in (3, 4):
        with transaction(engine) as session:
            append(session, *[Entry(Event.RUN_STATE, "a@x", f"[r{n}]", "p", {"n": n}) for n in range(size)])
        with transaction(engine) as session:
            sign_head(session, KEY)
    yield engine
    engine.dispose()


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return _pem(tmp_path / "signer.pem", KEY)


def _pem(file: Path, key: Ed25519PrivateKey) -> Path:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    file.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, kind))
    return file


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def _exported(tmp_path: Path) -> Path:
    file = tmp_path / "log.jsonl"
    assert _run("export", file).exit_code == 0
    return file


def test_a_whole_log_is_said_to_be_whole(engine: sa.Engine, public: Path) -> None:
    said = _run("verify", "--public-key", public)
    assert said.exit_code == 0, said.stderr
    assert "7 entries" in said.stdout
    assert "2 signed heads are good" in said.stdout
    assert "not checked" in _run("verify").stdout


def test_an_export_is_checked_without_home_or_server(
    engine: sa.Engine, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = _exported(tmp_path)
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "nowhere"))
    said = _run("verify", file, "--public-key", public, "--json")
    assert said.exit_code == 0, said.stderr
    report = json.loads(said.stdout)
    assert (report["whole"], report["entries"], report["signed"]) == (True, 7, 2)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda lines: [lines[0], lines[1].replace("a@x", "b@x"), *lines[2:]], "Entry 1 was changed"),
        (lambda lines: [lines[0], *lines[2:]], "Entry 1 was removed"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "reordered"),
        (lambda lines: [*lines[:5], *lines[7:]], "Entries 5 to 6 were removed"),
        (lambda lines: [lines[0], _loud(lines[1]), *lines[2:]], "entry 1"),
        (lambda lines: [*lines[:7], *lines[9:]], "whole"),
    ],
)
def test_a_spoiled_export_is_named(engine: sa.Engine, tmp_path: Path, spoil: object, named: str) -> None:
    file = _exported(tmp_path)
    lines = spoil(file.read_text().splitlines())  # type: ignore[operator]
    file.write_text("\n".join(lines) + "\n")
    said = _run("verify", file)
    assert said.exit_code == (0 if named == "whole" else 1)
    assert named in said.output


def _loud(line: str) -> str:
    """Return an entry whose salt reads alike and is written in capital letters."""
    return re.sub(r'(?<="salt": ")[0-9a-f]+', lambda salt: salt[0].upper(), line)


@pytest.fixture
def export(engine: sa.Engine, tmp_path: Path) -> bytes:
    return _exported(tmp_path).read_bytes()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_an_export_is_found_and_its_entry_named(
    export: bytes, public: Path, tmp_path: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(export) - 1))
    file = tmp_path / "changed.jsonl"
    file.write_bytes(export[:at] + bytes([export[at] ^ data.draw(st.integers(1, 255))]) + export[at + 1 :])
    said = _run("verify", file, "--public-key", public)
    assert said.exit_code != 0
    number = export[:at].count(b"\n")
    if number < 7:
        assert re.search(rf"entr(y|ies) {number}\b", said.output, re.IGNORECASE), said.output
    else:
        assert "head" in said.output or "what follows the entries" in said.output


@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("how", ["removed", "repeated", "swapped", "inserted"])
def test_an_entry_out_of_place_is_named(export: bytes, public: Path, tmp_path: Path, number: int, how: str) -> None:
    lines = export.splitlines(keepends=True)
    match how:
        case "removed":
            del lines[number]
        case "repeated":
            lines.insert(number, lines[number])
        case "swapped":
            other = number + 1 if number < 6 else number - 1
            lines[number], lines[other] = lines[other], lines[number]
        case "inserted":
            body = json.dumps({"seq": number, "event": "run.state", "prev": "0" * 64})
            made = {"kind": "entry", "seq": number, "salt": "00" * 16, "leaf": leaf_hash(bytes(16) + body.encode())}
            lines.insert(number, json.dumps({**made, "body": body}).encode() + b"\n")
    file = tmp_path / "changed.jsonl"
    file.write_bytes(b"".join(lines))
    said = _run("verify", file, "--public-key", public)
    assert said.exit_code == 1
    assert re.search(rf"entr(y|ies) {number}\b", said.output, re.IGNORECASE), said.output


def test_heads_of_another_key_are_not_believed(engine: sa.Engine, tmp_path: Path) -> None:
    foreign = _pem(tmp_path / "foreign.pem", Ed25519PrivateKey.generate())
    assert _run("verify", "--public-key", foreign).exit_code == 1


def test_a_spoiled_database_is_named(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        session.execute(sa.update(AuditEvent).where(AuditEvent.seq == 4).values(actor="b@x"))
    said = _run("verify")
    assert said.exit_code == 1
    assert "Entry 4 was changed: the copy of its actor is another one." in said.stderr


@pytest.mark.parametrize("line", ["", "{", "[]", '{"kind": "entry"}', '{"kind": "other"}', "[" * 100_000, "\xff"])
def test_a_file_that_is_no_export_is_refused(engine: sa.Engine, tmp_path: Path, line: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(line.encode("latin-1") + b"\n")
    assert _run("verify", file).exit_code == 1
    assert _run("verify", tmp_path / "nothing").exit_code == 1


def test_an_export_never_overwrites(engine: sa.Engine, tmp_path: Path) -> None:
    file = _exported(tmp_path)
    before = file.read_bytes()
    assert _run("export", file).exit_code == 1
    assert file.read_bytes() == before


def test_show_tells_the_last_entries_of_a_subject(engine: sa.Engine) -> None:
    rows = json.loads(_run("show", "--subject", "[r1]", "--json").stdout)
    assert [row["seq"] for row in rows] == [1, 4]
    assert [row["seq"] for row in json.loads(_run("show", "--tail", "2", "--json").stdout)] == [5, 6]
    assert _run("show").exit_code == 0


def test_without_a_log_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_HOME", str(tmp_path / "nowhere"))
    assert _run("verify").exit_code == 4
    assert not (tmp_path / "nowhere").exists()
