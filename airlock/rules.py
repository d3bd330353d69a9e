"""Decides who may do what in the airlock: `check_…` raises with the reason, `may_…` answers for a page."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from airlock.intake_files import Verdict
from airlock.release_requests import IN_REVIEW, OPEN_TO_VOTES, OWNERS, Outcome, Owner, RequestState, Vote
from strongroom.errors import Conflict, NotAllowed, NotFound
from strongroom.states import IllegalStep

REVIEWERS = 2
MOST_FILES = 50  # T30: a request is capped to what a person can read


@dataclass(frozen=True)
class Asker:
    """Who asks, and what the tables say of this person in the project now and ever."""

    person: str
    researcher: bool
    steward: bool
    ever_researcher: bool
    senior: bool = False
    trained: bool = False  # True while the certificate that is asked for is in force (P1, P2)
    also: frozenset[str] = frozenset()  # the other identities of this person (T28)

    def is_one_of(self, *identities: str | None) -> bool:
        """Say whether one of these identities is this person."""
        return not (self.also | {self.person}).isdisjoint(identities)


@dataclass(frozen=True)
class Asked:
    """What the rules need to know of a release request."""

    requester: str
    state: RequestState
    earlier_reviewers: frozenset[str] = frozenset()  # of a decision that is appealed
    interested: frozenset[str] = frozenset()  # stewards with an interest of their own in it (P8)
    drawn: frozenset[str] | None = None  # who was drawn to review this turn; None where nobody is drawn


@dataclass(frozen=True)
class ReviewedFile:
    """One file of a request: the digest under review and the frozen verdict; None where there is no clean copy."""

    file: str
    body_sha256: str | None
    verdict: Verdict
    lifted_by: str | None = None  # the senior who lifted its block


@dataclass(frozen=True)
class CastVote:
    """One steward's word on one file, bound to the bytes it was given for."""

    steward: str
    file: str
    vote: Vote
    body_sha256: str | None
    counts_as: str | None = None  # the one name of this person, of all their identities; None: they have no other

    @property
    def person(self) -> str:
        """Who voted, equal for all identities of one person (T28)."""
        return self.counts_as or self.steward


def check_step(asker: Asker, asked: Asked, to: RequestState) -> None:
    """Raise unless the asker owns the step from the request's state to `to`."""
    owner = OWNERS.get((asked.state, to))
    if owner is None:
        raise IllegalStep(f"What is {asked.state.value} cannot become {to.value}.")
    if owner is Owner.REQUESTER:
        check_requester(asker, asked)
    elif owner is Owner.STEWARD:
        check_steward(asker, asked)
    elif owner is Owner.SENIOR:
        check_senior(asker, asked)
    else:
        raise NotAllowed("This step is not a person's to make.")


