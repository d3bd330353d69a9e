"""Remembers researchers' public keys with the challenges that prove them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.database import Base, UtcTime


class ResearcherKey(Base):
    """A Crypt4GH public key whose secret its owner has shown to hold."""

    __tablename__ = "researcher_keys"

    fingerprint: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), index=True)
    public_key: orm.Mapped[str] = orm.mapped_column(sa.String(44))
    proved_at: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
    revoked_at: orm.Mapped[datetime | None] = orm.mapped_column(UtcTime)


class KeyChallenge(Base):
    """A nonce that was sealed to a key and waits to come back; only its digest is kept."""

    __tablename__ = "key_challenges"

    person: orm.Mapped[str] = orm.mapped_column(sa.String(200), primary_key=True)
    fingerprint: orm.Mapped[str] = orm.mapped_column(sa.String(64), primary_key=True)
    public_key: orm.Mapped[str] = orm.mapped_column(sa.String(44))
    nonce_sha256: orm.Mapped[str] = orm.mapped_column(sa.String(64))
    expires: orm.Mapped[datetime] = orm.mapped_column(UtcTime)
