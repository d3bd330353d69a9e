"""Reads an SQLite file in memory: each table by itself, deleted pages and programs as findings."""

import sqlite3
import time
from collections.abc import Iterator

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject, Table
from ..thresholds import Policy
from .budget import MAX_MEMBERS
from .free_pages import deleted

_SECONDS = 20.0
_PAUSE = 100_000  # steps of the engine between two looks at the clock
_MAX_CELLS = 2_000_000
_JOURNAL_BYTES = slice(18, 20)
_ROLLBACK = b"\x01\x01"
_OURS = "sqlite_"
_RESERVED, _VIRTUAL = 20, 0
_LEAST_ROWID, _SPARSE = 1000, 10  # numbers of rows count up; those that jump say something


def read(content: bytes, *, policy: Policy, nest: Nest) -> Bundle:
    """Return every table; views and triggers are programs and are never run."""
    try:
        # A file in write-ahead mode cannot be opened without its folder; the bytes are ours to change.
        plain = bytearray(content)
        plain[_JOURNAL_BYTES] = _ROLLBACK
        with sqlite3.connect(":memory:") as connection:
            connection.deserialize(bytes(plain))
            _bound(connection)
            return _read(connection, content, policy=policy, nest=nest)
    except (sqlite3.Error, ValueError, OverflowError):
        raise refuse(Code.BROKEN_FILE) from None


def _bound(connection: sqlite3.Connection) -> None:
    end = time.monotonic() + _SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, _PAUSE)
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON", "mmap_size = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 16 << 20)


def _read(connection: sqlite3.Connection, content: bytes, *, policy: Policy, nest: Nest) -> Bundle:
    seen = list(_outline(connection, content))
    rows = connection.execute("SELECT type, name, sql, rootpage FROM sqlite_master").fetchmany(MAX_MEMBERS + 1)
    if len(rows) > MAX_MEMBERS:
        raise refuse(Code.TOO_MANY_MEMBERS)
    words: list[str] = []
    members: list[Subject] = []
    left = _MAX_CELLS
    for kind, name, sql, page in rows:
        words += str(sql or "").splitlines()
        if kind not in ("table", "index") or page == _VIRTUAL:
            seen.append(found(Code.ACTIVE_CONTENT))
        elif kind == "table":
            table, packed = _table(connection, str(name), left, policy=policy)
            left -= (len(table.rows) + 1) * len(table.header)
            if str(name).startswith(_OURS):  # what it keeps for itself: counters, and samples of values
                words += [" ".join(row) for row in table.rows]
                continue
            if _jumps(connection, str(name), len(table.rows)):
                seen.append(found(Code.HIDDEN_CELLS, member=len(members) + 1))
            members.append(Subject(f"table-{len(members) + 1}", Format.TABLE, table, policy))
            members += [nest("cell", one) for one in packed]
            seen += [found(Code.EMBEDDED_FILE, member=len(members))] if packed else []
    if not members:
        seen.append(found(Code.EMPTY))
    members.append(Subject("schema", Format.TEXT, Prose(tuple(words)), policy))
    return Bundle(tuple(members), tuple(seen))


def _outline(connection: sqlite3.Connection, content: bytes) -> Iterator[Finding]:
    page = int.from_bytes(content[16:18], "big")
    page = 1 << 16 if page == 1 else page
    size = page * connection.execute("PRAGMA page_count").fetchone()[0]
    if connection.execute("PRAGMA freelist_count").fetchone()[0]:
        yield found(Code.HIDDEN_CELLS)
    if len(content) > size:
        yield found(Code.TRAILING_BYTES, offset=size)
    elif len(content) < size:
        yield found(Code.BROKEN_FILE)
    if content[_RESERVED]:
        yield found(Code.HIDDEN_METADATA)  # the end of each page is for extensions, and nobody reads it
    if deleted(content, page):
        yield found(Code.HIDDEN_CELLS)
    if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        yield found(Code.BROKEN_FILE)
    if content[72:92].strip(b"\0"):
        yield found(Code.HIDDEN_METADATA)


def _jumps(connection: sqlite3.Connection, name: str, rows: int) -> bool:
    """Return whether numbers of rows that no column shows are more than numbers of rows."""
    quoted = name.replace('"', '""')
    columns = connection.execute(f'PRAGMA table_info("{quoted}")').fetchall()
    keys = [str(kind).upper() for _, _, kind, _, _, place in columns if place]
    if keys == ["INTEGER"]:
        return False  # then it is that column
    try:
        least, most = connection.execute(f'SELECT min(rowid), max(rowid) FROM "{quoted}"').fetchone()  # noqa: S608
    except sqlite3.OperationalError:
        return False  # it has none
    return rows > 0 and (least < 0 or most > _LEAST_ROWID + _SPARSE * rows)


def _table(connection: sqlite3.Connection, name: str, left: int, *, policy: Policy) -> tuple[Table, list[bytes]]:
    quoted = name.replace('"', '""')
    # The name comes from the file's own schema; nothing else of the file takes part in the statement.
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608
    header = tuple(str(one[0]) for one in cursor.description)
    most = min(policy.max_rows * 20, left // max(len(header), 1))
    rows = cursor.fetchmany(most + 1)
    if len(rows) > most:
        raise refuse(Code.TOO_LARGE)
    packed = [cell for row in rows for cell in row if isinstance(cell, bytes) and cell][:MAX_MEMBERS]
    return Table(header, tuple(tuple(_cell(cell) for cell in row) for row in rows), "", "utf-8"), packed


def _cell(value: object) -> str:
    if isinstance(value, bytes):
        return "…"
    return "" if value is None else str(value)
