"""Anyone tries anything with release requests, in any order: nothing is released unapproved, no member ever votes."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from airlock_scene import FINGERPRINT, KEY, PROJECT, TSV, VCF, person, populate
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airlock import comments, drawing, lifting, release, review, stops, submission
from airlock.comments import Words
from airlock.giving_back import Earlier
from airlock.release import Exported
from airlock.release_requests import (
    IN_REVIEW,
    Audience,
    LiftReason,
    Outcome,
    Reason,
    Remark,
    RequestState,
    StopReason,
    Vote,
)
from airlock.review_store import Lift, draws_of, interested, stops_in_force
from airlock.store import IntakeFile, IntakeRun, Release, ReleaseRequest, files_of, votes_of
from airlock.submission import Recipient
from strongroom import projects
from strongroom.audit import AuditEvent, Event
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.queue import Context
from strongroom.settings import Settings

S = RequestState
ANYBODY = st.sampled_from(["ruth", "rob", "sam", "sina", "sara", "sena", "both", "former", "nobody"])
STEWARDS = {person(name) for name in ("sam", "sina", "sara")}
WHICH = st.integers(0, 3)
RUN = "a" * 32
GOOD, BLOCKED = "1" * 32, "2" * 32


class Requests(RuleBasedStateMachine):
    """Researchers, stewards, strangers and a worker at one airlock."""

    DRAWN = False

    @initialize()
    def open(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="machine-", dir="/tmp"))
        self.settings = Settings(home=self.home, airlock={"draw_stewards": self.DRAWN})  # type: ignore[arg-type]
        (self.home / "database").mkdir()
        self.engine = open_database(self.settings.database)
        Base.metadata.create_all(self.engine)
        populate(self.engine)
        self.ids: list[str] = []
        with transaction(self.engine) as session:
            held = {
                "run": RUN,
                "project": PROJECT,
                "person": person("ruth"),
                "contract_version": 1,
                "policy_version": 1,
            }
            session.add(IntakeRun(**held, coarse=True, datasets=[], lineage=[], left_inside=0, created=now()))
            session.flush()
            policy = submission.intake.policy_of(
                session, session.get_one(projects.Project, PROJECT), self.settings, datasets=()
            ).as_json()
            for name, path, verdict in ((GOOD, TSV, "pass"), (BLOCKED, VCF, "block")):
                session.add(
                    IntakeFile(
                        **held,
                        id=name,
                        path=path,
                        rule="r",
                        task="t",
                        source="s",
                        promise={"needs": []},
                        policy=policy,
                        state="CHECKED",
                        clean=name[::-1],
                        body_sha256=name * 2,
                        size=1,
                        verdict=verdict,
                        findings=[{"code": "small-count", "severity": "block", "place": {}}] * (verdict == "block"),
                        attempts=0,
                        next_try=now(),
                        created=now(),
                    )
                )

        # Most stories are about what happens to a request that waits for stewards: there is one from the start.
        self.create("ruth", [])
        self.ruth_submits(0)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            shutil.rmtree(self.home)

    def act(self, which: int, deed: str, who: str, *given: object, **named: object) -> None:
        if not self.ids:
            return
        request = self.ids[which % len(self.ids)]
        with reading(self.engine) as session:
            before = session.get_one(ReleaseRequest, request).state
        acts = {
            "submit": submission.submit,
            "appeal": submission.appeal,
            "withdraw": submission.withdraw,
            "edit": submission.edit,
            "vote": review.vote,
            "consolidate": review.consolidate,
            "revoke": release.revoke,
            "look": review.look,
            "decline": drawing.decline,
            "interest": drawing.declare_interest,
            "lift": lifting.lift,
            "say": comments.say,
        }
        try:
            with transaction(self.engine) as session:
                row = session.get_one(ReleaseRequest, request)
                made = acts[deed](session, row, person(who), *given, **named)  # type: ignore[operator]
                if isinstance(made, ReleaseRequest):
                    self.ids.append(made.id)
        except StrongroomError:
            with reading(self.engine) as session:
                assert session.get_one(ReleaseRequest, request).state == before

    @rule(who=ANYBODY, paths=st.sampled_from([[], [TSV], [VCF], ["work/secret.vcf"]]))
    def create(self, who: str, paths: list[str]) -> None:
        try:
            with transaction(self.engine) as session:
                row = submission.create(
                    session, person(who), run=RUN, paths=paths, purpose="p", settings=self.settings
                )
                self.ids.append(row.id)
            assert who == "ruth"
            assert paths != ["work/secret.vcf"]
        except StrongroomError:
            assert who != "ruth" or paths == ["work/secret.vcf"]

    @rule(who=ANYBODY, which=WHICH, deed=st.sampled_from(["submit", "appeal"]), known=st.booleans())
    def hand_over(self, who: str, which: int, deed: str, known: bool) -> None:
        self.act(which, deed, who, Recipient(FINGERPRINT, KEY if known else None), settings=self.settings)

    @rule(which=WHICH)
    def ruth_submits(self, which: int) -> None:
        self.act(which, "submit", "ruth", Recipient(FINGERPRINT, KEY), settings=self.settings)

    @rule(who=ANYBODY, which=WHICH)
    def withdraw(self, who: str, which: int) -> None:
        self.act(which, "withdraw", who)

    @rule(who=ANYBODY, which=WHICH, paths=st.sampled_from([[], [TSV]]))
    def edit(self, who: str, which: int, paths: list[str]) -> None:
        self.act(which, "edit", who, paths=paths, purpose=None, settings=self.settings)

    @rule(who=ANYBODY, which=WHICH, file=st.sampled_from([GOOD, BLOCKED]), yes=st.booleans(), known=st.booleans())
    def vote(self, who: str, which: int, file: str, yes: bool, known: bool) -> None:
        ballot = review.Ballot(
            file, Vote.YES if yes else Vote.NO, None if yes else Reason.UNCLEAR, None if known else "0" * 64
        )
        self.act(which, "vote", who, [ballot])

    @rule(which=WHICH, who=st.sampled_from(["ruth", "rob", "both", "former", "nobody"]))
    def a_member_or_stranger_tries_to_review(self, which: int, who: str) -> None:
        self.act(which, "vote", who, [review.Ballot(GOOD, Vote.YES, None, None)])
        self.act(which, "look", who, GOOD)

    @rule(which=WHICH, who=st.sampled_from(["sam", "sina"]))
    def a_steward_says_yes_where_it_is_allowed(self, which: int, who: str) -> None:
        self.act(which, "vote", who, [review.Ballot(GOOD, Vote.YES, None, None)])

    @rule(which=WHICH, who=st.sampled_from(["sam", "sina"]))
    def a_steward_refuses_what_is_blocked(self, which: int, who: str) -> None:
        self.act(which, "vote", who, [review.Ballot(BLOCKED, Vote.NO, Reason.BLOCKED_BY_CHECKS, None)])

    @rule(who=ANYBODY, which=WHICH, outcome=st.sampled_from(Outcome))
    def consolidate(self, who: str, which: int, outcome: Outcome) -> None:
        self.act(which, "consolidate", who, outcome)

    @rule(which=WHICH, outcome=st.sampled_from([Outcome.APPROVE, Outcome.SPLIT]))
    def sam_decides(self, which: int, outcome: Outcome) -> None:
        self.act(which, "consolidate", "sam", outcome)

    @rule(who=ANYBODY, which=WHICH, file=st.sampled_from([GOOD, BLOCKED]))
    def look(self, who: str, which: int, file: str) -> None:
        self.act(which, "look", who, file)

    @rule(who=ANYBODY, which=WHICH)
    def revoke(self, who: str, which: int) -> None:
        self.act(which, "revoke", who)

    @rule(who=ANYBODY, which=WHICH, deed=st.sampled_from(["decline", "interest"]))
    def step_back(self, who: str, which: int, deed: str) -> None:
        self.act(which, deed, who)

    @rule(who=ANYBODY, which=WHICH, file=st.sampled_from([GOOD, BLOCKED]))
    def lift(self, who: str, which: int, file: str) -> None:
        self.act(which, "lift", who, files=[file], reason=LiftReason.FALSE_ALARM, note="Genes and no persons.")

    @rule(which=WHICH)
    def sena_lifts(self, which: int) -> None:
        self.act(which, "lift", "sena", files=[BLOCKED], reason=LiftReason.FALSE_ALARM, note="Genes and no persons.")

    @rule(who=ANYBODY, which=WHICH, text=st.sampled_from([None, "Round it."]), told=st.sampled_from(Audience))
    def say(self, who: str, which: int, text: str | None, told: Audience) -> None:
        self.act(which, "say", who, Words(told, None if text else Remark.ROUND, text, None))

    @rule(which=WHICH)
    def sam_asks_for_changes_and_ruth_hands_it_over_again(self, which: int) -> None:
        self.act(which, "say", "sam", Words(Audience.REQUESTER, Remark.ROUND, None, None))
        self.act(which, "consolidate", "sam", Outcome.RETURN)
        self.act(which, "edit", "ruth", paths=[], purpose=None, settings=self.settings)
        self.ruth_submits(which)

    @rule(who=ANYBODY, lifts=st.booleans())
    def stop_or_lift(self, who: str, lifts: bool) -> None:
        with suppress(StrongroomError), transaction(self.engine) as session:
            found = stops_in_force(session)
            if not lifts:
                stops.stop(session, person(who), StopReason.LEAK)
            elif found:
                stops.lift(session, person(who), found[0].id)

    @rule(which=WHICH)
    def a_worker_releases(self, which: int) -> None:
        if not self.ids:
            return
        context = Context(self.settings, self.engine)
        try:
            order = release.begin(context, self.ids[which % len(self.ids)])
        except StrongroomError:
            return
        if order is not None:
            with reading(self.engine) as session:
                assert not stops_in_force(session)
            exported = [Exported(f.file, b"crypt4gh", "5" * 64, 1) for f in order.files]
            release.finish(context, order, exported, Earlier({}, {}, release.judge(context, order.request), {}))

    @invariant()
    def nothing_is_released_unapproved(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as session:
            for made in session.query(Release):
                row = session.get_one(ReleaseRequest, made.request)
                assert row.state in (S.RELEASED.value, S.EXPIRED.value, S.REVOKED.value)
                votes = votes_of(session, row.id, row.turn)
                lifted = {one.file for one in session.query(Lift).where(Lift.request == row.id)}
                cast = {e.seq: e for e in session.query(AuditEvent).where(AuditEvent.event == Event.VOTE_CAST.value)}
                for file in files_of(session, row.id):
                    mine = [v for v in votes if v.file == file.file and v.steward not in interested(session, row.id)]
                    assert file.file == GOOD or file.file in lifted
                    assert {v.vote for v in mine} == {"yes"}
                    assert {v.body_sha256 for v in mine} == {file.body_sha256}
                    assert len({v.steward for v in mine} & STEWARDS) >= 2
                    # Each vote that counts, kept ones too, stands in the log with this person, request and file.
                    for one in mine:
                        said = cast[one.audit_seq]
                        assert (said.actor, said.subject) == (one.steward, row.id)
                        assert file.body_sha256 in said.body.decode()
                assert (row.recipient, row.requester) == (KEY, person("ruth"))

    @invariant()
    def only_outside_stewards_are_in_the_log_of_votes_and_looks(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as session:
            kinds = [Event.VOTE_CAST.value, Event.FILE_VIEWED.value]
            actors = {e.actor for e in session.query(AuditEvent).where(AuditEvent.event.in_(kinds))}
            assert actors <= STEWARDS

    @invariant()
    def what_is_in_review_has_a_frozen_recipient(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as session:
            for row in session.query(ReleaseRequest):
                if RequestState(row.state) in IN_REVIEW:
                    assert row.recipient == KEY
                    assert row.submitted_seq is not None


class DrawnRequests(Requests):
    """The same people at an airlock that draws its stewards."""

    DRAWN = True

    @invariant()
    def who_votes_was_drawn(self) -> None:
        if not hasattr(self, "engine"):
            return
        with reading(self.engine) as session:
            for row in session.query(ReleaseRequest):
                drawn = {one.steward for turn in range(1, row.turn + 1) for one in draws_of(session, row.id, turn)}
                assert {v.steward for v in votes_of(session, row.id, row.turn)} <= drawn
                assert drawn <= STEWARDS


@pytest.mark.timeout(300)
class TestDrawnRequests(DrawnRequests.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=25, stateful_step_count=50, deadline=None)


@pytest.mark.timeout(300)
class TestRequests(Requests.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=40, stateful_step_count=60, deadline=None)


def test_the_machine_can_reach_a_release() -> None:
    machine = Requests()
    machine.open()
    try:
        for name in ("sam", "sina"):
            machine.a_steward_says_yes_where_it_is_allowed(0, name)
            machine.a_steward_refuses_what_is_blocked(0, name)
        machine.sam_decides(0, Outcome.SPLIT)
        machine.a_worker_releases(0)
        machine.nothing_is_released_unapproved()
        with reading(machine.engine) as session:
            assert session.get_one(ReleaseRequest, machine.ids[0]).state == S.RELEASED.value
            assert session.get_one(ReleaseRequest, machine.ids[1]).state == S.RETURNED.value
    finally:
        machine.teardown()


def test_the_machine_can_reach_a_release_of_kept_votes_and_a_lifted_block() -> None:
    machine = Requests()
    machine.open()
    try:
        for name in ("sam", "sina"):
            machine.a_steward_says_yes_where_it_is_allowed(0, name)
            machine.a_steward_refuses_what_is_blocked(0, name)
        machine.sam_asks_for_changes_and_ruth_hands_it_over_again(0)
        machine.sena_lifts(0)
        for name in ("sam", "sina"):
            machine.vote(name, 0, BLOCKED, yes=True, known=True)
        machine.sam_decides(0, Outcome.APPROVE)
        machine.a_worker_releases(0)
        machine.nothing_is_released_unapproved()
        with reading(machine.engine) as session:
            row = session.get_one(ReleaseRequest, machine.ids[0])
            assert (row.state, row.turn) == (S.RELEASED.value, 2)
            kept = [vote for vote in votes_of(session, row.id, 2) if vote.kept_from is not None]
            assert {(vote.file, vote.kept_from) for vote in kept} == {(GOOD, 1)}
    finally:
        machine.teardown()
