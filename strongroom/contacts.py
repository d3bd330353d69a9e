"""Where a person's notices go."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, UtcTime, now


class Contact(Base):
    """A person's address for notices, as they gave it themselves."""

    __tablename__ = "contacts"

    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), primary_key=True)
    email: orm.Mapped[str] = orm.mapped_column(sa.String(254))
    changed: orm.Mapped[datetime] = orm.mapped_column(UtcTime)


def address_of(session: orm.Session, person: str) -> str:
    """Return where a person's notices go; empty if nowhere."""
    row = session.get(Contact, person)
    return row.email if row is not None else ""


def set_address(session: orm.Session, person: str, email: str) -> None:
    """Keep a person's address; an empty one ends their notices."""
    session.merge(Contact(person=person, email=email, changed=now()))
