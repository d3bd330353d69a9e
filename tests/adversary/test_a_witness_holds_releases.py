"""With a witness set, nothing leaves that it was not told of, and it finds out a log that was rewritten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from airlock_scene import API, TSV, Scene, scene
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Request, Response
from serving import served

from airlock import release
from strongroom.audit import AuditEvent, SignedHead, head
from strongroom.audit_heads import Head, check_log, logged, sign_head, signed_heads, stated_head
from strongroom.audit_witness import witnessed
from strongroom.database import now, reading, transaction
from strongroom.merkle import is_consistent

KEY = Ed25519PrivateKey.generate()


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness.jsonl"


@pytest.fixture
def stage(witness: Path) -> Iterator[Scene]:
    with scene() as made:
        made.signed_policy()  # several releases of one dataset without lists of members
        audit = made.settings.audit.model_copy(update={"witness": str(witness)})
        yield replace(made, settings=made.settings.model_copy(update={"audit": audit}))


def sign(stage: Scene) -> None:
    with transaction(stage.engine) as session:
        sign_head(session, KEY)


def approved(stage: Scene) -> str:
    """Have two stewards approve a request; return its id."""
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    decided = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert decided.status_code == 200
    return str(request["id"])


def tried(stage: Scene, request: str) -> str:
    """Try to release, whatever the pause; return the state."""
    from airlock.store import ReleaseRequest

    with transaction(stage.engine) as session:
        session.get_one(ReleaseRequest, request).next_try = now()
    release.release(stage.context, request)
    with reading(stage.engine) as session:
        return session.get_one(ReleaseRequest, request).state


def test_t15_nothing_leaves_before_a_witness_saw_the_votes(stage: Scene, witness: Path) -> None:
    request = approved(stage)
    assert tried(stage, request) == "RELEASING"
    assert stage.broker.asked == []  # no signed head covers the votes: the broker is not even asked
    sign(stage)
    assert tried(stage, request) == "RELEASED"
    (seen,) = witnessed(witness)
    with reading(stage.engine) as session:
        assert seen == signed_heads(session)[-1]


def test_t15_a_witness_that_cannot_be_told_holds_the_release(stage: Scene, witness: Path) -> None:
    request = approved(stage)
    sign(stage)
    witness.mkdir()
    assert tried(stage, request) == "RELEASING"
    assert stage.broker.asked == []
    witness.rmdir()
    assert tried(stage, request) == "RELEASED"


def test_t15_a_log_that_was_rewritten_releases_nothing(stage: Scene, witness: Path) -> None:
    first = approved(stage)
    sign(stage)
    assert tried(stage, first) == "RELEASED"
    second = approved(stage)
    with transaction(stage.engine) as session:
        session.execute(sa.update(AuditEvent).where(AuditEvent.seq == 1).values(leaf="ab" * 32))
    sign(stage)
    assert tried(stage, second) == "RELEASING"
    assert len(stage.broker.asked) == 1


def test_t15_a_log_cut_back_with_its_heads_is_named_by_the_witness(stage: Scene, witness: Path) -> None:
    request = approved(stage)
    sign(stage)
    assert tried(stage, request) == "RELEASED"
    (seen,) = witnessed(witness)
    gone = stated_head(seen).size - 1
    with transaction(stage.engine) as session:
        session.execute(sa.delete(AuditEvent).where(AuditEvent.seq >= gone))
        session.execute(sa.delete(SignedHead))
    with reading(stage.engine) as session:
        report = check_log(logged(session), [seen], KEY.public_key())
    assert [problem.seq for problem in report.problems] == [gone]


def test_t15_each_head_of_the_witness_goes_on_from_the_one_before(stage: Scene, witness: Path) -> None:
    for _ in range(3):
        request = approved(stage)
        sign(stage)
        assert tried(stage, request) == "RELEASED"
    lines = [json.loads(line) for line in witness.read_text().splitlines()]
    heads = [stated_head(line["head"]) for line in lines]
    assert len(heads) == 3
    for old, new, line in zip(heads, heads[1:], lines[1:], strict=False):
        proof = line["consistency"]
        assert is_consistent(old.size, new.size, old_root=old.root, new_root=new.root, proof=proof)
    with reading(stage.engine) as session:
        report = check_log(logged(session), witnessed(witness), KEY.public_key(), last=Head(*head(session)))
    assert report.whole
    assert report.signed == 3


@pytest.mark.parametrize("line", ["", "{}", "[]", "x", '{"head": {}}', "[" * 10_000])
def test_a_spoiled_witness_holds_the_release(stage: Scene, witness: Path, line: str) -> None:
    request = approved(stage)
    sign(stage)
    witness.write_text(line + "\n")
    assert tried(stage, request) == "RELEASING"
    assert stage.broker.asked == []


class Notary:
    """A witness at a URL: it remembers each line that it was told, as another organisation would."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.app = FastAPI()
        self.app.get("/log")(self.last)
        self.app.post("/log")(self.take)

    def last(self) -> Response:
        return Response(self.lines[-1]) if self.lines else Response(status_code=404)

    async def take(self, request: Request) -> Response:
        self.lines.append(await request.body())
        return Response(status_code=204)


def at(stage: Scene, url: str) -> Scene:
    """Return the scene with its witness at `url`."""
    audit = stage.settings.audit.model_copy(update={"witness": url})
    return replace(stage, settings=stage.settings.model_copy(update={"audit": audit}))


def test_t15_a_witness_at_a_url_sees_the_votes_first_and_once(stage: Scene) -> None:
    notary = Notary()
    with served(notary.app) as url:
        far = at(stage, f"{url}/log")
        request = approved(far)
        assert tried(far, request) == "RELEASING"
        assert notary.lines == []
        sign(far)
        assert tried(far, request) == "RELEASED"
    (line,) = notary.lines
    with reading(stage.engine) as session:
        assert json.loads(line)["head"] == signed_heads(session)[-1]


@pytest.mark.parametrize("told", [b"nonsense", b'{"head": {}}'])
def test_t15_a_witness_at_a_url_that_lies_holds_the_release(stage: Scene, told: bytes) -> None:
    notary = Notary()
    notary.lines.append(told)
    with served(notary.app) as url:
        far = at(stage, f"{url}/log")
        request = approved(far)
        sign(far)
        assert tried(far, request) == "RELEASING"
        assert far.broker.asked == []


@pytest.mark.parametrize("url", ["http://notary.example.org/log", "ftp://127.0.0.1/log", "https://127.0.0.1:1/log"])
def test_t15_a_witness_that_cannot_be_reached_safely_holds_the_release(stage: Scene, url: str) -> None:
    far = at(stage, url)
    request = approved(far)
    sign(far)
    assert tried(far, request) == "RELEASING"
    assert far.broker.asked == []
