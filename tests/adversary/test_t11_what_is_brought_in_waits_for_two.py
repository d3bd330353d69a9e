"""What a researcher brings in is no task's to read before two stewards approved these very bytes."""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from broker_asking import Request
from keyroom import CHECKS_IMAGE, OPERATOR, PROJECT, RUTH, SAM, SINA, Attempt, KeyRoom, key_room, opened, seal, text

from archive import datasets, quarantine
from archive.keys.notes import seal_note
from archive.store import Dataset, StoredObject
from strongroom import audit
from strongroom.database import now, transaction
from strongroom.errors import StrongroomError
from strongroom.objects import open_store
from strongroom.projects import Membership, Role

GENES = b"gene\nBRCA1\nTP53\n"


@dataclass
class Ingress:
    """A quarantine with one file, and the request for it as the log knows it."""

    room: KeyRoom
    id: str
    dataset: str
    file: str
    asked: Request

    @property
    def votes(self) -> dict[str, list[int]]:
        """Two yes."""
        return {self.file: [self.asked.vote(SAM, self.file), self.asked.vote(SINA, self.file)]}

    def admit(self, votes: dict[str, list[int]], **more: Any) -> dict[str, Any]:
        """Ask the broker to let it in."""
        words = {"request": self.asked.id, "submitted": self.asked.submitted, "votes": votes, **more}
        return self.room.ask("broker", verb="admit", **words)

    def let_in(self, votes: dict[str, list[int]]) -> None:
        """Do all that a release does."""
        self.admit(votes)
        with transaction(self.room.engine) as session:
            audit.append(
                session, *quarantine.let_in(session, self.dataset, {"genes.tsv": self.file}, actor="airlock")
            )

    def refused(self, sentence: str, votes: dict[str, list[int]], **more: Any) -> None:
        """Expect that it stays where it is, and a line in the log."""
        with pytest.raises(StrongroomError, match=sentence):
            self.admit(votes, **more)
        assert self.room.events("keys.refused")[-1]["subject"] == self.asked.id
        assert self.room.row(self.file).purpose == "quarantine"


def bring(room: KeyRoom, *, plain: bytes = GENES, recipient: str = "") -> Ingress:
    """Bring a file in as the API does, and submit a request for it."""
    ingress, dataset = uuid.uuid4().hex, f"{PROJECT}-{uuid.uuid4().hex[:8]}"
    with transaction(room.engine) as session:
        entries = quarantine.open_dataset(
            session, ingress=ingress, person=RUTH, project=PROJECT, dataset=dataset, title="genes"
        )
        audit.append(session, *entries)
    file = upload(room, dataset, plain)
    asked = Request(room, [file])
    frozen = recipient or room.ask("broker", verb="recipient", purpose="store", owner=dataset)["public_key"]
    asked.submit_to(frozen)
    return Ingress(room, ingress, dataset, file, asked)


def upload(room: KeyRoom, dataset: str, plain: bytes, **more: Any) -> str:
    key = base64.b64decode(room.ask("broker", verb="recipient", purpose="quarantine", owner=dataset)["public_key"])
    made = seal(plain, key)
    note = text(seal_note(hashlib.sha256(plain).digest(), key))
    words = {**made.words(), "dataset": dataset, "name": "genes.tsv", "persons": [], "person": RUTH, "digest": note}
    room.ask("broker", verb="register", **{**words, **more})
    return made.object


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.people("another")
        yield made


@pytest.fixture
def ingress(room: KeyRoom) -> Ingress:
    return bring(room)


def read(ingress: Ingress, *, project: str = PROJECT, datasets: list[str] | None = None) -> bytes:
    """Be a task of a run of the project that asks for the file; return its data key."""
    room = ingress.room
    run = room.decision([ingress.dataset] if datasets is None else datasets, project=project)
    attempt = Attempt()
    facts = room.grant(attempt, run, [ingress.file], project=project)
    return opened(attempt, facts["headers"][ingress.file])


def test_two_votes_let_the_same_bytes_in(ingress: Ingress) -> None:
    before = ingress.room.row(ingress.file)
    ingress.let_in(ingress.votes)
    assert len(read(ingress)) == 32
    after = ingress.room.row(ingress.file)
    assert (after.purpose, after.owner, after.project) == ("store", ingress.dataset, PROJECT)
    assert (after.body_sha256, after.body_length, after.size) == (before.body_sha256, before.body_length, before.size)
    said = ingress.room.events("ingress.admitted")[-1]
    assert (said["subject"], said["facts"]["dataset"]) == (ingress.asked.id, ingress.dataset)


