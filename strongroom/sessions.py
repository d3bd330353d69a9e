"""Remembers who is signed in to the pages: words that only a browser holds, and forms that count once."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.audit import Entry, Event, append
from strongroom.database import Base, UtcTime, now
from strongroom.errors import BadRequest, Conflict, NotAllowed, NotSignedIn
from strongroom.issuers import Identity

TOUCH = timedelta(seconds=30)
ATTEMPT_LIFE = timedelta(minutes=10)
MOST_ATTEMPTS = 10_000


class PageSession(Base):
    """One browser that somebody signed in with; its cookie's word is kept as a digest only."""

    __tablename__ = "page_sessions"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)  # SHA-256 of the word
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    form_key: orm.Mapped[str] = orm.mapped_column(sa.String(64))  # worth nothing without the word
    signed_in: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    stepped_up: orm.Mapped[int | None] = orm.mapped_column(sa.BigInteger)  # as `Person.stepped_up` (T20)
    seen: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    ends: orm.Mapped[datetime] = orm.mapped_column(UtcTime, index=True)


class UsedForm(Base):
    """One form that was sent: the same one does nothing a second time."""

    __tablename__ = "used_forms"

    session: orm.Mapped[str] = orm.mapped_column(
        sa.ForeignKey("page_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    word: orm.Mapped[str] = orm.mapped_column(sa.String(32), primary_key=True)


class SignInAttempt(Base):
    """One browser on its way to its OIDC issuer and back; it counts once, for minutes."""

    __tablename__ = "sign_in_attempts"

    id: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)  # SHA-256 of the state
    browser: orm.Mapped[str] = orm.mapped_column(sa.String(64))  # SHA-256 of the word in its cookie
    issuer: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    nonce: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    verifier: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    goes_to: orm.Mapped[str] = orm.mapped_column(sa.String(500))
    ends: orm.Mapped[datetime] = orm.mapped_column(UtcTime, index=True)


@dataclass(frozen=True)
class Visit:
    """A browser that is signed in now."""

    id: str
    person: str
    form_key: str = field(repr=False)
    signed_in: datetime
    stepped_up: int | None


def digest(word: str) -> str:
    """Return what is kept of a word."""
    return hashlib.sha256(word.encode()).hexdigest()


def begin(session: orm.Session, person: str, *, stepped_up: int | None, limits: Identity) -> str:
    """Begin a session and return its word, which is new at each sign-in and known to the browser alone."""
    moment = now()
    session.execute(sa.delete(PageSession).where(PageSession.ends <= moment))
    word = secrets.token_urlsafe(32)
    session.add(
        PageSession(
            id=digest(word),
            person=person,
            form_key=secrets.token_hex(32),
            signed_in=moment,
            stepped_up=stepped_up,
            seen=moment,
            ends=moment + timedelta(seconds=limits.session_seconds),
        )
    )
    append(session, Entry(Event.SESSION_BEGUN, person, "session", None, {}))
    return word


def find(session: orm.Session, word: str, *, limits: Identity) -> Visit:
    """Return the session of a word; raise `NotSignedIn` when it has ended or nobody came for long."""
    row = session.get(PageSession, digest(word)) if word else None
    if row is None or not _lives(row, limits):
        raise NotSignedIn("You are not signed in, or were away for long; sign in again.")
    return Visit(row.id, row.person, row.form_key, row.signed_in, row.stepped_up)


def is_due(session: orm.Session, visit: Visit) -> bool:
    """Say whether it is time to write down that somebody is still there."""
    row = session.get(PageSession, visit.id)
    return row is not None and now() - row.seen > TOUCH


def touch(session: orm.Session, visit: Visit) -> None:
    """Write down that somebody is still there."""
    session.execute(sa.update(PageSession).where(PageSession.id == visit.id).values(seen=now()))


def end(session: orm.Session, visit: Visit) -> None:
    """End a session; its word opens nothing any more."""
    session.execute(sa.delete(UsedForm).where(UsedForm.session == visit.id))
    session.execute(sa.delete(PageSession).where(PageSession.id == visit.id))
    append(session, Entry(Event.SESSION_ENDED, visit.person, "session", None, {}))


def form_word(visit: Visit, path: str) -> str:
    """Return the word of one form of this session, good once and for this path alone."""
    word = secrets.token_hex(16)
    return f"{word}.{_signed(visit, path, word)}"


def use_form(session: orm.Session, visit: Visit, path: str, given: str) -> None:
    """Use a form up; raise for one that is not of this session and path, and for one that was sent already."""
    word, _, signature = given.partition(".")
    if not hmac.compare_digest(_signed(visit, path, word).encode(), signature.encode()):
        raise NotAllowed("This form is not of your session; load the page again.")
    if session.get(UsedForm, (visit.id, word)) is not None:
        raise Conflict("This form was sent already; load the page again to see what came of it.")
    session.add(UsedForm(session=visit.id, word=word))
    session.flush()


def give_back(session: orm.Session, visit: Visit, given: str) -> None:
    """Let a form be sent again that changed nothing."""
    word = given.partition(".")[0]
    session.execute(sa.delete(UsedForm).where(UsedForm.session == visit.id, UsedForm.word == word))


def remember(session: orm.Session, attempt: SignInAttempt) -> None:
    """Keep an attempt to sign in; the oldest beyond a bound go, as anybody may begin one."""
    session.execute(sa.delete(SignInAttempt).where(SignInAttempt.ends <= now()))
    kept = sa.select(SignInAttempt.id).order_by(SignInAttempt.ends.desc()).limit(MOST_ATTEMPTS - 1)
    session.execute(sa.delete(SignInAttempt).where(SignInAttempt.id.not_in(kept)))
    session.add(attempt)


def take_attempt(session: orm.Session, state: str, browser: str) -> SignInAttempt:
    """Return an attempt and forget it; raise unless this very browser began it, minutes ago."""
    row = session.get(SignInAttempt, digest(state))
    if row is None or row.ends <= now() or not hmac.compare_digest(row.browser, digest(browser)):
        raise BadRequest("This sign-in was not begun here, or took too long; begin again.")
    session.delete(row)
    session.flush()
    return row


def _lives(row: PageSession, limits: Identity) -> bool:
    moment = now()
    return row.ends > moment and row.seen + timedelta(seconds=limits.session_idle_seconds) > moment


def _signed(visit: Visit, path: str, word: str) -> str:
    return hmac.new(bytes.fromhex(visit.form_key), f"{path}\n{word}".encode(), hashlib.sha256).hexdigest()
