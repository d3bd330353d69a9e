"""What a release request is, and how it may move: its states, its steps and who owns each step."""

from enum import StrEnum
from typing import Final

from strongroom.states import Steps


class RequestState(StrEnum):
    """Where a release request stands (system.md, States)."""

    DRAFT = "DRAFT"
    SCANNING = "SCANNING"
    SCAN_FAILED = "SCAN_FAILED"
    BLOCKED = "BLOCKED"
    READY = "READY"
    SUBMITTED = "SUBMITTED"
    FIRST_REVIEW = "FIRST_REVIEW"
    CONSOLIDATING = "CONSOLIDATING"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    APPEALED = "APPEALED"
    APPROVED = "APPROVED"
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    WITHDRAWN = "WITHDRAWN"


class Owner(StrEnum):
    """Who may make a step; nobody holds the senior role yet, so its one step is always refused."""

    REQUESTER = "requester"
    STEWARD = "steward"
    SENIOR = "senior"
    SYSTEM = "system"


S = RequestState
_STEPS_AND_OWNERS: Final[dict[S, dict[S, Owner]]] = {
    S.DRAFT: {S.SCANNING: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER},
    S.SCANNING: {
        S.SCAN_FAILED: Owner.SYSTEM,
        S.BLOCKED: Owner.SYSTEM,
        S.READY: Owner.SYSTEM,
        S.WITHDRAWN: Owner.REQUESTER,
    },
    S.SCAN_FAILED: {S.SCANNING: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER},
    # O5: a block is lifted by a named senior role only, or mended in a new draft.
    S.BLOCKED: {S.DRAFT: Owner.REQUESTER, S.READY: Owner.SENIOR, S.WITHDRAWN: Owner.REQUESTER},
    S.READY: {S.SUBMITTED: Owner.REQUESTER, S.DRAFT: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER},
    S.SUBMITTED: {S.FIRST_REVIEW: Owner.STEWARD, S.WITHDRAWN: Owner.REQUESTER},
    S.FIRST_REVIEW: {S.CONSOLIDATING: Owner.STEWARD},
    S.CONSOLIDATING: {S.RETURNED: Owner.STEWARD, S.REJECTED: Owner.STEWARD, S.APPROVED: Owner.STEWARD},
    S.RETURNED: {S.DRAFT: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER},
    S.REJECTED: {S.APPEALED: Owner.REQUESTER},
    S.APPEALED: {S.SUBMITTED: Owner.REQUESTER},
    S.APPROVED: {S.RELEASING: Owner.SYSTEM},
    S.RELEASING: {S.RELEASED: Owner.SYSTEM},
    S.RELEASED: {S.EXPIRED: Owner.SYSTEM, S.REVOKED: Owner.STEWARD},
    S.EXPIRED: {},
    S.REVOKED: {},
    S.WITHDRAWN: {},
}
STEPS: Final[Steps[RequestState]] = {state: frozenset(moves) for state, moves in _STEPS_AND_OWNERS.items()}
OWNERS: Final[dict[tuple[S, S], Owner]] = {
    (state, to): owner for state, moves in _STEPS_AND_OWNERS.items() for to, owner in moves.items()
}
IN_REVIEW: Final = frozenset({S.SUBMITTED, S.FIRST_REVIEW, S.CONSOLIDATING})
OPEN_TO_VOTES: Final = frozenset({S.SUBMITTED, S.FIRST_REVIEW})
AFTER_REVIEW: Final = frozenset({S.RETURNED, S.REJECTED, S.APPROVED, S.RELEASING, S.RELEASED, S.EXPIRED, S.REVOKED})


class Vote(StrEnum):
    """What a steward says of one file."""

    YES = "yes"
    NO = "no"


class Outcome(StrEnum):
    """What two reviews together come to."""

    APPROVE = "approve"
    SPLIT = "split"  # the files with two yes are approved, the others go back in a request of their own
    RETURN = "return"
    REJECT = "reject"


class Reason(StrEnum):
    """Why a steward says no; T14: a requester reads these sentences and no free text."""

    SMALL_COUNTS = "small-counts"
    PERSON_LEVEL = "person-level"
    DIFFERENCING = "differencing"
    TOO_MUCH = "too-much"
    UNCLEAR = "unclear"
    OUTSIDE_PURPOSE = "outside-purpose"
    BLOCKED_BY_CHECKS = "blocked-by-checks"


REASONS: Final[dict[Reason, str]] = {
    Reason.SMALL_COUNTS: "Small counts can be read from it; merge groups or leave them out.",
    Reason.PERSON_LEVEL: "It tells of single persons; only aggregates can leave.",
    Reason.DIFFERENCING: "Together with what left before it tells of few persons.",
    Reason.TOO_MUCH: "It is more than a person can review; reduce it to what the question needs.",
    Reason.UNCLEAR: "It is not clear what the numbers are; explain them in the purpose.",
    Reason.OUTSIDE_PURPOSE: "It does not belong to the project's approved purpose.",
    Reason.BLOCKED_BY_CHECKS: "An automatic check blocks it.",
}
