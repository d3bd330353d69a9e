"""Parquet, Arrow, SQLite and safetensors: what lies below nulls, between blocks and in freed pages is found."""

import io
import json
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from samples import PERSONS, ROWS, codes, look

from airlock.checks.findings import Severity

BANDS, CASES = ["18-39", "40-59", "60-79", "80+"], [120, 215, 330, 45]
SECRET = ROWS.encode()
COUNTED = pa.table({"age_band": BANDS, "cases": CASES})


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def arrow(
    table: pa.Table, *, batch: dict[str, str] | None = None, codec: str | None = None, **options: object
) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec), **options) as writer:
        for one in table.to_batches():
            writer.write_batch(one, custom_metadata=batch)
    return out.getvalue()


def raw(kind: pa.DataType, *buffers: bytes) -> pa.Array:
    """An array of four whose last is null."""
    return pa.Array.from_buffers(kind, 4, [pa.py_buffer(one) for one in (b"\7", *buffers)])


BELOW = raw(pa.int64(), struct.pack("<4q", 120, 215, 330, 3))
WORDS_BELOW = raw(pa.string(), struct.pack("<5i", 0, 2, 4, 6, 6 + len(SECRET)), b"aabbcc" + SECRET)
UNUSED = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), pa.array(BANDS + ROWS.splitlines()))
NOTED = pa.struct([pa.field("a", pa.int64(), metadata={"rows": ROWS})])


