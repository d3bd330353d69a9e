"""Notices reach people by a real mail server and a real webhook, after the change, and hold nothing."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from services.in_thread import answering
from services.mail import Mailbox, mailbox

from strongroom import contacts, mailing, notices
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.messages import Notices
from strongroom.notices import Kind, Notice, note
from strongroom.queue import Context
from strongroom.settings import Settings

REQUEST = "a" * 32


@contextmanager
def context(home: Path, **how: object) -> Iterator[Context]:
    settings = Settings(home=home, notices=how)  # type: ignore[arg-type]
    (home / "database").mkdir()
    engine = open_database(settings.database)
    Base.metadata.create_all(engine)
    try:
        yield Context(settings, engine)
    finally:
        engine.dispose()


def keep(place: Context, kind: Kind = Kind.REVIEW_WAITS) -> None:
    with transaction(place.engine) as session:
        contacts.set_address(session, "sam@home", "sam@example.org")
        note(session, kind, about=REQUEST, people=["sam@home", "sina@home"])


def work(place: Context) -> None:
    for _, identifier in list(notices.waiting(place)):
        notices.send(place, identifier)


def due(place: Context) -> None:
    with transaction(place.engine) as session:
        for row in session.query(Notice):
            row.next_try = now()


@pytest.fixture
def post() -> Iterator[Mailbox]:
    with mailbox() as server:
        yield server


def mail(post: Mailbox) -> dict[str, object]:
    return {"smtp_host": "127.0.0.1", "smtp_port": post.port, "smtp_security": "none"}


def test_a_notice_is_a_sentence_and_a_link(tmp_path: Path, post: Mailbox) -> None:
    with context(tmp_path, **mail(post), site_url="https://spe.example.org/") as place:
        keep(place)
        work(place)
        work(place)
        (got,) = post.mails
        assert got["To"] == "sam@example.org"
        said = got.get_payload().splitlines()  # type: ignore[union-attr]
        assert said == ["A release request waits for your review.", "", f"https://spe.example.org/requests/{REQUEST}"]
        with reading(place.engine) as session:
            rows = {(row.person, row.way): row for row in session.query(Notice)}
        assert rows["sam@home", "mail"].sent is not None
        assert rows["sina@home", "mail"].given_up is not None  # she gave no address


def test_a_mail_that_was_not_taken_is_sent_again_under_the_same_id(tmp_path: Path, post: Mailbox) -> None:
    with context(tmp_path, **mail(post)) as place:
        keep(place)
        post.refusals = 2
        for _ in range(4):
            work(place)
            due(place)
        assert len(post.mails) == 1
        with reading(place.engine) as session:
            row = session.query(Notice).where(Notice.person == "sam@home").one()
        assert post.mails[0]["Message-ID"] == f"<{row.id}@strongroom>"
        assert row.attempts == 2


def test_a_worker_that_died_after_sending_repeats_the_notice_with_its_id(tmp_path: Path, post: Mailbox) -> None:
    with context(tmp_path, **mail(post)) as place:
        keep(place)
        told = [notices._lease(place, identifier) for _, identifier in notices.waiting(place)]
        for one in told:
            if one is not None:
                notices._send(place.settings, one)
        assert list(notices.waiting(place)) == []  # leased
        due(place)
        work(place)
        assert len({one["Message-ID"] for one in post.mails}) == 1
        assert len(post.mails) == 2


def test_a_change_that_was_rolled_back_is_told_to_nobody(tmp_path: Path, post: Mailbox) -> None:
    with context(tmp_path, **mail(post)) as place:

        def change() -> None:
            with transaction(place.engine) as session:
                contacts.set_address(session, "sam@home", "sam@example.org")
                note(session, Kind.REVIEW_WAITS, about=REQUEST, people=["sam@home"])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            change()
        work(place)
        assert post.mails == []


def test_where_nothing_is_configured_nothing_is_looked_for(tmp_path: Path) -> None:
    with context(tmp_path) as place:
        keep(place)
        assert list(notices.waiting(place)) == []


def test_a_webhook_is_told_with_a_signature_until_it_takes_it(tmp_path: Path) -> None:
    got: list[tuple[bytes, str]] = []
    answers = [500, 302, 204]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.rfile.read(int(self.headers["Content-Length"])), self.headers["Strongroom-Signature"]))
            self.send_response(answers[len(got) - 1])
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Hook)
    secret = tmp_path / "secret"
    secret.write_bytes(b"a secret\n")
    url = f"http://127.0.0.1:{server.server_port}/hook"
    with answering(server), context(tmp_path, webhook_url=url, webhook_secret_file=secret) as place:
        keep(place, Kind.REQUEST_RELEASED)
        for _ in range(5):
            work(place)
            due(place)
    assert len(got) == 3
    body, signature = got[-1]
    assert signature == "sha256=" + hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
    said = json.loads(body)
    assert (said["kind"], said["about"], len({b for b, _ in got})) == ("request-released", REQUEST, 1)
    assert "sam" not in body.decode()


@pytest.mark.parametrize(
    "how", [{"smtp_host": "mail.example.org", "smtp_security": "none"}, {"webhook_url": "http://hooks.example.org/x"}]
)
def test_nothing_goes_over_a_network_in_clear(how: dict[str, str]) -> None:
    settings = Notices(**how)  # type: ignore[arg-type]

    def send() -> None:
        if settings.smtp_host:
            mailing.send_mail(settings, notice="a", to="b@example.org", subject="s", body="t")
        else:
            mailing.call_webhook(settings, body=b"{}", signature="")

    with pytest.raises(mailing.NotSent):
        send()


def test_every_kind_has_its_sentence_without_a_place_for_a_name() -> None:
    assert set(notices.SENTENCES) == set(Kind)
    assert not [text for text in notices.SENTENCES.values() if "{" in text or "%" in text]
