"""The wire types of the airlock's API."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from airlock.groups import MOST_GROUPS, Group
from airlock.release_requests import Audience, LiftReason, Outcome, Reason, Remark, StopReason, Vote

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


class NewGroup(_Form):
    """Files that are read together: what they are (context), and what makes them safe (controls)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9 -]{0,62}$")]
    files: Paths
    context: Annotated[str, Field(min_length=1, max_length=MOST_PURPOSE)]
    controls: Annotated[str, Field(min_length=1, max_length=MOST_PURPOSE)]

    @field_validator("context", "controls")
    @classmethod
    def _words_are_plain(cls, text: str) -> str:
        return _plain(text)

    def group(self) -> Group:
        """Return it as the acts read it."""
        return Group(self.name, tuple(self.files), self.context, self.controls)


Groups = Annotated[list[NewGroup], Field(max_length=MOST_GROUPS)]


class NewRequest(_Form):
    """POST /requests: files are paths as GET /outputs shows them; none means all.

    Without groups, all files are one, with the purpose as context; supporting files are shown to stewards alone.
    """

    run: Id
    files: Paths = Field(default=[])
    purpose: Annotated[str, Field(min_length=1, max_length=MOST_PURPOSE)]
    groups: Groups = Field(default=[])
    supporting: Paths = Field(default=[])

    @field_validator("purpose")
    @classmethod
    def _purpose_is_plain(cls, text: str) -> str:
        return _plain(text)


class ChangedRequest(_Form):
    """POST /requests/{id}:edit: what is left out stays."""

    files: Paths = Field(default=[])
    purpose: Annotated[str | None, Field(min_length=1, max_length=MOST_PURPOSE)] = None
    groups: Groups | None = None
    supporting: Paths | None = None

    @field_validator("purpose")
    @classmethod
    def _purpose_is_plain(cls, text: str | None) -> str | None:
        return None if text is None else _plain(text)


class Submission(_Form):
    """POST /requests/{id}:submit and :appeal: the fingerprint of the requester's registered key.

    What is brought in needs none: it is sealed to its dataset.
    """

    key: Digest | None = None
    # Presigned URLs by path: where files are put once released, beside the links; hosts are listed by the operator.
    deliver_to: Annotated[dict[Path, Annotated[str, Field(max_length=4000)]], Field(max_length=50)] = Field(
        default={}
    )


class OneVote(_Form):
    """One file's vote; `body_sha256` is the digest that the steward was shown, by default the one under review."""

    file: Id
    vote: Vote
    reason: Reason | None = None
    body_sha256: Digest | None = None


class Votes(_Form):
    """POST /reviews/{id}:vote."""

    votes: Annotated[list[OneVote], Field(min_length=1, max_length=1000)]


class Replayed(BaseModel):
    """What a file got, and what it would get."""

    path: str
    before: str
    after: str
    codes: list[str]


class Replay(BaseModel):
    """The files of a request under other thresholds."""

    request: str
    files: list[Replayed]


class Decision(_Form):
    """POST /reviews/{id}:consolidate."""

    outcome: Outcome


class NewComment(_Form):
    """POST …:comment: a remark of the closed list, text, or both; of one file or of the whole request."""

    audience: Audience
    remark: Remark | None = None
    text: Annotated[str | None, Field(max_length=500)] = None
    file: Id | None = None


class Confirmation(_Form):
    """POST /reviews/{id}:confirm."""

    comment: Id


class NewLift(_Form):
    """POST /requests/{id}:lift: the files whose blocks a senior lifts, and why; the note is for the register."""

    files: Annotated[list[Id], Field(min_length=1, max_length=50)]
    reason: LiftReason
    note: Annotated[str, Field(min_length=1, max_length=500)]


class NewStop(_Form):
    """POST /stops."""

    reason: StopReason


class Finding(BaseModel):
    """What a check saw, in the words of its code."""

    code: str
    severity: str
    about: str
    place: dict[str, int]
    reason: str
    cure: str
    earlier: list[str] = []  # releases that it conflicts with, as far as a steward may know them


class ShownVote(BaseModel):
    """One steward's vote, as another steward reads it once both are in."""

    steward: str
    vote: Vote
    reason: Reason | None


class ShownReason(BaseModel):
    """Why a file was refused, as its requester reads it."""

    reason: Reason
    sentence: str


class ShownGroup(BaseModel):
    """Files that are read together."""

    name: str
    context: str
    controls: str
    files: list[str]


class ShownComment(BaseModel):
    """A comment as one reader may see it; `waits` says that its text reaches the requester once it is confirmed."""

    id: str
    turn: int
    file: str | None
    author: str | None
    audience: Audience
    remark: Remark | None
    sentence: str | None
    text: str | None
    waits: bool
    time: str


class ShownLift(BaseModel):
    """One line of the register of lifted blocks."""

    request: str
    project: str
    file: str
    body_sha256: str
    codes: list[str]
    senior: str
    reason: LiftReason
    sentence: str
    note: str
    time: str


class Register(BaseModel):
    """The register of lifted blocks, newest first."""

    lifts: list[ShownLift]


class ShownStop(BaseModel):
    """An emergency stop."""

    id: str
    reason: StopReason
    stopped: str
    stopped_by: str | None
    first_lift_by: str | None
    lifted: str | None


class Stops(BaseModel):
    """The emergency stops in force."""

    stops: list[ShownStop]


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
    supporting: bool = False  # stewards see it; it never leaves
    group: str | None = None
    lifted: bool = False  # a senior lifted its block; the register says why
    votes_kept: bool = False  # its bytes are those of the turn before, and so are its votes
    fixed_from: str | None = None  # the path of the output that this is a fixed copy of
    fixes: list[str] = []


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
    promise: str | None = None  # "Kept its promise: 11 of 12."
    files: list[ShownFile]
    groups: list[ShownGroup] = []
    comments: list[ShownComment] = []
    reviewers: list[str] = []  # who was drawn, for stewards
    recused: list[str] = []  # who has an interest, for stewards
    stopped: bool = False  # an emergency stop is in force
    dataset: str | None = None  # that its files come into; None for files that are to leave
    place: int | None = None  # in the queue of requests that wait for stewards, 1 is next


class Done(BaseModel):
    """It was done; what one may see of the request afterwards may be less than before."""

    done: bool = True


class Week(BaseModel):
    """What happened in one week, which begins on the Monday that is named."""

    week: str
    requests: int
    files: int
    bytes: int
    released: int


class Spent(BaseModel):
    """Hours that requests spent in a state."""

    times: int
    median_hours: float
    p90_hours: float


class Figures(BaseModel):
    """How the airlock does: flow, time, agreement, mistakes."""

    weeks: list[Week]
    states: dict[str, Spent]
    turnaround: Spent
    waiting: int
    decided: int
    first_pass_rate: float | None
    findings: dict[str, int]
    passed_and_refused: int
    lifted: int
    disagreement_rate: float | None
    revoked: int
    returned: int
    rejected: int
    withdrawn: int


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
    bytes: int | None = None
    worst: str | None = None  # the worst verdict of its files, for stewards
    turn_of: str | None = None  # whose turn it is: requester, steward, senior, system
    dataset: str | None = None  # that its files come into; None for files that are to leave
    my_votes: int | None = None  # how many files the asking steward has voted on


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
