"""Parquet, Arrow and SQLite: tables are judged as text tables are, and what lies beside them is named."""

import io
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import HEADER, PERSONS, codes, look

from airlock.checks.findings import Severity

COUNTS = {"age_band": ["18-39", "40-59", "60+"], "cases": [120, 215, 330]}
ROWS = dict(zip(HEADER.split(","), zip(*PERSONS, strict=True), strict=True))


def parquet(columns: Any, metadata: dict[str, str] | None = None, **options: Any) -> bytes:
    out = io.BytesIO()
    table = pa.table({name: list(values) for name, values in columns.items()})
    pq.write_table(table.replace_schema_metadata(metadata), out, **options)
    return out.getvalue()


def arrow(columns: Any) -> bytes:
    out = io.BytesIO()
    table = pa.table({name: list(values) for name, values in columns.items()})
    with pa.ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    return out.getvalue()


def database(folder: Path, *statements: str) -> bytes:
    path = folder / "made.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        for one in statements:
            connection.execute(one)
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4"])
def test_parquet_of_totals_passes_whatever_packs_it(tmp_path: Path, codec: str) -> None:
    answer = look(tmp_path, parquet(COUNTS, compression=codec), "a.parquet")
    assert (answer.verdict, codes(answer)) == (Severity.PASS, set())
    assert "row-level" in codes(look(tmp_path, parquet(ROWS, compression=codec), "a.parquet"))


def test_arrow_files_are_read(tmp_path: Path) -> None:
    assert look(tmp_path, arrow(COUNTS), "a.feather").verdict is Severity.PASS
    assert "row-level" in codes(look(tmp_path, arrow(ROWS), "a.feather"))
    answer = look(tmp_path, arrow(COUNTS)[:-30], "a.feather")
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (parquet({**COUNTS, "cases": [120, 3, 330]}), "small-count"),
        (parquet(COUNTS, {"note": "bob@example.org"}), "identifier"),
        (parquet(COUNTS, {"note": "x"}), "hidden-metadata"),
        (parquet(COUNTS)[:-8] + b"\xff\xff\xff\xffPAR1", "broken-file"),
        (parquet(COUNTS)[:200], "broken-file"),
        (parquet({"n": [0] * 3_000_000}), "too-large"),
    ],
)
def test_what_is_wrong_with_parquet_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.parquet")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


MAKE = "CREATE TABLE counts (age_band TEXT, cases INT)"
FILL = "INSERT INTO counts VALUES ('18-39', 120), ('40-59', 215), ('60+', 330)"
PERSONS_TABLE = "CREATE TABLE p (patient_id TEXT, birth_date TEXT)"
PERSONS_FILL = "INSERT INTO p VALUES " + ",".join(f"('{one[0]}', '{one[1]}')" for one in PERSONS)


def test_a_database_of_totals_passes(tmp_path: Path) -> None:
    for mode in ("DELETE", "WAL"):
        content = database(tmp_path, f"PRAGMA journal_mode = {mode}", MAKE, FILL)
        answer = look(tmp_path, content, "a.db")
        assert (answer.verdict, codes(answer)) == (Severity.PASS, set())


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ((MAKE, FILL, PERSONS_TABLE, PERSONS_FILL), "row-level"),
        ((MAKE, FILL, PERSONS_TABLE, PERSONS_FILL, "DROP TABLE p"), "hidden-cells"),
        ((MAKE, FILL, "CREATE VIEW v AS SELECT * FROM counts"), "active-content"),
        ((MAKE, FILL, "CREATE TABLE b (x BLOB)", "INSERT INTO b VALUES (x'89504e470d0a1a0a')"), "embedded-file"),
        ((MAKE, FILL, "CREATE TABLE c (note TEXT /* bob@example.org */)"), "identifier"),
    ],
)
def test_what_a_database_holds_beside_its_totals_is_named(
    tmp_path: Path, statements: tuple[str, ...], code: str
) -> None:
    answer = look(tmp_path, database(tmp_path, *statements), "a.db")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_a_broken_or_longer_database_is_blocked(tmp_path: Path) -> None:
    whole = database(tmp_path, MAKE, FILL)
    assert look(tmp_path, whole[:5000], "a.db").verdict is Severity.BLOCK
    assert "trailing-bytes" in codes(look(tmp_path, whole + b"rows" * 2000, "a.db"))
