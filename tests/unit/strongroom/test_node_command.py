"""`strongroom node`: who is let in, with which papers, is written down, and ends when it is said."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner, Result

from strongroom.audit import AuditEvent
from strongroom.cli.verbs import app
from strongroom.database import open_database, reading
from strongroom.settings import load
from tes import node_keys


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, at a short path."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("STRONGROOM_HOME", folder)
        yield Path(folder)


def node(*words: str) -> Result:
    return CliRunner().invoke(app, ["node", *words])


def named(home: Path, papers: Path) -> str | None:
    """Return the node that the door takes the bearer of these papers for."""
    certificate = x509.load_pem_x509_certificate((papers / "node.pem").read_bytes())
    return node_keys.node_of(home / "nodes", certificate.public_bytes(Encoding.DER))


def test_a_node_is_let_in_and_dismissed(home: Path, tmp_path: Path) -> None:
    assert node("list", "--json").stdout.strip() == "[]"
    assert node("add", "n1", "--out", str(tmp_path / "papers")).exit_code == 0
    assert {path.name for path in (tmp_path / "papers").iterdir()} == {"ca.pem", "node.pem", "node.key"}
    assert (tmp_path / "papers" / "node.key").stat().st_mode & 0o777 == 0o600
    assert json.loads(node("list", "--json").stdout) == ["n1"]
    assert named(home, tmp_path / "papers") == "n1"
    assert node("add", "n1", "--out", str(tmp_path / "again")).exit_code == 0
    assert named(home, tmp_path / "papers") is None  # good no more
    assert node("remove", "n1").exit_code == 0
    assert named(home, tmp_path / "again") is None
    assert node("list").stdout.strip() == ""
    engine = open_database(load().database)
    with reading(engine) as session:
        events = [(one.event, one.subject) for one in session.query(AuditEvent).where(AuditEvent.subject == "n1")]
    engine.dispose()
    assert events == [("node.admitted", "n1"), ("node.admitted", "n1"), ("node.dismissed", "n1")]


@pytest.mark.parametrize("words", [("remove", "n1"), ("add", "../n1", "--out", "x"), ("add", "-n1", "--out", "x")])
def test_what_is_no_node_is_refused_with_a_sentence(words: tuple[str, ...]) -> None:
    assert node(*words).exit_code != 0
