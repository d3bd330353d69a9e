"""A release request as the log knows it, and what an attacker does to the log."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from keyroom import PROJECT, RUTH, Attempt, KeyRoom

from strongroom import audit
from strongroom.audit import AuditEvent, Entry, Event
from strongroom.canonical import canonical
from strongroom.database import transaction
from strongroom.errors import StrongroomError
from strongroom.merkle import leaf_hash
from strongroom.thresholds import FLOOR, UNSIGNED, unsigned

PLAIN = b"chrom\taf\n22\t0.25\n"


@dataclass
class Request:
    """A release request, as the log knows it."""

    room: KeyRoom
    objects: list[str]
    id: str = ""
    recipient: Attempt | None = None
    submitted: int = -1
    turn: int = 1
    requester: str = RUTH
    policy: dict[str, int] = field(default_factory=lambda: {**unsigned(FLOOR), "version": UNSIGNED})

    def __post_init__(self) -> None:
        self.id, self.recipient = uuid.uuid4().hex, Attempt()

    def log(self, event: Event, actor: str, **facts: Any) -> int:
        """Append an entry about this request; return its number."""
        with transaction(self.room.engine) as session:
            audit.append(session, Entry(event, actor, self.id, PROJECT, facts))
            return audit.head(session)[0] - 1

    def submit(self) -> None:
        """Freeze recipient and files."""
        assert self.recipient is not None
        self.submit_to(self.recipient.public_key)

    def submit_to(self, recipient: str) -> None:
        """Freeze files and this recipient."""
        files = [{"object": o, "body_sha256": self.room.row(o).body_sha256} for o in self.objects]
        facts = {"turn": self.turn, "recipient": recipient, "files": files, "policy": self.policy}
        self.submitted = self.log(Event.REQUEST_STATE, self.requester, state="SUBMITTED", **facts)

    def move(self, state: str) -> None:
        """Move on."""
        self.log(Event.REQUEST_STATE, "airlock", state=state, turn=self.turn)

    def vote(self, steward: str, object_id: str, vote: str = "yes", **more: Any) -> int:
        """Cast a vote."""
        facts = {"turn": self.turn, "object": object_id, "body_sha256": self.room.row(object_id).body_sha256}
        return self.log(Event.VOTE_CAST, steward, **{**facts, "vote": vote, **more})

    def export(self, votes: dict[str, list[int]], **more: Any) -> dict[str, Any]:
        """Ask the broker."""
        return self.room.ask("broker", verb="export", request=self.id, submitted=self.submitted, votes=votes, **more)


def clean_copy(room: KeyRoom) -> str:
    """Return a clean copy of a run's output."""
    run = room.decision(["calls"])
    source = room.result(run, [room.file("calls", b"somebody")], PLAIN)
    room.close_run(run)
    return room.clean_copy(run, source, PLAIN)


def refused(asked: Request, sentence: str, votes: dict[str, list[int]], **more: Any) -> None:
    """Expect no header, and a line in the log."""
    with pytest.raises(StrongroomError, match=sentence):
        asked.export(votes, **more)
    assert asked.room.events("keys.refused")[-1]["subject"] == asked.id
    assert not [e for e in asked.room.events("keys.exported") if e["subject"] == asked.id]


def forge(room: KeyRoom, seq: int, **changed: Any) -> tuple[bytes, str]:
    """Change an entry of the log in the database, its leaf with it; return what it was."""
    with transaction(room.engine) as session:
        row = session.get_one(AuditEvent, seq)
        before = (bytes(row.body), row.leaf)
        said = {**json.loads(row.body)}
        said["facts"] = {**said["facts"], **changed.pop("facts", {})}
        row.body = canonical({**said, **changed})
        row.leaf = leaf_hash(bytes(row.salt) + row.body)
    return before


def restore(room: KeyRoom, seq: int, before: tuple[bytes, str]) -> None:
    """Undo `forge`."""
    room.change(sa.update(AuditEvent).where(AuditEvent.seq == seq).values(body=before[0], leaf=before[1]))
