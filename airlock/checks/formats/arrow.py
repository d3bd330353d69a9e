"""Reads Parquet and Arrow into tables, and zstd within a limit."""

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from ..findings import Code, Finding, Severity, found, refuse
from ..subject import Bundle, Format, Prose, Subject, Table
from ..thresholds import Policy
from . import ipc, nulls
from .budget import Budget

_BATCH = 4096
_MAX_CELLS = 2_000_000
_MAX_COLUMNS = 5000
_PLAIN_METADATA = frozenset({b"ARROW:schema", b"pandas"})
# Indexes and filters stand behind the columns of a Parquet file; more than this is no index.
_INDEX_ROOM = 64 << 10
_COPY_ROOM = 512  # polars writes the facts of a column behind it, once more
_MOST_UNUSED = 50  # words of a dictionary that no row has; categories may be empty
_PRINTED = re.compile(rb"[ -~\t\r\n]{8,}")
_SCHEMA_ROOM = 1024


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
        limits = {"thrift_string_size_limit": 1 << 22, "thrift_container_size_limit": 1 << 18}
        facts = pq.ParquetFile(pool, **limits).metadata
        worded = [leaf.path for leaf in map(facts.schema.column, range(len(facts.schema)))]
        file = pq.ParquetFile(pool, read_dictionary=worded, **limits)
        schema = file.schema_arrow
        _check_size(facts.num_rows, len(schema.names), policy=policy)
        unpacked = sum(facts.row_group(group).total_byte_size for group in range(facts.num_row_groups))
        budget.check_ratio(len(content), max(unpacked, 0))
        seen: list[Finding] = []
        words = [(b"created_by", (facts.created_by or "").encode())]
        chunks = [
            group.column(at)
            for group in map(facts.row_group, range(facts.num_row_groups))
            for at in range(group.num_columns)
        ]
        seen += _between(content, chunks, facts.serialized_size, words)
        unused: dict[str, set[str]] = {}
        rows = list(_rows(file.iter_batches(batch_size=_BATCH), unused, budget=budget, policy=policy))
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, pa.ArrowException):
        raise refuse(Code.BROKEN_FILE) from None
    packed = (facts.metadata or {}).get(b"ARROW:schema", b"")
    if len(packed) * 3 // 4 > 2 * schema.serialize().size + _SCHEMA_ROOM:
        seen.append(found(Code.HIDDEN_METADATA))
    metadata = [*(facts.metadata or {}).items(), *(schema.metadata or {}).items()]
    return _bundle(schema, rows, metadata, words, unused, seen, policy=policy)


def read_ipc(content: bytes, *, policy: Policy, budget: Budget) -> Bundle:
    """Return the table of an Arrow file (Feather 2)."""
    if not content.endswith(b"ARROW1"):
        raise refuse(Code.BROKEN_FILE)
    try:
        with pa.ipc.open_file(pa.BufferReader(content)) as file:
            schema = file.schema
            _check_size(0, len(schema.names), policy=policy)
            seen = list(ipc.beside(content, schema.serialize().size))
            first = content[: ipc.schema_ends(content)]
            words = [(b"between", one) for one in _PRINTED.findall(first)]
            batches = [file.get_batch(at) for at in range(file.num_record_batches)]
            unused: dict[str, set[str]] = {}
            rows = list(_rows(batches, unused, budget=budget, policy=policy))
            if any(nulls.hides(column) for batch in batches for column in batch.columns):
                seen.append(found(Code.HIDDEN_CELLS))
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, pa.ArrowException):
        raise refuse(Code.BROKEN_FILE) from None
    return _bundle(schema, rows, list((schema.metadata or {}).items()), words, unused, seen, policy=policy)


def _check_size(rows: int, columns: int, *, policy: Policy) -> None:
    if rows > policy.max_rows * 20 or columns > _MAX_COLUMNS or rows * columns > _MAX_CELLS:
        raise refuse(Code.TOO_LARGE)


def _between(
    content: bytes, chunks: list[pq.ColumnChunkMetaData], footer: int, words: list[tuple[bytes, bytes]]
) -> Iterator[Finding]:
    """Name what stands between columns, or behind them without being an index; keep its words."""
    at, stop = 4, len(content) - footer - 8
    places = sorted((_start(one), one.total_compressed_size) for one in chunks)
    for start, size in [*places, (stop, 0)]:
        if start < at or size < 0:
            raise refuse(Code.BROKEN_FILE)
        gap = content[at:start]
        last = start == stop and not size
        if any(gap):
            words += [(b"between", one) for one in _PRINTED.findall(gap)]
            if len(gap) > (_INDEX_ROOM if last else _COPY_ROOM):
                yield found(Code.TRAILING_BYTES, offset=at)
            elif last and not any(one.has_column_index or one.has_offset_index for one in chunks):
                yield found(Code.TRAILING_BYTES, Severity.WARN, offset=at)  # as filters do, which are not declared
        at = start + size
    for one in chunks:
        facts = one.statistics if one.is_stats_set else None
        if facts is not None and facts.has_min_max and one.physical_type == "BYTE_ARRAY":
            words += [(b"ends", str(end).encode()) for end in (facts.min, facts.max)]


def _start(chunk: pq.ColumnChunkMetaData) -> int:
    first: int = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset is not None:
        first = min(first, chunk.dictionary_page_offset)
    return first


def _told(field: pa.Field) -> Iterator[tuple[bytes, bytes]]:
    """Yield the words beside a field and all fields inside it."""
    yield from (field.metadata or {}).items()
    for at in range(field.type.num_fields):
        yield from _told(field.type.field(at))


def _rows(
    batches: Iterable[pa.RecordBatch], unused: dict[str, set[str]], *, budget: Budget, policy: Policy
) -> Iterator[tuple[str, ...]]:
    total = 0
    for batch in batches:
        batch.validate(full=True)
        budget.spend(batch.nbytes)
        total += batch.num_rows
        _check_size(total, batch.num_columns, policy=policy)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_dictionary(column.type):
                words = set(map(str, column.dictionary.to_pylist())) - set(map(str, column.to_pylist()))
                unused.setdefault(name, set()).update(words)
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield tuple(_cell(value) for value in row)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _bundle(
    schema: pa.Schema,
    rows: list[tuple[str, ...]],
    metadata: list[tuple[bytes, bytes]],
    beside: list[tuple[bytes, bytes]],
    unused: dict[str, set[str]],
    seen: list[Finding],
    *,
    policy: Policy,
) -> Bundle:
    table = Table(tuple(schema.names), tuple(rows), "", "utf-8")
    members = [Subject("table", Format.TABLE, table, policy)]
    words = [(key, value) for key, value in metadata if key != b"ARROW:schema"]
    words += [pair for field in schema for pair in _told(field)]
    for at, name in enumerate(schema.names):
        # A dictionary of one batch may hold what another batch says.
        left = sorted(unused.get(name, set()) - {row[at] for row in rows} - {"None"})
        if left:
            members.append(Subject("unused", Format.TEXT, Prose(tuple("\n".join(left).splitlines())), policy))
        if len(left) > _MOST_UNUSED:
            seen.append(found(Code.HIDDEN_CELLS, column=at + 1))
    if any(key not in _PLAIN_METADATA and not key.startswith(b"PARQUET:") for key, _ in words):
        seen.append(found(Code.HIDDEN_METADATA))
    lines = [(key + b" " + value).decode("utf-8", "replace") for key, value in [*words, *beside]]
    if lines:
        members.append(Subject("metadata", Format.TEXT, Prose(tuple("\n".join(lines).splitlines())), policy))
    return Bundle(tuple(members), tuple(seen))
