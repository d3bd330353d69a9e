"""Anyone writes, rolls back, signs and tampers in any order: the log stays whole, or the check says what is wrong."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import orm

from strongroom.audit import AuditEvent, AuditHead, Entry, Event, append, head
from strongroom.audit_heads import Head, Report, check_log, logged, sign_head, signed_heads
from strongroom.database import Base, open_database, reading, transaction

KEY = Ed25519PrivateKey.generate()
EVENTS = st.sampled_from(list(Event))
NAMES = st.text(min_size=1, max_size=20)
FACTS = st.dictionaries(st.text(max_size=6), st.integers(-9, 9) | st.text(max_size=6) | st.none(), max_size=3)
ENTRIES = st.lists(st.builds(Entry, EVENTS, NAMES, NAMES, st.none() | NAMES, FACTS), min_size=1, max_size=4)


class Log(RuleBasedStateMachine):
    """One log; what somebody tampers with is checked before it is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="audit-"))
        self.engine = open_database(f"sqlite:///{self.folder / 'log.db'}")
        Base.metadata.create_all(self.engine, tables=[t for n, t in Base.metadata.tables.items() if "audit" in n])
        self.subjects: list[str] = []

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @rule(entries=ENTRIES)
    def write(self, entries: list[Entry]) -> None:
        with transaction(self.engine) as session:
            append(session, *entries)
        self.subjects += [entry.subject for entry in entries]

    @rule(entries=ENTRIES)
    def roll_back(self, entries: list[Entry]) -> None:
        with suppress(InterruptedError), transaction(self.engine) as session:
            append(session, *entries)
            raise InterruptedError

    @rule()
    def sign(self) -> None:
        with transaction(self.engine) as session:
            sign_head(session, KEY)

    @precondition(lambda self: self.subjects)
    @rule(data=st.data(), column=st.sampled_from(["actor", "event", "subject", "salt", "body", "leaf"]))
    def change(self, data: st.DataObject, column: str) -> None:
        at = data.draw(st.integers(0, len(self.subjects) - 1))
        value: object = {"salt": b"\xff" * 16, "body": b"{}", "leaf": "0" * 64}.get(column, "\x00 not a name")
        self._expect(at, sa.update(AuditEvent).where(AuditEvent.seq == at).values({column: value}))

    @precondition(lambda self: self.subjects)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(self.subjects) - 1))
        self._expect(at, sa.delete(AuditEvent).where(AuditEvent.seq == at))

    @precondition(lambda self: len(self.subjects) > 1)
    @rule(data=st.data())
    def exchange(self, data: st.DataObject) -> None:
        one = data.draw(st.integers(0, len(self.subjects) - 2))
        other = data.draw(st.integers(one + 1, len(self.subjects) - 1))
        moves = ((one, -1), (other, one), (-1, other))
        self._expect(one, *[sa.update(AuditEvent).where(AuditEvent.seq == a).values(seq=b) for a, b in moves])

    @precondition(lambda self: self.subjects)
    @rule()
    def lower_the_head(self) -> None:
        self._expect(len(self.subjects) - 1, sa.update(AuditHead).values(size=AuditHead.size - 1))

    @invariant()
    def is_whole_and_in_order(self) -> None:
        with reading(self.engine) as session:
            report = _report(session)
            found = list(session.scalars(sa.select(AuditEvent.subject).order_by(AuditEvent.seq)))
        assert report.whole, report.problems
        assert found == self.subjects

    def _expect(self, at: int, *tampering: sa.Update | sa.Delete) -> None:
        with orm.Session(self.engine) as session:
            for statement in tampering:
                session.execute(statement)
            report = _report(session)
            session.rollback()
        assert not report.whole
        assert at in {problem.seq for problem in report.problems}, report.problems


def _report(session: orm.Session) -> Report:
    return check_log(logged(session), signed_heads(session), KEY.public_key(), last=Head(*head(session)))


Log.TestCase.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLog = Log.TestCase
