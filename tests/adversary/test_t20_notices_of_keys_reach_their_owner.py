"""Who stole a token, stepped up and all, does not keep its owner from hearing of it."""

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import Asking
from crypt4gh.lib import decrypt
from services.mail import Mailbox, mailbox

from access import addresses
from access.api import router
from sandbox.crypt4gh import public_key_of as public_half
from strongroom import notices
from strongroom.audit import AuditEvent, Event
from strongroom.contacts import address_of
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.notices import Kind, Notice, note
from strongroom.queue import Context
from strongroom.settings import Settings

API = "/api/access/v1"
RUTH, THIEF = "ruth@example.org", "thief@evil.example"
PERSON = "ruth@development"
KEY, CHANGE, REVIEW = "key registered", "contact changed", "review waits"


class House:
    """The access room and a worker over one database, with a mail server that is real."""

    def __init__(self, home: Path, post: Mailbox) -> None:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": post.port, "smtp_security": "none"}
        identity = {"development_issuer": True, "step_up_of_development": True}
        self.settings = Settings(home=home, identity=identity, notices=mail)  # type: ignore[arg-type]
        (home / "database").mkdir()
        make_development_issuer(self.settings)
        self.post = post
        self.engine = open_database(self.settings.database)
        Base.metadata.create_all(self.engine)
        app = new_app("t", self.settings, engine=self.engine, issuers=trusted_issuers(self.settings))
        app.include_router(router)
        # The owner's and the thief's are one: a token that showed a second factor just now.
        self.token = Asking(app, mint_token(self.settings, "ruth", step_up=True))

    def move(self, email: str) -> int:
        """Change the address; return what is answered."""
        return self.token.post(f"{API}/me:contact", {"email": email}).status_code

    def register(self) -> str:
        """Register a new key; return its fingerprint."""
        secret, found = os.urandom(32), io.BytesIO()
        public = base64.b64encode(public_half(secret)).decode()
        asked = self.token.post(f"{API}/keys", {"public_key": public}).json()
        decrypt([(0, secret, None)], io.BytesIO(base64.b64decode(asked["challenge"])), found)
        proof = {"nonce": base64.b64encode(found.getvalue()).decode()}
        assert self.token.post(f"{API}/keys/{asked['fingerprint']}:prove", proof).status_code == 200
        return str(asked["fingerprint"])

    def waits(self) -> None:
        """Let something wait for the person, as an act of somebody else does."""
        with transaction(self.engine) as session:
            note(session, Kind.REVIEW_WAITS, about="a" * 32, people=[PERSON])

    def work(self) -> list[tuple[str, str]]:
        """Send what waits, as a worker that knows nothing but the database; return to whom, and what."""
        self.post.mails.clear()
        engine = open_database(self.settings.database)
        with transaction(engine) as session:
            session.execute(sa.update(Notice).values(next_try=now()))
        place = Context(self.settings, engine)
        for _, identifier in list(notices.waiting(place)):
            notices.send(place, identifier)
        engine.dispose()
        return sorted((str(one["To"]), str(one["Subject"]).removeprefix("Strongroom: ")) for one in self.post.mails)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with mailbox() as post:
        made = House(tmp_path, post)
        assert made.move(RUTH) == 200
        made.work()
        yield made
        made.engine.dispose()


def test_t20_who_changes_the_address_does_not_silence_the_notice(house: House) -> None:
    assert house.move(THIEF) == 200
    key = house.register()
    assert house.work() == sorted([(RUTH, CHANGE), (RUTH, KEY), (THIEF, KEY)])
    (told,) = [one for one in house.post.mails if one["To"] == RUTH and CHANGE in str(one["Subject"])]
    said = str(told.get_payload(decode=True))
    assert "tell an operator at once" in said
    assert not [word for word in (THIEF, "ruth", key) if word in said]
    assert house.work() == []


@pytest.mark.parametrize("then", ["", "second@evil.example"])
def test_t20_nor_does_who_changes_it_twice_or_takes_it_away(house: House, then: str) -> None:
    for email in (THIEF, then):
        assert house.move(email) == 200
    house.register()
    told = house.work()
    assert {(RUTH, CHANGE), (RUTH, KEY)} <= set(told)
    assert told.count((RUTH, CHANGE)) == 2
    with reading(house.engine) as session:
        assert address_of(session, PERSON) == then


def test_t20_what_waits_goes_where_it_was_meant_to(house: House) -> None:
    house.post.refusals = 10
    house.register()
    house.waits()
    assert house.work() == []  # the mail server is away, the notices wait
    house.post.refusals = 0
    assert house.move(THIEF) == 200
    assert house.work() == sorted([(RUTH, KEY), (RUTH, REVIEW), (RUTH, CHANGE)])


def test_other_notices_go_to_the_new_address_alone(house: House) -> None:
    assert house.move("new@example.org") == 200
    house.waits()
    assert house.work() == sorted([(RUTH, CHANGE), ("new@example.org", REVIEW)])
    with transaction(house.engine) as session:
        session.execute(sa.update(Notice).values(created=now() - notices.OLDEST))
    house.register()
    assert house.work() == [("new@example.org", KEY)]


def test_t20_a_change_of_address_is_in_the_log_without_an_address(house: House) -> None:
    assert house.move(THIEF) == 200
    assert house.move(THIEF) == 200  # the same again is no change
    with reading(house.engine) as session:
        rows = session.scalars(sa.select(AuditEvent).where(AuditEvent.event == Event.CONTACT_CHANGED.value)).all()
    assert [(row.actor, row.subject) for row in rows] == [(PERSON, "contact")] * 2  # the first is the owner's own
    assert not [row for row in rows if b"example" in row.body]


def test_t30_nobody_is_flooded_by_changes_of_an_address(house: House) -> None:
    answers = [house.move(f"{number}@example.org") for number in range(addresses.MOST_A_DAY + 3)]
    assert answers.count(200) == addresses.MOST_A_DAY - 1
    assert answers[-1] == 429
    house.work()
    with reading(house.engine) as session:
        kept = session.scalars(sa.select(Notice).where(Notice.kind == Kind.KEY_REGISTERED.value)).all()
    assert kept == []


def test_what_was_sent_keeps_no_address(house: House) -> None:
    house.waits()
    assert house.work() == [(RUTH, REVIEW)]
    with reading(house.engine) as session:
        assert [row.address for row in session.query(Notice).where(Notice.kind == Kind.REVIEW_WAITS.value)] == [
            None
        ] * 2