def check_requester(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker wrote this request and is a researcher of the project still."""
    if asker.person != asked.requester:
        raise NotFound("There is no such release request.")
    if not asker.researcher:
        raise NotAllowed("You need to be a researcher of this project.")


def check_steward(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker may decide on this request at all (P4, T28)."""
    if asker.is_one_of(asked.requester):
        raise NotAllowed("Nobody decides on a request of their own; another steward must.")
    if not asker.steward:
        raise NotFound("There is no such release request.")
    if asker.ever_researcher or asker.researcher:
        raise NotAllowed("Who is or was a researcher of this project cannot be its steward.")
    if asker.is_one_of(*asked.interested):
        raise NotAllowed("You declared an interest of your own in this request; others decide on it.")


def check_senior(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker may lift what an automatic check blocks in this request (O5)."""
    if asker.is_one_of(asked.requester):
        raise NotAllowed("Nobody decides on a request of their own; another senior must.")
    if not asker.senior:
        raise NotAllowed("Only a senior steward lifts a block; ask one, or change the request.")
    if asker.ever_researcher or asker.researcher or asker.is_one_of(*asked.interested):
        raise NotAllowed("Who is or was a researcher of this project, or has an interest, lifts nothing in it.")


def check_may_lift(asker: Asker, asked: Asked, file: ReviewedFile, cast: Collection[CastVote]) -> None:
    """Raise unless this senior may lift the block of this file now; who votes on a request lifts nothing in it."""
    check_senior(asker, asked)
    if asked.state is not RequestState.BLOCKED and asked.state not in OPEN_TO_VOTES:
        raise Conflict("A block is lifted while the request is blocked or waits for votes.")
    if file.body_sha256 is None:
        raise Conflict("There is no clean copy of this file, so there is nothing that could leave.")
    if file.verdict is not Verdict.BLOCK:
        raise Conflict("No check blocks this file.")
    if asker.is_one_of(*(one.steward for one in cast)):
        raise NotAllowed("Who votes on a request does not lift its blocks; another senior must.")


def check_drawn(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker is one of the stewards who review this turn (T28)."""
    check_steward(asker, asked)
    if asked.drawn is not None and asker.person not in asked.drawn:
        raise NotAllowed("Other stewards were drawn to review this request.")


def check_trained(asker: Asker) -> None:
    """Raise if the asker's certificate has run out (P1, P2)."""
    if not asker.trained:
        raise NotAllowed("Your training certificate has expired or is missing; have an operator record a new one.")


def check_may_request(asker: Asker, run_person: str) -> None:
    """Raise unless the asker may ask for outputs of this person's run."""
    if asker.person != run_person:
        raise NotFound("The airlock holds nothing of such a run.")
    if not asker.researcher:
        raise NotAllowed("You need to be a researcher of this project.")


def check_may_submit(asker: Asker, asked: Asked, *, has_key: bool) -> None:
    """Raise unless this request can go to the stewards now."""
    check_step(asker, asked, RequestState.SUBMITTED)
    check_trained(asker)
    if not has_key:
        raise Conflict("Register this Crypt4GH key first: `strongroom key add`; results are sealed to it.")


def check_may_view(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker may look at the files of this request."""
    check_drawn(asker, asked)
    if asked.state not in IN_REVIEW:
        raise Conflict("This request is not in review.")


def check_may_vote(
    asker: Asker, asked: Asked, *, file: ReviewedFile, vote: Vote, body_sha256: str | None, cast: Collection[CastVote]
) -> None:
    """Raise unless the asker may cast this vote on these very bytes; `cast` are the votes of this turn."""
    check_drawn(asker, asked)
    check_trained(asker)
    if asker.is_one_of(file.lifted_by):
        raise NotAllowed("You lifted the block of this file; two others vote on it.")
    if asker.is_one_of(*asked.earlier_reviewers):
        raise NotAllowed("An appeal is decided by two other stewards.")
    if asked.state not in OPEN_TO_VOTES:
        raise Conflict("This request does not take votes now.")
    if asker.is_one_of(*(one.steward for one in cast if one.file == file.file)):
        raise Conflict("You have voted on this file; a vote is not changed.")
    if body_sha256 != file.body_sha256:
        raise Conflict("The file is not the one that was shown to you; look at it again.")
    if vote is Vote.YES and (file.body_sha256 is None or file.verdict is Verdict.BLOCK):
        raise Conflict("An automatic check blocks this file; it can only be refused.")


def complete_reviewers(files: Collection[ReviewedFile], cast: Collection[CastVote]) -> frozenset[str]:
    """Return the stewards who have voted on every file."""
    wanted = {one.file for one in files}
    by_steward: dict[str, set[str]] = {}
    for one in cast:
        by_steward.setdefault(one.steward, set()).add(one.file)
    return frozenset(steward for steward, voted in by_steward.items() if wanted and wanted <= voted)


def is_reviewed(files: Collection[ReviewedFile], cast: Collection[CastVote]) -> bool:
    """Say whether two distinct stewards have voted on every file."""
    complete = complete_reviewers(files, cast)
    return len({one.person for one in cast if one.steward in complete}) >= REVIEWERS


def approved(file: ReviewedFile, cast: Collection[CastVote]) -> bool:
    """Say whether two distinct stewards said yes to exactly these bytes and nobody said no."""
    votes = [one for one in cast if one.file == file.file]
    if file.body_sha256 is None or file.verdict is Verdict.BLOCK or any(one.vote is not Vote.YES for one in votes):
        return False
    return (
        all(one.body_sha256 == file.body_sha256 for one in votes) and len({one.person for one in votes}) >= REVIEWERS
    )


def check_may_consolidate(
    asker: Asker,
    asked: Asked,
    outcome: Outcome,
    *,
    files: Collection[ReviewedFile],
    cast: Collection[CastVote],
    told: bool = False,
) -> None:
    """Raise unless the asker is one of the two reviewers and the votes carry the outcome.

    Who is asked for changes is told which: `told` says that the requester gets a comment; a no carries a reason.
    """
    check_drawn(asker, asked)
    check_trained(asker)
    if asked.state is not RequestState.CONSOLIDATING or not is_reviewed(files, cast):
        raise Conflict("Both reviews must be in before a decision.")
    if asker.person not in complete_reviewers(files, cast):
        raise NotAllowed("The decision belongs to the two stewards who reviewed this request.")
    good = [one for one in files if approved(one, cast)]
    if outcome is Outcome.APPROVE and len(good) != len(files):
        raise Conflict("Not every file has two yes votes; split the refused files off, return or reject.")
    if outcome is Outcome.SPLIT and not 0 < len(good) < len(files):
        raise Conflict("There is nothing to split: all files were approved, or none.")
    asks = outcome in (Outcome.RETURN, Outcome.REJECT)
    if asks and not told and all(one.vote is Vote.YES for one in cast):
        raise Conflict("Say first what is to change: a comment for the requester, or a no with its reason.")


def check_may_release(requester: Asker, files: Collection[ReviewedFile], cast: Collection[CastVote]) -> None:
    """Raise unless every file that would leave is approved and its requester is still a researcher (P1)."""
    if not files or not all(approved(one, cast) for one in files):
        raise NotAllowed("A file of this request was not approved by two stewards.")
    if requester.is_one_of(*(one.steward for one in cast)):
        raise NotAllowed("Nobody decides on a request of their own; another steward must.")
    if not requester.researcher:
        raise NotAllowed("The requester is not a researcher of this project any more.")
    if not requester.trained:
        raise NotAllowed("The requester's training certificate has expired or is missing.")


def keeps_votes(file: ReviewedFile, before: Collection[CastVote], stewards: Collection[str]) -> bool:
    """Say whether the votes of the turn before go on counting: yes of two who may decide still, on these bytes."""
    return approved(file, before) and {one.steward for one in before if one.file == file.file} <= set(stewards)


def check_may_download(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker is the requester; a signed link needs no asker."""
    if asker.person != asked.requester:
        raise NotFound("There is no such release request.")


def check_may_read(asker: Asker, asked: Asked) -> None:
    """Raise unless the asker wrote the request or is a steward who may decide on it."""
    if asker.person == asked.requester:
        return
    if asker.senior and asked.state in IN_REVIEW | {RequestState.BLOCKED}:
        check_senior(asker, asked)
        return
    check_steward(asker, asked)


def _may(check: Callable[..., None], *given: Any, **named: Any) -> bool:
    try:
        check(*given, **named)
    except (NotAllowed, NotFound, Conflict):
        return False
    return True


def may_step(asker: Asker, asked: Asked, to: RequestState) -> bool:
    """Say whether the asker owns this step."""
    return _may(check_step, asker, asked, to)


def may_submit(asker: Asker, asked: Asked, *, has_key: bool) -> bool:
    """Say whether this request can go to the stewards now."""
    return _may(check_may_submit, asker, asked, has_key=has_key)


def may_review(asker: Asker, asked: Asked) -> bool:
    """Say whether the asker may look at this request's files."""
    return _may(check_may_view, asker, asked)


def may_read(asker: Asker, asked: Asked) -> bool:
    """Say whether the asker may know of this request."""
    return _may(check_may_read, asker, asked)


def may_request(asker: Asker, run_person: str) -> bool:
    """Say whether the asker may ask for outputs of this person's run."""
    return _may(check_may_request, asker, run_person)


def may_consolidate(
    asker: Asker,
    asked: Asked,
    outcome: Outcome,
    *,
    files: Collection[ReviewedFile],
    cast: Collection[CastVote],
    told: bool = False,
) -> bool:
    """Say whether the votes carry this outcome and the asker may speak it."""
    return _may(check_may_consolidate, asker, asked, outcome, files=files, cast=cast, told=told)


def may_lift(asker: Asker, asked: Asked, file: ReviewedFile, cast: Collection[CastVote]) -> bool:
    """Say whether this senior may lift the block of this file now."""
    return _may(check_may_lift, asker, asked, file, cast)
