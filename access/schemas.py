"""The wire types of /api/access/v1."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from strongroom.projects import Role


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewProject(_Sent):
    """What an operator says of a project; `min_count` may only raise the platform's own."""

    id: str = Field(max_length=63)
    title: str = Field(max_length=300)
    min_count: int | None = None


class Grant(_Sent):
    """A role for a person."""

    person: str = Field(max_length=200)
    role: Role


class ProjectSeen(BaseModel):
    """A project as its members see it, with the roles of the one who asks."""

    id: str
    title: str
    min_count: int
    created: datetime
    ends: datetime | None
    roles: list[Role]


class Granted(BaseModel):
    """The role that is held; `changed` says whether it is new."""

    project: str
    person: str
    role: Role
    changed: bool


class Me(BaseModel):
    """Who asks, with the roles they hold; `*` stands for the platform."""

    person: str
    roles: dict[str, list[Role]]


class NewKey(_Sent):
    """The base64 of the 32 raw bytes of an X25519 public key."""

    public_key: str = Field(max_length=64)


class Challenge(BaseModel):
    """A Crypt4GH file in base64; whoever can open it proves the key by sending its content back."""

    fingerprint: str
    challenge: str
    expires: datetime


class Proof(_Sent):
    """The base64 of what was inside the challenge."""

    nonce: str = Field(max_length=64)


class KeySeen(BaseModel):
    """A proved key of the one who asks."""

    fingerprint: str
    public_key: str
    proved_at: datetime
    revoked_at: datetime | None
