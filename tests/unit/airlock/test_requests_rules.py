"""Who may do what in the airlock, as truth tables."""

import itertools

import pytest

from airlock import rules
from airlock.intake_files import STEPS as INTAKE_STEPS
from airlock.intake_files import IntakeState, Verdict
from airlock.release_requests import (
    AFTER_REVIEW,
    IN_REVIEW,
    OPEN_TO_VOTES,
    OWNERS,
    REASONS,
    STEPS,
    Outcome,
    Owner,
    Reason,
    RequestState,
    Vote,
)
from airlock.rules import Asked, Asker, CastVote, ReviewedFile
from strongroom.errors import StrongroomError

S = RequestState
A, B = "a" * 64, "b" * 64
REQUESTER = Asker("ruth", researcher=True, steward=False, ever_researcher=True, trained=True)
STEWARD = Asker("sam", researcher=False, steward=True, ever_researcher=False, trained=True)
OTHER = Asker("sina", researcher=False, steward=True, ever_researcher=False, trained=True)
MEMBER = Asker("rob", researcher=True, steward=False, ever_researcher=True, trained=True)
STRANGER = Asker("nobody", researcher=False, steward=False, ever_researcher=False, trained=True)
FORMER = Asker("former", researcher=False, steward=True, ever_researcher=True, trained=True)
BOTH = Asker("both", researcher=True, steward=True, ever_researcher=True, trained=True)
OWN = Asker("ruth", researcher=False, steward=True, ever_researcher=False, trained=True)  # a steward's own request
LEFT = Asker("ruth", researcher=False, steward=False, ever_researcher=True, trained=True)  # no researcher any more
SENIOR = Asker("sena", researcher=False, steward=False, ever_researcher=False, senior=True, trained=True)
OWN_SENIOR = Asker("ruth", researcher=False, steward=False, ever_researcher=False, senior=True, trained=True)
EVERYBODY = (REQUESTER, STEWARD, OTHER, MEMBER, STRANGER, FORMER, BOTH, OWN, LEFT, SENIOR, OWN_SENIOR)
FILE = ReviewedFile("one", A, Verdict.PASS)


def asked(state: RequestState, *earlier: str) -> Asked:
    return Asked("ruth", state, frozenset(earlier))


def cast(steward: str, vote: Vote = Vote.YES, file: str = "one", digest: str | None = A) -> CastVote:
    return CastVote(steward, file, vote, digest)


def test_the_table_is_the_one_of_the_design() -> None:
    assert {state: set(moves) for state, moves in STEPS.items()} == {
        S.DRAFT: {S.SCANNING, S.WITHDRAWN},
        S.SCANNING: {S.SCAN_FAILED, S.BLOCKED, S.READY, S.WITHDRAWN},
        S.SCAN_FAILED: {S.SCANNING, S.WITHDRAWN, S.EXPIRED},
        S.BLOCKED: {S.DRAFT, S.READY, S.WITHDRAWN, S.EXPIRED},
        S.READY: {S.SUBMITTED, S.DRAFT, S.WITHDRAWN, S.EXPIRED},
        S.SUBMITTED: {S.FIRST_REVIEW, S.WITHDRAWN},
        S.FIRST_REVIEW: {S.CONSOLIDATING},
        S.CONSOLIDATING: {S.RETURNED, S.REJECTED, S.APPROVED, S.FIRST_REVIEW},
        S.RETURNED: {S.DRAFT, S.WITHDRAWN, S.EXPIRED},
        S.REJECTED: {S.APPEALED},
        S.APPEALED: {S.SUBMITTED},
        S.APPROVED: {S.RELEASING, S.REVOKED},
        S.RELEASING: {S.RELEASED, S.RETURNED, S.REVOKED},
        S.RELEASED: {S.EXPIRED, S.REVOKED},
        S.EXPIRED: set(),
        S.REVOKED: set(),
        S.WITHDRAWN: set(),
    }


def test_the_tables_are_total() -> None:
    assert set(STEPS) == set(RequestState)
    assert set(OWNERS) == {(state, to) for state, moves in STEPS.items() for to in moves}
    assert set(INTAKE_STEPS) == set(IntakeState)
    assert set(REASONS) == set(Reason)
    assert not IN_REVIEW & AFTER_REVIEW
    assert OPEN_TO_VOTES < IN_REVIEW


