"""Changes where a person's notices go, so that whoever stole a token cannot silence them (T20)."""

from datetime import timedelta
from typing import Final

from sqlalchemy import orm

from strongroom.audit import Entry, Event, append
from strongroom.contacts import address_of, set_address
from strongroom.database import now
from strongroom.errors import TooMany
from strongroom.notices import Kind, changes_of_address, note

MOST_A_DAY: Final = 8  # each is told to all addresses of the last days, whosever they are
DAY: Final = timedelta(days=1)


def change(session: orm.Session, person: str, email: str) -> None:
    """Keep a person's address, empty for none; the one before it is told, and an event that holds neither."""
    if email == address_of(session, person):
        return
    if changes_of_address(session, person, since=now() - DAY) >= MOST_A_DAY:
        raise TooMany(
            f"An address changes at most {MOST_A_DAY} times a day; come again tomorrow.",
            seconds=int(DAY.total_seconds()),
        )
    note(session, Kind.CONTACT_CHANGED, about="contact", people=[person])
    set_address(session, person, email)
    append(session, Entry(Event.CONTACT_CHANGED, person, "contact", None, {}))
