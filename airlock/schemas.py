"""The wire types of the airlock's API."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from airlock.release_requests import Outcome, Reason, Vote

MOST_PURPOSE = 2000
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Path = Annotated[str, Field(min_length=1, max_length=500)]
Paths = Annotated[list[Path], Field(max_length=1000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _plain(text: str) -> str:
    # A steward reads this on a terminal: nothing in it may move the cursor or hide.
    if not all(letter.isprintable() or letter == "\n" for letter in text):
        raise ValueError("plain text without control characters")
    return text.strip()


class NewRequest(_Form):
    """POST /requests: files are paths as GET /outputs shows them; none means all."""

    run: Id
    files: Paths = Field(default=[])
    purpose: Annotated[str, Field(min_length=1, max_length=MOST_PURPOSE)]

    @field_validator("purpose")
    @classmethod
    def _purpose_is_plain(cls, text: str) -> str:
        return _plain(text)


class ChangedRequest(_Form):
    """POST /requests/{id}:edit: what is left out stays."""

    files: Paths = Field(default=[])
    purpose: Annotated[str | None, Field(min_length=1, max_length=MOST_PURPOSE)] = None

    @field_validator("purpose")
    @classmethod
    def _purpose_is_plain(cls, text: str | None) -> str | None:
        return None if text is None else _plain(text)


class Submission(_Form):
    """POST /requests/{id}:submit and :appeal: the fingerprint of the requester's registered key."""

    key: Digest


class OneVote(_Form):
    """One file's vote; `body_sha256` is the digest that the steward was shown, by default the one under review."""

    file: Id
    vote: Vote
    reason: Reason | None = None
    body_sha256: Digest | None = None


class Votes(_Form):
    """POST /reviews/{id}:vote."""

    votes: Annotated[list[OneVote], Field(min_length=1, max_length=1000)]


class Decision(_Form):
    """POST /reviews/{id}:consolidate."""

    outcome: Outcome


class Finding(BaseModel):
    """What a check saw, in the words of its code."""

    code: str
    severity: str
    about: str
    place: dict[str, int]
    reason: str
    cure: str


class Output(BaseModel):
    """One file that the airlock holds; `size` and findings on values only where they may be seen (T5)."""

    id: str
    path: str
    state: str
    verdict: str
    findings: list[Finding]
    size: int | None
    policy_version: int


class Outputs(BaseModel):
    """What the airlock holds of a run."""

    run: str
    project: str
    observability: str
    settled: bool
    left_inside: int | None
    files: list[Output]


class ShownVote(BaseModel):
    """One steward's vote, as another steward reads it once both are in."""

    steward: str
    vote: Vote
    reason: Reason | None


class ShownReason(BaseModel):
    """Why a file was refused, as its requester reads it."""

    reason: Reason
    sentence: str


class ShownFile(BaseModel):
    """One file of a request."""

    id: str
    path: str
    verdict: str
    findings: list[Finding]
    size: int | None
    body_sha256: str | None
    split_off: bool
    reasons: list[ShownReason]
    votes: list[ShownVote]
    my_vote: Vote | None
    sha256: str | None
    downloads: int | None
    link: str | None
    deliver_to: str | None = None  # where it goes once released, without the query of a presigned URL (T29)
    deliver_to_sha256: str | None = None  # of the whole URL, as the log froze it
    delivery: str | None = None


class ShownRequest(BaseModel):
    """A release request as one person may see it."""

    id: str
    parent: str | None
    run: str
    project: str
    requester: str
    purpose: str
    state: str
    turn: int
    recipient_fingerprint: str | None
    trouble: str | None
    created: str
    changed: str
    expires: str | None
    may: list[str]
    files: list[ShownFile]


class RequestLine(BaseModel):
    """A release request in a list."""

    id: str
    run: str
    project: str
    requester: str
    state: str
    turn: int
    files: int
    created: str
    changed: str


class Lines(BaseModel):
    """A list of release requests."""

    requests: list[RequestLine]


class Shown(BaseModel):
    """A bounded rendering of one file; it is never stored."""

    file: str
    path: str
    body_sha256: str
    format: str
    facts: dict[str, int]
    view: dict[str, Any]