def test_every_way_to_released_passes_both_reviews_and_the_broker() -> None:
    into: dict[RequestState, set[RequestState]] = {}
    for state, moves in STEPS.items():
        for to in moves:
            into.setdefault(to, set()).add(state)
    chain = [S.RELEASED, S.RELEASING, S.APPROVED, S.CONSOLIDATING, S.FIRST_REVIEW, S.SUBMITTED]
    for to, before in itertools.pairwise(chain):
        # An interest that comes to light takes a request back to its first review; there is no other way round.
        assert into[to] - {S.CONSOLIDATING if to is S.FIRST_REVIEW else to} == {before}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: f"{who.person}-{who.researcher}-{who.steward}")
def test_a_step_is_made_by_its_owner_alone(who: Asker, state: RequestState) -> None:
    may = {
        Owner.REQUESTER: {REQUESTER},
        Owner.STEWARD: {STEWARD, OTHER},
        Owner.SENIOR: {SENIOR},
        Owner.SYSTEM: set[Asker](),
        None: set[Asker](),
    }
    for to in RequestState:
        assert rules.may_step(who, asked(state), to) is (who in may[OWNERS.get((state, to))]), to


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: f"{who.person}-{who.researcher}-{who.steward}")
def test_only_an_outside_steward_votes_and_only_while_votes_are_open(who: Asker, state: RequestState) -> None:
    good = who in (STEWARD, OTHER) and state in OPEN_TO_VOTES
    assert votes(who, asked(state)) is good
    assert rules.may_review(who, asked(state)) is (who in (STEWARD, OTHER) and state in IN_REVIEW)


def votes(
    who: Asker,
    what: Asked,
    *,
    file: ReviewedFile = FILE,
    vote: Vote = Vote.YES,
    digest: str | None = A,
    before: tuple[CastVote, ...] = (),
) -> bool:
    try:
        rules.check_may_vote(who, what, file=file, vote=vote, body_sha256=digest, cast=before)
    except StrongroomError:
        return False
    return True


def test_a_vote_is_for_the_bytes_that_were_shown_once_and_never_lifts_a_block() -> None:
    open_ = asked(S.FIRST_REVIEW)
    assert not votes(STEWARD, open_, digest=B)
    assert not votes(STEWARD, open_, before=(cast("sam"),))
    assert votes(STEWARD, open_, before=(cast("sina"), cast("sam", file="two")))
    assert not votes(STEWARD, asked(S.SUBMITTED, "sam"))
    for blocked in (ReviewedFile("one", A, Verdict.BLOCK), ReviewedFile("one", None, Verdict.PASS)):
        assert not votes(STEWARD, open_, file=blocked, digest=blocked.body_sha256)
        assert votes(STEWARD, open_, file=blocked, digest=blocked.body_sha256, vote=Vote.NO)


@pytest.mark.parametrize(
    ("good", "cast_votes"),
    [
        (True, (cast("sam"), cast("sina"))),
        (False, (cast("sam"), cast("sam"))),
        (False, (cast("sam"),)),
        (False, ()),
        (False, (cast("sam"), cast("sina", Vote.NO))),
        (False, (cast("sam"), cast("sina"), cast("sara", Vote.NO))),
        (False, (cast("sam"), cast("sina", digest=B))),
        (False, (cast("sam"), cast("sina", file="two"))),
    ],
)
def test_a_file_is_approved_by_two_stewards_and_nobody_against(good: bool, cast_votes: tuple[CastVote, ...]) -> None:
    assert rules.approved(FILE, cast_votes) is good
    if good:
        rules.check_may_release(REQUESTER, [FILE], cast_votes)
        for who in (LEFT, Asker("sam", researcher=True, steward=True, ever_researcher=True, trained=True)):
            with pytest.raises(StrongroomError):
                rules.check_may_release(who, [FILE], cast_votes)
    else:
        with pytest.raises(StrongroomError):
            rules.check_may_release(REQUESTER, [FILE], cast_votes)


def test_a_blocked_file_is_never_approved() -> None:
    both = (cast("sam"), cast("sina"))
    assert not rules.approved(ReviewedFile("one", A, Verdict.BLOCK), both)
    assert not rules.approved(ReviewedFile("one", None, Verdict.PASS), both)
    with pytest.raises(StrongroomError):
        rules.check_may_release(REQUESTER, [], both)


