"""Reads Parquet and Arrow into tables, and zstd within a limit; the only importer of pyarrow."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Prose, Subject, Table
from ..thresholds import Policy
from .budget import Budget

_BATCH = 4096
_MAX_CELLS = 2_000_000
_MAX_COLUMNS = 5000
_PLAIN_METADATA = frozenset({b"ARROW:schema", b"pandas"})
# Indexes and filters stand between the columns of a Parquet file; more than this is no index.
_INDEX_ROOM = 64 << 10


def zstd(content: bytes, *, limit: int) -> bytes:
    """Return the plain bytes of all zstd frames."""
    try:
        with pa.input_stream(pa.BufferReader(content), compression="zstd") as stream:
            plain: bytes = stream.read(limit + 1)
    except (OSError, pa.ArrowException):
        raise refuse(Code.BROKEN_FILE) from None
    if len(plain) > limit:
        raise refuse(Code.ARCHIVE_BOMB)
    return plain


def read_parquet(content: bytes, *, policy: Policy, budget: Budget) -> Bundle:
    """Return the table, and the words that its schema carries beside it."""
    try:
        pool = pa.BufferReader(content)
        file = pq.ParquetFile(pool, thrift_string_size_limit=1 << 22, thrift_container_size_limit=1 << 18)
        facts, schema = file.metadata, file.schema_arrow
        _check_size(facts.num_rows, len(schema.names), policy=policy)
        packed = unpacked = 0
        for group in range(facts.num_row_groups):
            one = facts.row_group(group)
            unpacked += one.total_byte_size
            packed += sum(one.column(at).total_compressed_size for at in range(one.num_columns))
        budget.check_ratio(len(content), max(unpacked, 0))
        seen = [found(Code.TRAILING_BYTES)] if _gap(content, packed, facts.serialized_size) else []
        rows = list(_rows(file.iter_batches(batch_size=_BATCH), budget=budget, policy=policy))
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, pa.ArrowException):
        raise refuse(Code.BROKEN_FILE) from None
    return _bundle(schema, rows, {**(facts.metadata or {}), **(schema.metadata or {})}, seen, policy=policy)


def read_ipc(content: bytes, *, policy: Policy, budget: Budget) -> Bundle:
    """Return the table of an Arrow file (Feather 2)."""
    if not content.endswith(b"ARROW1"):
        raise refuse(Code.BROKEN_FILE)
    try:
        with pa.ipc.open_file(pa.BufferReader(content)) as file:
            schema = file.schema
            _check_size(0, len(schema.names), policy=policy)
            batches = (file.get_batch(at) for at in range(file.num_record_batches))
            rows = list(_rows(batches, budget=budget, policy=policy))
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, pa.ArrowException):
        raise refuse(Code.BROKEN_FILE) from None
    return _bundle(schema, rows, dict(schema.metadata or {}), [], policy=policy)


def _check_size(rows: int, columns: int, *, policy: Policy) -> None:
    if rows > policy.max_rows * 20 or columns > _MAX_COLUMNS or rows * columns > _MAX_CELLS:
        raise refuse(Code.TOO_LARGE)


def _gap(content: bytes, packed: int, footer: int) -> bool:
    return len(content) - packed - footer - 12 > _INDEX_ROOM


def _rows(batches: Iterable[pa.RecordBatch], *, budget: Budget, policy: Policy) -> Iterator[tuple[str, ...]]:
    total = 0
    for batch in batches:
        batch.validate(full=True)
        budget.spend(batch.nbytes)
        total += batch.num_rows
        _check_size(total, batch.num_columns, policy=policy)
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield tuple(_cell(value) for value in row)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _bundle(
    schema: pa.Schema,
    rows: list[tuple[str, ...]],
    metadata: dict[bytes, bytes],
    seen: list[Finding],
    *,
    policy: Policy,
) -> Bundle:
    table = Table(tuple(schema.names), tuple(rows), "", "utf-8")
    members = [Subject("table", Format.TABLE, table, policy)]
    words = [(key, value) for key, value in metadata.items() if key != b"ARROW:schema"]
    for field in schema:
        words += list((field.metadata or {}).items())
    if any(key not in _PLAIN_METADATA and not key.startswith(b"PARQUET:") for key, _ in words):
        seen.append(found(Code.HIDDEN_METADATA))
    lines = [(key + b" " + value).decode("utf-8", "replace") for key, value in words]
    if lines:
        members.append(Subject("metadata", Format.TEXT, Prose(tuple("\n".join(lines).splitlines())), policy))
    return Bundle(tuple(members), tuple(seen))
