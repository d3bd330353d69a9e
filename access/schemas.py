"""The wire types of /api/access/v1."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from access.rules import Standing
from strongroom.projects import Role, Training
from strongroom.signed import SignedThresholds


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NewProject(_Sent):
    """What an operator says of a project; `min_count` may only raise the platform's own."""

    id: str = Field(max_length=63)
    title: str = Field(max_length=300)
    min_count: int | None = None
    needs_training: bool = False


class NewCertificate(_Sent):
    """What an operator saw on a person's certificate; `sha256` is the digest of the paper."""

    person: str = Field(max_length=200)
    training: Training
    issuer: str = Field(min_length=1, max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    since: AwareDatetime
    until: AwareDatetime


class NewContact(_Sent):
    """Where notices go."""

    email: str = Field(max_length=254, pattern=r"^(?:[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,180})?$")


class CertificateSeen(BaseModel):
    """A certificate that was recorded."""

    person: str
    training: Training
    issuer: str
    sha256: str
    since: datetime
    until: datetime


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


class NewPolicy(_Sent):
    """Thresholds for a project or a dataset; those that are not named are the platform's own."""

    thresholds: dict[str, int] = Field(max_length=50)


class PolicySignature(_Sent):
    """The digest of the thresholds that a second person read."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ThresholdsSeen(BaseModel):
    """One version of signed thresholds; it is in force, or was, if a second person signed it."""

    version: int
    thresholds: dict[str, int]
    sha256: str
    proposed_by: str
    proposed: datetime
    signed_by: str | None
    signed: datetime | None
    in_force: bool

    @classmethod
    def of(cls, row: SignedThresholds, *, in_force: bool) -> Self:
        """Return a row as it is seen."""
        seen = {name: getattr(row, name) for name in cls.model_fields if name != "in_force"}
        return cls.model_validate({**seen, "in_force": in_force})


class PolicySeen(ThresholdsSeen):
    """One version of a project's policy, complete."""

    project: str


class FloorsSeen(ThresholdsSeen):
    """One version of a dataset's floors, which projects may only make stricter."""

    dataset: str


class Granted(BaseModel):
    """What became of a grant; `changed` says whether this was news.

    It `waits` for a second operator, `begins` at `since`, or is `held` since then.
    """

    project: str
    person: str
    role: Role
    changed: bool
    standing: Standing
    since: datetime | None
    proposed_by: str | None


class MemberSeen(BaseModel):
    """A role that is held, begins at `since`, or waits for a second operator."""

    person: str
    role: Role
    standing: Standing
    since: datetime | None = None
    proposed_by: str | None = None


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
