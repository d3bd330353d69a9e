"""Auditors ask for heads and proofs by HTTP and check them alone; everybody else gets what they did themselves."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import TSV, person
from crate_scene import AUDITOR, Crates, released

from strongroom.audit import AuditEvent
from strongroom.audit_heads import HEAD_TYPE
from strongroom.database import reading, transaction
from strongroom.dsse import key_id, verify
from strongroom.merkle import is_consistent, is_included, leaf_hash

API = "/api/audit/v1"


@pytest.fixture(scope="module")
def crates() -> Iterator[Crates]:
    with released() as made:
        made.stage.complete_run({TSV: "count"})
        made.sign()
        yield made


def ask(crates: Crates, name: str, path: str) -> Any:
    return crates.stage.ask(name).get(f"{API}{path}")


def stated(crates: Crates, envelope: dict[str, Any]) -> tuple[int, str]:
    head = verify(envelope, HEAD_TYPE, {key_id(crates.public): crates.public})
    return head["size"], head["root"]


def sizes(crates: Crates) -> list[int]:
    return [stated(crates, head)[0] for head in ask(crates, AUDITOR, "/heads").json()["heads"]]


def test_an_auditor_proves_that_the_log_only_grew(crates: Crates) -> None:
    new, old = sizes(crates)
    found = ask(crates, AUDITOR, f"/consistency?old={old}&new={new}").json()
    (before, old_root), (after, new_root) = stated(crates, found["old"]), stated(crates, found["new"])
    assert (before, after) == (old, new)
    assert is_consistent(old, new, old_root=old_root, new_root=new_root, proof=found["proof"])
    assert ask(crates, AUDITOR, f"/consistency?old={old}").json() == found


def test_an_auditor_proves_every_entry(crates: Crates) -> None:
    for head in sizes(crates):
        for seq in range(head):
            found = ask(crates, AUDITOR, f"/entries/{seq}?head={head}").json()
            size, root = stated(crates, found["head"])
            leaf = leaf_hash(bytes.fromhex(found["salt"]) + found["body"].encode())
            assert is_included(leaf, seq, size, proof=found["path"], root=root)


@pytest.mark.parametrize("name", ["ruth", "sam", "nobody"])
@pytest.mark.parametrize("path", ["/heads", "/consistency?old=1"])
def test_t24_how_fast_the_log_grows_is_for_auditors(crates: Crates, name: str, path: str) -> None:
    assert ask(crates, name, path).status_code == 403


def test_t24_a_person_gets_the_proof_of_own_acts_alone(crates: Crates) -> None:
    with reading(crates.stage.engine) as session:
        actors = {row.seq: row.actor for row in session.scalars(sa.select(AuditEvent))}
    for seq in range(max(sizes(crates))):
        answer = ask(crates, "ruth", f"/entries/{seq}")
        assert answer.status_code == (200 if actors[seq] == person("ruth") else 404)
        if answer.status_code == 200:
            assert json.loads(answer.json()["body"])["actor"] == person("ruth")
    beyond = ask(crates, "ruth", "/entries/999999")
    assert beyond.json() == ask(crates, "ruth", "/entries/0").json() or actors[0] == person("ruth")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/entries/999999", 404),
        ("/entries/-1", 404),
        ("/entries/99999999999999999999", 404),
        ("/entries/x", 400),
        ("/entries/0?head=7777", 404),
        ("/consistency", 400),
        ("/consistency?old=0", 400),
        ("/consistency?old=99999999999999999999", 400),
        ("/consistency?old=3", 404),
        ("/heads?limit=0", 400),
    ],
)
def test_bad_questions_are_refused(crates: Crates, path: str, status: int) -> None:
    answer = ask(crates, AUDITOR, path)
    assert answer.status_code == status, answer.text


def test_a_rewritten_log_proves_nothing_any_more() -> None:
    with released() as crates:
        (head,) = sizes(crates)
        with transaction(crates.stage.engine) as session:
            session.execute(sa.update(AuditEvent).where(AuditEvent.seq == 1).values(leaf="ab" * 32))
        assert ask(crates, AUDITOR, "/entries/3").status_code == 409
        assert ask(crates, AUDITOR, f"/consistency?old={head}").status_code == 409
        assert crates.get(AUDITOR, full=True).status_code == 409