def test_an_answer_that_was_lost_is_asked_for_again(ingress: Ingress) -> None:
    votes = ingress.votes
    assert ingress.admit(votes) == ingress.admit(votes)


def test_no_task_reads_what_waits(room: KeyRoom, ingress: Ingress) -> None:
    for sentence in ("not shared", "does not belong to this run"):
        with pytest.raises(StrongroomError, match=sentence):
            read(ingress)
        # Even if the services let the project use it behind the stewards' back.
        with transaction(room.engine) as session:
            audit.append(session, *quarantine.let_in(session, ingress.dataset, {}, actor="eve"))
    room.change(
        sa.update(StoredObject).where(StoredObject.id == ingress.file).values(purpose="store", owner=ingress.dataset)
    )
    with pytest.raises(StrongroomError, match="broker's signature"):
        read(ingress)


def test_no_task_runs_on_the_decision_of_an_ingress(room: KeyRoom, ingress: Ingress) -> None:
    attempt = Attempt()
    with pytest.raises(StrongroomError, match="ended"):
        room.grant(attempt, ingress.id, [ingress.file])


def test_checks_and_stewards_read_what_waits_and_nobody_else(room: KeyRoom, ingress: Ingress) -> None:
    words: dict[str, Any] = {"images": [CHECKS_IMAGE]}
    assert room.grant(Attempt(), ingress.id, [ingress.file], kind="check", **words)["headers"]
    assert room.grant(Attempt(), ingress.id, [ingress.file], kind="view", person=SAM, **words)["headers"]
    for kind, person in (("view", RUTH), ("view", OPERATOR), ("check", SAM), ("repack", RUTH)):
        with pytest.raises(StrongroomError):
            room.grant(Attempt(), ingress.id, [ingress.file], kind=kind, person=person, **words)


def test_one_vote_or_one_steward_twice_is_not_two(ingress: Ingress) -> None:
    first, second = ingress.asked.vote(SAM, ingress.file), ingress.asked.vote(SAM, ingress.file)
    for seqs in ([], [first], [first, first], [first, second]):
        ingress.refused("two different data stewards", {ingress.file: seqs})


def test_who_brought_it_does_not_vote(room: KeyRoom, ingress: Ingress) -> None:
    room.member(RUTH, Role.STEWARD)
    ingress.refused(
        "request of their own",
        {ingress.file: [ingress.asked.vote(SAM, ingress.file), ingress.asked.vote(RUTH, ingress.file)]},
    )


@pytest.mark.parametrize("state", ["RETURNED", "REJECTED", "WITHDRAWN", "REVOKED"])
def test_what_was_refused_or_taken_back_stays_out(ingress: Ingress, state: str) -> None:
    votes = ingress.votes
    ingress.asked.move(state)
    ingress.refused("not on its way", votes)


def test_a_no_is_not_left_out(room: KeyRoom, ingress: Ingress) -> None:
    votes = ingress.votes
    room.member("sol@development", Role.STEWARD)
    ingress.asked.vote("sol@development", ingress.file, "no")
    ingress.refused("voted against", votes)


def test_bytes_that_changed_after_the_votes_stay_out(room: KeyRoom, ingress: Ingress) -> None:
    votes = ingress.votes
    room.change(sa.update(StoredObject).where(StoredObject.id == ingress.file).values(body_sha256="0" * 64))
    with pytest.raises(StrongroomError, match="broker's signature"):
        ingress.admit(votes)
    # Another file under the votes of the first.
    other = upload(room, ingress.dataset, b"another")
    with pytest.raises(StrongroomError, match="not for this file"):
        ingress.admit({other: votes[ingress.file]})


def test_files_frozen_for_another_dataset_stay_out(room: KeyRoom) -> None:
    room.dataset("shared-by-all")
    key = room.ask("broker", verb="recipient", purpose="store", owner="shared-by-all")["public_key"]
    ingress = bring(room, recipient=key)
    ingress.refused("approved for another dataset", ingress.votes)


def test_nobody_names_the_dataset_or_the_recipient(ingress: Ingress) -> None:
    for field in ("dataset", "recipient", "project"):
        ingress.refused("nothing else", ingress.votes, **{field: "other"})


def test_another_project_never_reads_it(room: KeyRoom, ingress: Ingress) -> None:
    ingress.let_in(ingress.votes)
    with transaction(room.engine) as session, pytest.raises(StrongroomError, match="its own project"):
        datasets.share(session, OPERATOR, ingress.dataset, project="another", until=None)
    # And if a row of the database says so all the same.
    room.change(sa.update(Dataset).where(Dataset.id == ingress.dataset).values(ingress=None))
    with transaction(room.engine) as session:
        datasets.share(session, OPERATOR, ingress.dataset, project="another", until=None)
    with pytest.raises(StrongroomError, match="does not belong"):
        read(ingress, project="another")