def test_the_two_reviewers_decide_what_their_votes_carry() -> None:
    files = [FILE, ReviewedFile("two", B, Verdict.WARN)]
    yes = [cast(who, file=f, digest=d) for who in ("sam", "sina") for f, d in (("one", A), ("two", B))]
    mixed = [*yes[:3], cast("sina", Vote.NO, "two", B)]
    decide = asked(S.CONSOLIDATING)
    carried = {
        (len(v), o): rules.may_consolidate(STEWARD, decide, o, files=files, cast=v, told=True)
        for v in (yes, yes[:3])
        for o in Outcome
    }
    assert carried == {
        (4, Outcome.APPROVE): True,
        (4, Outcome.SPLIT): False,
        (4, Outcome.RETURN): True,
        (4, Outcome.REJECT): True,
        **{(3, outcome): False for outcome in Outcome},
    }
    assert not rules.may_consolidate(STEWARD, decide, Outcome.APPROVE, files=files, cast=mixed)
    assert rules.may_consolidate(OTHER, decide, Outcome.SPLIT, files=files, cast=mixed)
    third = Asker("sara", researcher=False, steward=True, ever_researcher=False, trained=True)
    for who in (third, REQUESTER, MEMBER, FORMER, BOTH, STRANGER):
        assert not rules.may_consolidate(who, decide, Outcome.APPROVE, files=files, cast=yes)
    assert not rules.may_consolidate(STEWARD, asked(S.FIRST_REVIEW), Outcome.APPROVE, files=files, cast=yes)


def test_a_request_is_read_by_its_requester_and_by_outside_stewards() -> None:
    for who in EVERYBODY:
        wanted = who.person == "ruth" or who in (STEWARD, OTHER, SENIOR)
        assert rules.may_read(who, asked(S.SUBMITTED)) is wanted
        assert rules.may_read(who, asked(S.RELEASED)) is (wanted and who != SENIOR)
        assert rules.may_request(who, "ruth") is (who == REQUESTER)
        assert rules.may_submit(who, asked(S.READY), has_key=True) is (who == REQUESTER)
        assert not rules.may_submit(who, asked(S.READY), has_key=False)


BLOCKED_FILE = ReviewedFile("one", A, Verdict.BLOCK)


def lifts(who: Asker, what: Asked, file: ReviewedFile = BLOCKED_FILE, *before: CastVote) -> bool:
    return rules.may_lift(who, what, file, before)


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize(
    "who", EVERYBODY, ids=lambda who: f"{who.person}-{who.researcher}-{who.steward}-{who.senior}"
)
def test_a_block_is_lifted_by_a_senior_from_outside_while_it_matters(who: Asker, state: RequestState) -> None:
    assert lifts(who, asked(state)) is (who == SENIOR and state in OPEN_TO_VOTES | {S.BLOCKED})


def test_a_lift_needs_a_block_a_clean_copy_and_a_senior_who_does_not_vote() -> None:
    both = Asker("sena", researcher=False, steward=True, ever_researcher=False, senior=True, trained=True)
    member = Asker("mo", researcher=False, steward=False, ever_researcher=True, senior=True, trained=True)
    what = asked(S.FIRST_REVIEW)
    assert lifts(both, what)
    assert not lifts(both, what, BLOCKED_FILE, cast("sena", Vote.NO))
    assert not lifts(member, what)
    assert not lifts(SENIOR, Asked("ruth", S.BLOCKED, interested=frozenset({"sena"})))
    assert not lifts(SENIOR, what, FILE)
    assert not lifts(SENIOR, what, ReviewedFile("one", None, Verdict.BLOCK))
    # Who lifted a block does not vote on that file, and does on others.
    lifted = ReviewedFile("one", A, Verdict.WARN, lifted_by="sena")
    assert not votes(both, what, file=lifted)
    assert votes(both, what)
    assert votes(STEWARD, what, file=lifted)


def test_only_who_was_drawn_and_has_no_interest_reviews() -> None:
    drawn = Asked("ruth", S.FIRST_REVIEW, drawn=frozenset({"sam"}))
    assert (votes(STEWARD, drawn), votes(OTHER, drawn)) == (True, False)
    assert (rules.may_review(STEWARD, drawn), rules.may_review(OTHER, drawn)) == (True, False)
    assert not votes(STEWARD, Asked("ruth", S.FIRST_REVIEW, drawn=frozenset()))
    recused = Asked("ruth", S.FIRST_REVIEW, interested=frozenset({"sam"}), drawn=frozenset({"sam", "sina"}))
    assert (votes(STEWARD, recused), votes(OTHER, recused)) == (False, True)
    assert not rules.may_read(STEWARD, recused)
    everywhere = [rules.may_step(STEWARD, Asked("ruth", s, interested=frozenset({"sam"})), to) for s in S for to in S]
    assert not any(everywhere)


