"""Tasks under any order of events: none outlives its cancel, none moves after its end, and the log stays whole."""

from typing import Any

import sqlalchemy as sa
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from strongroom import audit
from strongroom.audit_heads import check_log, logged, signed_heads
from strongroom.database import Base, now, reading, transaction
from tes import submission
from tes.store import Task, find, move, next_seq
from tes.tasks import TERMINAL, Cause, TaskState, after

S = TaskState


class Tasks(RuleBasedStateMachine):
    """Clients, a dispatcher and dying nodes do what they like."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
        Base.metadata.create_all(self.engine)
        self.canceled: set[str] = set()
        self.ended: dict[str, str] = {}
        self.count = 0

    @rule(target=tasks)
    def create(self) -> str:
        self.count += 1
        with transaction(self.engine) as session:
            session.add(a_task(self.count, next_seq(session)))
        return f"{self.count:032x}"

    @rule(task=tasks)
    def cancel(self, task: str) -> None:
        with transaction(self.engine) as session:
            row = self.row(session, task)
            live = TaskState(row.state) not in TERMINAL
            submission.cancel(session, row, actor="ruth")
            if live:
                self.canceled.add(task)

    @rule(task=tasks)
    def start(self, task: str) -> None:
        with transaction(self.engine) as session:
            row = self.row(session, task)
            if row.state == S.QUEUED.value:
                row.attempts += 1
                audit.append(session, move(session, row, S.INITIALIZING, actor="dispatcher"))

    @rule(task=tasks)
    def walls_up(self, task: str) -> None:
        with transaction(self.engine) as session:
            row = self.row(session, task)
            if row.state == S.INITIALIZING.value:
                audit.append(session, move(session, row, S.RUNNING, actor="dispatcher"))

    @rule(task=tasks, cause=st.sampled_from(list(Cause)), code=st.integers(0, 3))
    def end_of_attempt(self, task: str, cause: Cause, code: int) -> None:
        with transaction(self.engine) as session:
            row = self.row(session, task)
            for state in after(S(row.state), cause, code, again=row.attempts < 3):
                audit.append(session, move(session, row, state, actor="dispatcher"))

    @invariant()
    def what_ended_stays_as_it_was(self) -> None:
        with reading(self.engine) as session:
            for row in session.scalars(sa.select(Task)):
                if S(row.state) in TERMINAL:
                    assert self.ended.setdefault(row.id, row.state) == row.state
                    assert row.ended is not None

    @invariant()
    def a_canceled_task_is_canceled_or_about_to_be(self) -> None:
        with reading(self.engine) as session:
            for task in self.canceled:
                assert S(self.row(session, task).state) in (S.CANCELING, S.CANCELED)

    @invariant()
    def every_change_has_a_number_of_its_own(self) -> None:
        with reading(self.engine) as session:
            numbers = list(session.scalars(sa.select(Task.seq)))
        assert len(set(numbers)) == len(numbers)

    def teardown(self) -> None:
        with reading(self.engine) as session:
            report = check_log(list(logged(session)), list(signed_heads(session)), None)
        assert report.whole, report.problems
        self.engine.dispose()

    @staticmethod
    def row(session: Any, task: str) -> Task:
        found = find(session, task)
        assert found is not None
        return found


def a_task(number: int, seq: int) -> Task:
    """Return a task that waits."""
    return Task(
        id=f"{number:032x}",
        seq=seq,
        state=S.QUEUED.value,
        client="wes.gateway",
        idempotency_key=str(number),
        body_digest="0" * 64,
        run="r" * 32,
        project="p",
        person="ruth@development",
        coarse=True,
        name="rule-1",
        request={},
        plan={},
        policy_version=1,
        created=now(),
        attempts=0,
    )


TestTasks = Tasks.TestCase
TestTasks.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)
