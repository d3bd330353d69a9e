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
    """Who may make a step; a senior lifts what checks block, and never votes on it."""

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
    S.SCAN_FAILED: {S.SCANNING: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER, S.EXPIRED: Owner.SYSTEM},
    # O5: a block is lifted by a named senior role only, or mended in a new draft.
    S.BLOCKED: {
        S.DRAFT: Owner.REQUESTER,
        S.READY: Owner.SENIOR,
        S.WITHDRAWN: Owner.REQUESTER,
        S.EXPIRED: Owner.SYSTEM,
    },
    S.READY: {
        S.SUBMITTED: Owner.REQUESTER,
        S.DRAFT: Owner.REQUESTER,
        S.WITHDRAWN: Owner.REQUESTER,
        S.EXPIRED: Owner.SYSTEM,
    },
    S.SUBMITTED: {S.FIRST_REVIEW: Owner.STEWARD, S.WITHDRAWN: Owner.REQUESTER},
    S.FIRST_REVIEW: {S.CONSOLIDATING: Owner.STEWARD},
    S.CONSOLIDATING: {
        S.RETURNED: Owner.STEWARD,
        S.REJECTED: Owner.STEWARD,
        S.APPROVED: Owner.STEWARD,
        # P8: one of the two found that they have an interest; their votes are void, somebody else votes.
        S.FIRST_REVIEW: Owner.STEWARD,
    },
    S.RETURNED: {S.DRAFT: Owner.REQUESTER, S.WITHDRAWN: Owner.REQUESTER, S.EXPIRED: Owner.SYSTEM},
    S.REJECTED: {S.APPEALED: Owner.REQUESTER},
    S.APPEALED: {S.SUBMITTED: Owner.REQUESTER},
    S.APPROVED: {S.RELEASING: Owner.SYSTEM, S.REVOKED: Owner.STEWARD},
    # T7: what came to conflict with a release since its review is shown to stewards in another turn.
    S.RELEASING: {S.RELEASED: Owner.SYSTEM, S.RETURNED: Owner.SYSTEM, S.REVOKED: Owner.STEWARD},
    S.RELEASED: {S.EXPIRED: Owner.SYSTEM, S.REVOKED: Owner.STEWARD},
    S.EXPIRED: {},
    S.REVOKED: {},
    S.WITHDRAWN: {},
}
STEPS: Final[Steps[RequestState]] = {state: frozenset(moves) for state, moves in _STEPS_AND_OWNERS.items()}
OWNERS: Final[dict[tuple[S, S], Owner]] = {
    (state, to): owner for state, moves in _STEPS_AND_OWNERS.items() for to, owner in moves.items()
}
# Nothing goes on from here, but for the appeal of a rejection.
ENDED: Final = frozenset({S.REJECTED, S.RELEASED, *(state for state, moves in STEPS.items() if not moves)})
IN_REVIEW: Final = frozenset({S.SUBMITTED, S.FIRST_REVIEW, S.CONSOLIDATING})
OPEN_TO_VOTES: Final = frozenset({S.SUBMITTED, S.FIRST_REVIEW})
IDLE_ENDS: Final = frozenset(state for (state, to), owner in OWNERS.items() if to is S.EXPIRED) - {S.RELEASED}
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


class Remark(StrEnum):
    """What a steward asks for in the words of a closed list (T14)."""

    ADD_CONTEXT = "add-context"
    ADD_NUMBERS = "add-numbers"
    ROUND = "round"
    MERGE_GROUPS = "merge-groups"
    DROP_COLUMN = "drop-column"
    FEWER_FILES = "fewer-files"
    SEE_FINDING = "see-finding"


REMARKS: Final[dict[Remark, str]] = {
    Remark.ADD_CONTEXT: "Say which persons it counts, how they were chosen, and what it is for.",
    Remark.ADD_NUMBERS: "Add the numbers that the picture was drawn from.",
    Remark.ROUND: "Round the counts, for example to the nearest 5.",
    Remark.MERGE_GROUPS: "Merge small groups or leave them out, totals too.",
    Remark.DROP_COLUMN: "Leave out the columns that the question does not need.",
    Remark.FEWER_FILES: "Ask for fewer files at a time.",
    Remark.SEE_FINDING: "Mend what the automatic checks found.",
}


class Audience(StrEnum):
    """Whom a comment is for."""

    STEWARDS = "stewards"
    REQUESTER = "requester"


class LiftReason(StrEnum):
    """Why a senior lifts a block; it stands in the register."""

    FALSE_ALARM = "false-alarm"
    PUBLISHED_ALREADY = "published-already"
    AGREED_EXCEPTION = "agreed-exception"


LIFTED: Final[dict[LiftReason, str]] = {
    LiftReason.FALSE_ALARM: "The check saw what is not there.",
    LiftReason.PUBLISHED_ALREADY: "The same figures have been published already.",
    LiftReason.AGREED_EXCEPTION: "The project's data access committee agreed to this exception in writing.",
}


class StopReason(StrEnum):
    """Why all releases were stopped at once."""

    LEAK = "leak"
    STOLEN_CREDENTIALS = "stolen-credentials"
    SOFTWARE_FAULT = "software-fault"
    AUDIT = "audit"


class OffReason(StrEnum):
    """Why a steward who was drawn is off a request."""

    DECLINED = "declined"
    IDLE = "idle"
    CONFLICT = "conflict"
    NO_LONGER = "no-longer-entitled"