def test_what_is_called_back_is_read_no_more_and_never_again(room: KeyRoom, ingress: Ingress) -> None:
    ingress.let_in(ingress.votes)
    with transaction(room.engine) as session:
        audit.append(session, *quarantine.shut(session, ingress.dataset, actor=SAM))
    with pytest.raises(StrongroomError, match="not shared any more"):
        read(ingress)
    with transaction(room.engine) as session, pytest.raises(StrongroomError, match="called back"):
        quarantine.let_in(session, ingress.dataset, {}, actor="airlock")


def test_t12_what_was_not_let_in_is_lost_with_its_quarantine(room: KeyRoom, ingress: Ingress) -> None:
    refused = upload(room, ingress.dataset, b"never let in")
    store = open_store(room.settings)
    for file in (ingress.file, refused):
        store.delete(file)
        store.put(file, iter([b"sealed"]))
    ingress.let_in(ingress.votes)
    for _ in range(2):  # safe to repeat
        assert quarantine.destroy(room.engine, room.settings, ingress.id) == [refused]
    assert (store.path(refused).exists(), store.path(ingress.file).exists()) == (False, True)  # type: ignore[union-attr]
    assert room.row(refused).header is None
    with pytest.raises(StrongroomError):
        room.grant(Attempt(), ingress.id, [refused], kind="check", images=[CHECKS_IMAGE])
    with pytest.raises(StrongroomError, match="was destroyed"):
        upload(room, ingress.dataset, b"once more")
    assert len(read(ingress)) == 32  # what two stewards let in is the dataset's
    assert room.events("key.destroyed")[-1]["facts"]["purpose"] == "quarantine"


def test_it_does_not_leave_by_the_other_door(room: KeyRoom, ingress: Ingress) -> None:
    with pytest.raises(StrongroomError, match="Only clean copies"):
        ingress.asked.export(ingress.votes)
    with pytest.raises(StrongroomError):
        room.ask("broker", verb="adopt", run=ingress.id, dataset=ingress.dataset, objects=[ingress.file])


def test_a_clean_copy_does_not_come_in(room: KeyRoom) -> None:
    room.dataset("calls")
    run = room.decision(["calls"])
    source = room.result(run, [room.file("calls", b"somebody")], GENES)
    room.close_run(run)
    clean = room.clean_copy(run, source, GENES)
    asked = Request(room, [clean])
    asked.submit()
    votes = {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}
    with pytest.raises(StrongroomError, match="Only what was brought"):
        room.ask("broker", verb="admit", request=asked.id, submitted=asked.submitted, votes=votes)


def test_t6_nobody_brings_persons_of_their_own_in(room: KeyRoom, ingress: Ingress) -> None:
    with pytest.raises(StrongroomError, match="data access committee"):
        upload(room, ingress.dataset, b"x", persons=["NA1"])


def test_only_a_researcher_opens_a_quarantine_and_only_they_fill_it(room: KeyRoom, ingress: Ingress) -> None:
    for person, name in ((SAM, f"{PROJECT}-x"), (OPERATOR, f"{PROJECT}-x"), (RUTH, "x"), (RUTH, "another-x")):
        with transaction(room.engine) as session, pytest.raises(StrongroomError):
            quarantine.open_dataset(
                session, ingress=uuid.uuid4().hex, person=person, project=PROJECT, dataset=name, title=""
            )
    for person in (SAM, OPERATOR, "rob@development"):
        with pytest.raises(StrongroomError):
            datasets.recipient(room.engine, room.settings, actor=person, dataset=ingress.dataset)


def test_a_requester_who_left_brings_nothing_in(room: KeyRoom, ingress: Ingress) -> None:
    votes = ingress.votes
    ruth = sa.update(Membership).where(Membership.person == RUTH, Membership.role == Role.RESEARCHER.value)
    room.change(ruth.values(until=now()))
    try:
        ingress.refused("not a researcher", votes)
    finally:
        room.change(ruth.values(until=None))


def test_the_log_names_no_file(room: KeyRoom, ingress: Ingress) -> None:
    ingress.let_in(ingress.votes)
    for event in ("dataset.created", "object.registered", "ingress.admitted", "dataset.shared"):
        assert "genes.tsv" not in json.dumps(room.events(event))
