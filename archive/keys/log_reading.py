"""Reads the whole log in an unbroken chain, once and then what is new, and keeps what it tells of rights."""

import threading

import sqlalchemy as sa
from sqlalchemy import orm

from archive.keys import appetite, entitled
from archive.keys.ballots import ExportRefused, Line, check_next, read_line
from strongroom.audit import NOTHING_BEFORE, AuditEvent, AuditHead, events

TELLING = appetite.TELLING | entitled.TELLING


class LogReader:
    """How far this broker has read the log, and what it found; for the life of the process.

    A row that was hidden, added or changed by hand breaks the chain of leaves, wherever it lies.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._size, self._last = 0, NOTHING_BEFORE
        self._found: list[Line] = []

    def told(self, session: orm.Session, *, before: int) -> list[Line]:
        """Return the entries before number `before` that tell of policies, projects and roles; the log is whole.

        Errors: `ExportRefused`.
        """
        with self._lock:
            self._read_on(session)
            return [line for line in self._found if line.seq < before]

    def _read_on(self, session: orm.Session) -> None:
        if self._size and session.scalar(_LEAF, {"seq": self._size - 1}) != self._last:
            # Another log than before, or a changed entry: what was read counts no more.
            self._forget()
        try:
            for row in events(session, start=self._size):
                line = read_line(row.seq, bytes(row.body), salt=bytes(row.salt), leaf=row.leaf)
                check_next(line, seq=self._size, prev=self._last)
                self._size, self._last = line.seq + 1, line.leaf
                if line.event in TELLING:
                    self._found.append(line)
        except ExportRefused:
            self._forget()
            raise
        head = session.get(AuditHead, 1, populate_existing=True)
        if head is None or (head.size, head.last) != (self._size, self._last):
            raise ExportRefused("The log does not end where its head says; nothing leaves until the log is whole.")


_LEAF = sa.select(AuditEvent.leaf).where(AuditEvent.seq == sa.bindparam("seq"))