def before_footer(content: bytes, gap: bytes) -> bytes:
    tail = 8 if content.endswith(b"PAR1") else 10
    at = len(content) - tail - int.from_bytes(content[-tail : 4 - tail], "little")
    return content[:at] + gap.ljust(-(-len(gap) // 8) * 8) + content[at:]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (parquet(pa.table({"age_band": UNUSED, "cases": CASES})), "row-level"),
        (parquet(pa.table({"age_band": UNUSED, "cases": CASES}), store_schema=False), "row-level"),
        (arrow(pa.table({"age_band": UNUSED, "cases": CASES})), "row-level"),
        (arrow(pa.table({"age_band": BANDS, "cases": BELOW})), "hidden-cells"),
        (arrow(pa.table({"age_band": BANDS, "cases": BELOW}), codec="lz4"), "hidden-cells"),
        (arrow(pa.table({"age_band": WORDS_BELOW, "cases": CASES})), "hidden-cells"),
        (arrow(pa.table({"a": BANDS, "b": pa.StructArray.from_arrays([BELOW], ["x"])})), "hidden-cells"),
        (arrow(COUNTED, batch={"rows": ROWS}), "hidden-metadata"),
        (arrow(COUNTED, metadata={"rows": ROWS}), "hidden-metadata"),
        (before_footer(arrow(COUNTED), SECRET), "trailing-bytes"),
        (before_footer(arrow(COUNTED, codec="zstd"), SECRET), "trailing-bytes"),
        (before_footer(parquet(COUNTED), SECRET), "row-level"),
        (parquet(COUNTED).replace(b"parquet-cpp-arrow", b" bob@example.org "), "identifier"),
        (parquet(pa.table({"age_band": BANDS, "x": pa.array([{"a": 20}] * 4, NOTED)})), "hidden-metadata"),
        (parquet(COUNTED.replace_schema_metadata({"between": "x"})), "hidden-metadata"),
    ],
)
def test_columns_hide_nothing(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.bin")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


NULLED = pa.table(
    {"age_band": ["18-39", None, "60-79", "80+"], "cases": [120, 215, None, 45], "x": [0.5, None, 1.5, 2]}
)


@pytest.mark.parametrize(
    "content",
    [
        parquet(COUNTED),
        parquet(COUNTED, write_page_index=True),
        parquet(COUNTED.append_column("x", pa.array([[1, 2]] * 4))),
        parquet(NULLED),
        arrow(COUNTED),
        arrow(COUNTED, codec="lz4"),
        arrow(NULLED),
        arrow(COUNTED.slice(1, 2)),
        arrow(COUNTED.append_column("x", pa.array([[1, 2]] * 4))),
        arrow(pa.table({"age_band": pa.array(BANDS).dictionary_encode(), "cases": CASES})),
        arrow(pa.table({"age_band": pa.array(BANDS).cast(pa.string_view()), "cases": CASES})),
    ],
)
def test_what_libraries_write_passes(tmp_path: Path, content: bytes) -> None:
    assert look(tmp_path, content, "a.bin").verdict is Severity.PASS


def database(fill: Callable[[sqlite3.Connection], object]) -> bytes:
    with sqlite3.connect(":memory:", isolation_level=None) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE counts(age_band TEXT, cases INTEGER)")
        connection.executemany("INSERT INTO counts VALUES(?,?)", list(zip(BANDS, CASES, strict=True)))
        fill(connection)
        return connection.serialize()


def with_statistics(connection: sqlite3.Connection) -> None:
    connection.execute("ANALYZE")
    connection.executemany("INSERT INTO sqlite_stat1 VALUES(?,NULL,'1')", [(",".join(one),) for one in PERSONS])


def with_a_table_of_its_own(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE p(a,b,c,d,e)")
    connection.executemany("INSERT INTO p VALUES(?,?,?,?,?)", PERSONS)
    connection.execute("PRAGMA writable_schema = 1")
    connection.execute(
        "UPDATE sqlite_master SET name='sqlite_p', tbl_name='sqlite_p', sql=replace(sql,' p(',' sqlite_p(') "
        "WHERE name='p'"
    )


def with_deleted_rows(connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT INTO counts VALUES(?,1)", [(",".join(one),) for one in PERSONS])
    connection.execute("DELETE FROM counts WHERE cases = 1")


def with_one_deleted_row(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO counts VALUES('Anna Meyer, born in March 1961',1)")
    connection.executemany("INSERT INTO counts VALUES(?,40)", [(f"region {n}",) for n in range(20)])
    connection.execute("DELETE FROM counts WHERE cases = 1")


def with_numbered_rows(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE counts SET rowid = rowid + 9990000778")


@pytest.mark.parametrize(
    ("fill", "code"),
    [
        (with_statistics, "row-level"),
        (with_a_table_of_its_own, "row-level"),
        (with_deleted_rows, "hidden-cells"),
        (with_one_deleted_row, "hidden-cells"),
        (with_numbered_rows, "hidden-cells"),
    ],
)
def test_a_database_hides_nothing(tmp_path: Path, fill: Callable[[sqlite3.Connection], object], code: str) -> None:
    answer = look(tmp_path, database(fill), "a.db")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_room_for_extensions_at_the_end_of_pages_is_told(tmp_path: Path) -> None:
    content = bytearray(database(lambda connection: connection.execute("SELECT 1")))
    content[20] = 32
    assert look(tmp_path, bytes(content), "a.db").verdict is Severity.BLOCK


def with_many_genes(connection: sqlite3.Connection) -> None:
    """Keys that come in no order split pages, and leave copies behind."""
    connection.execute("CREATE TABLE genes(gene TEXT PRIMARY KEY, name TEXT, effect REAL)")
    connection.execute("CREATE INDEX names ON genes(name)")
    for number in range(3000):
        place = number * 7919 % 3000
        row = (f"ENSG{place * 1009:011d}", f"pathway of gene number {place * 31}", place / 7)
        connection.execute("INSERT INTO genes VALUES(?,?,?)", row)
    connection.execute("ANALYZE")


def test_pages_that_were_split_hide_nothing(tmp_path: Path) -> None:
    assert look(tmp_path, database(with_many_genes), "a.db").verdict is Severity.PASS


def test_words_are_no_weights(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(SECRET)], "data_offsets": [0, len(SECRET)]}}).encode()
    content = struct.pack("<Q", len(header)) + header + SECRET
    answer = look(tmp_path, content, "a.safetensors")
    assert answer.verdict is Severity.BLOCK
    assert "encoded-payload" in codes(answer)