def test_expired_training_refuses_at_submit_vote_decision_and_release() -> None:
    late = Asker("ruth", researcher=True, steward=False, ever_researcher=True, trained=False)
    idle = Asker("sam", researcher=False, steward=True, ever_researcher=False, trained=False)
    both = (cast("sam"), cast("sina"))
    assert not rules.may_submit(late, asked(S.READY), has_key=True)
    assert not votes(idle, asked(S.SUBMITTED))
    assert not rules.may_consolidate(idle, asked(S.CONSOLIDATING), Outcome.APPROVE, files=[FILE], cast=both)
    with pytest.raises(StrongroomError, match="training"):
        rules.check_may_release(late, [FILE], both)


@pytest.mark.parametrize(
    ("kept", "before"),
    [
        (True, (cast("sam"), cast("sina"))),
        (False, (cast("sam"),)),
        (False, (cast("sam"), cast("sina", Vote.NO))),
        (False, (cast("sam"), cast("sina", digest=B))),
        (False, (cast("sam"), cast("gone"))),
        (False, ()),
    ],
)
def test_votes_are_kept_where_both_were_yes_on_these_bytes(kept: bool, before: tuple[CastVote, ...]) -> None:
    assert rules.keeps_votes(FILE, before, {"sam", "sina"}) is kept
    assert not rules.keeps_votes(BLOCKED_FILE, before, {"sam", "sina"})


def test_who_asks_for_changes_says_which() -> None:
    both = (cast("sam"), cast("sina"))
    for outcome in (Outcome.RETURN, Outcome.REJECT):
        for votes_, told, good in (
            (both, False, False),
            (both, True, True),
            ((both[0], cast("sina", Vote.NO)), False, True),
        ):
            found = rules.may_consolidate(
                STEWARD, asked(S.CONSOLIDATING), outcome, files=[FILE], cast=votes_, told=told
            )
            assert found is good


def test_t28_two_identities_of_one_person_are_one_in_every_rule() -> None:
    one, two = (CastVote(name, "one", Vote.YES, A, "sam") for name in ("sam", "simon"))
    other = CastVote("sina", "one", Vote.YES, A, "sina")
    assert not rules.is_reviewed([FILE], [one, two])
    assert not rules.approved(FILE, [one, two])
    assert rules.approved(FILE, [one, other])
    assert rules.is_reviewed([FILE], [one, other])
    simon = Asker("simon", False, True, False, trained=True, also=frozenset({"sam", "ruth-at-home"}))
    in_review = asked(S.FIRST_REVIEW)
    told = {"file": FILE, "vote": Vote.YES, "body_sha256": A}
    rules.check_may_vote(simon, in_review, **told, cast=[other])  # type: ignore[arg-type]
    with pytest.raises(StrongroomError, match="have voted"):
        rules.check_may_vote(simon, in_review, **told, cast=[one])  # type: ignore[arg-type]
    with pytest.raises(StrongroomError, match="appeal"):
        rules.check_may_vote(simon, asked(S.FIRST_REVIEW, "sam"), **told, cast=[])  # type: ignore[arg-type]
    lifted = ReviewedFile("one", A, Verdict.WARN, "sam")
    with pytest.raises(StrongroomError, match="lifted"):
        rules.check_may_vote(simon, in_review, **{**told, "file": lifted}, cast=[])  # type: ignore[arg-type]
    with pytest.raises(StrongroomError, match="interest"):
        rules.check_steward(simon, Asked("ruth", S.FIRST_REVIEW, interested=frozenset({"sam"})))
    with pytest.raises(StrongroomError, match="of their own"):
        rules.check_steward(simon, Asked("ruth-at-home", S.FIRST_REVIEW))
    ruth = Asker("ruth", True, False, True, trained=True, also=frozenset({"sam"}))
    with pytest.raises(StrongroomError, match="of their own"):
        rules.check_may_release(ruth, [FILE], [one, other])
