"""The commands of researcher and steward, against a real server: ask, look, vote, decide, download, open."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from airlock_scene import API, FINGERPRINT, TSV, Scene, scene
from serving import Desk, served

from strongroom.cli import release, request, review
from strongroom.cli.key import make_pair, read_public
from strongroom.doors import Caller, Message
from strongroom.errors import StrongroomError

PLAIN = b"band\tn\n18-39\t12\n"


def seal_for(stage: Scene, public: bytes) -> None:
    """Let clean copies be real Crypt4GH bodies, and the broker's headers fit them."""
    from crypt4gh.lib import encrypt

    headers: dict[str, bytes] = {}

    def copy() -> dict[str, Any]:
        sealed = io.BytesIO()
        encrypt([(0, b"\1" * 32, public)], io.BytesIO(PLAIN), sealed)
        whole = sealed.getvalue()
        end = 16 + int.from_bytes(whole[16:20], "little")
        made = hashlib.sha256(whole).hexdigest()[:32]
        headers[made] = whole[:end]
        stage.inspector.store.put(made, iter([whole[end:]]))
        return {"path": "/run/work/clean", "object": made, "size": len(PLAIN), "role": "output"}

    def export(message: Message, _caller: Caller) -> Message:
        import base64

        digest = hashlib.sha256(PLAIN).hexdigest()
        return {
            "headers": {name: base64.b64encode(headers[name]).decode() for name in message["votes"]},
            "sha256": {name: digest for name in message["votes"]},
        }

    stage.inspector._copy = copy  # type: ignore[method-assign]
    stage.broker.answer = export  # type: ignore[method-assign]


def test_researcher_and_stewards_by_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    secret = tmp_path / "ruth.key"
    public = make_pair(secret, passphrase="")
    with scene() as stage:
        seal_for(stage, read_public(public))
        stage.app.add_api_route("/api/access/v1/keys", lambda: [{"fingerprint": FINGERPRINT}])
        run = stage.complete_run({TSV: "count"})
        with served(stage.app) as server:
            desk = Desk(stage, server)
            made = desk.json(request.app, "ruth", "create", run, "--purpose", "Figure [bold]2[/bold].")
            number = made["id"]
            assert made["state"] == "READY"
            assert "[bold]" in desk.type(request.app, "ruth", "show", number).stdout
            assert desk.json(request.app, "ruth", "submit", number)["state"] == "SUBMITTED"
            assert [line["id"] for line in desk.json(review.app, "sam", "list")] == [number]
            drawn = desk.type(review.app, "sam", "show", number, TSV).stdout
            assert "18-39" in drawn
            desk.json(review.app, "sam", "vote", number, "--yes")
            assert desk.type(review.app, "sam", "vote", number, "--yes").exit_code == 1
            assert desk.type(review.app, "sina", "vote", number).exit_code == 2
            assert desk.json(review.app, "sina", "vote", number, "--yes")["state"] == "CONSOLIDATING"
            assert desk.json(review.app, "sina", "consolidate", number)["state"] == "APPROVED"
            stage.work()
            assert desk.json(release.app, "ruth", "list")[0]["state"] == "RELEASED"
            fetch = ("download", number, "--out", str(tmp_path / "out"))
            (opened,) = desk.json(release.app, "ruth", *fetch, "--key", str(secret))
            assert Path(opened).read_bytes() == PLAIN
            assert Path(opened) == tmp_path / "out" / TSV
            assert desk.type(release.app, "ruth", *fetch, "--key", str(secret)).exit_code == 1  # never overwrites
            sealed = desk.json(release.app, "ruth", "download", number, "--out", str(tmp_path / "sealed"))
            assert Path(sealed[0]).read_bytes().startswith(b"crypt4gh")
            assert desk.type(release.app, "rob", *fetch).exit_code == 4
            assert desk.type(release.app, "sam", "revoke", number).exit_code == 0
            assert desk.type(release.app, "ruth", *fetch).exit_code == 1
        assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [tmp_path / "out" / TSV]


def test_refused_files_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with scene() as stage:
        number = stage.submitted(stage.complete_run({TSV: "count"}))["id"]
        with served(stage.app) as server:
            desk = Desk(stage, server)
            for name in ("sam", "sina"):
                desk.json(review.app, name, "vote", number, "--no", "--file", TSV, "--reason", "small-counts")
            assert desk.json(review.app, "sam", "consolidate", number)["state"] == "RETURNED"
            assert "Small counts" in desk.type(request.app, "ruth", "show", number).stdout
            asked = stage.ask("ruth").get(f"{API}/requests/{number}").json()
            assert "sam@" not in json.dumps(asked["files"])
            assert desk.type(request.app, "ruth", "withdraw", number).exit_code == 0


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a/\0b"])
def test_a_server_cannot_write_outside_the_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(StrongroomError):
        release.inside(tmp_path, path)
    assert release.inside(tmp_path, "results/a.tsv") == tmp_path / "results" / "a.tsv"


def test_what_is_printed_cannot_move_the_cursor() -> None:
    assert str(request.plain("a\x1b[2Jb\u202e")) == "a\\u001b[2Jb\\u202e"


def test_reasons_and_outcomes_are_those_of_the_airlock() -> None:
    from airlock.release_requests import Outcome, Reason

    assert {r.value for r in review.Reason} == {r.value for r in Reason}
    assert {o.value for o in review.Outcome} == {o.value for o in Outcome}
