"""Archives: every member is judged as if it came alone, and none can climb, hide or swell."""

import bz2
import gzip
import io
import lzma
import struct
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from samples import COUNTS, ROWS, codes, look, tarred, zipped

from airlock.checks.findings import Severity
from airlock.checks.formats.budget import MAX_MEMBERS
from airlock.checks.thresholds import Policy


def zstd(content: bytes) -> bytes:
    packed = pa.compress(content, codec="zstd", asbytes=True)
    assert isinstance(packed, bytes)
    return packed


def encrypted() -> bytes:
    raw = bytearray(zipped({"a.csv": COUNTS}))
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zipped({"a.csv": COUNTS, "b.csv": COUNTS}), "a.zip"),
        (zipped({"inner.zip": zipped({"a.csv": COUNTS})}), "a.zip"),
        (tarred({"out/a.csv": COUNTS.encode()}), "a.tar"),
        (gzip.compress(tarred({"out/a.csv": COUNTS.encode()}), mtime=0), "a.tar.gz"),
        (bz2.compress(COUNTS.encode()), "a.csv.bz2"),
        (lzma.compress(COUNTS.encode()), "a.csv.xz"),
        (zstd(COUNTS.encode()), "a.csv.zst"),
    ],
)
def test_packed_aggregates_pass(tmp_path: Path, content: bytes, name: str) -> None:
    answer = look(tmp_path, content, name)
    assert (answer.verdict, answer.complete, codes(answer)) == (Severity.PASS, True, set())


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (zipped({"a.csv": COUNTS, "b.csv": ROWS}), "a.zip"),
        (zipped({"1.zip": zipped({"2.zip": zipped({"b.csv": ROWS})})}), "a.zip"),
        (tarred({"a.csv": ROWS.encode()}), "a.tar"),
        (lzma.compress(tarred({"a.csv": ROWS.encode()})), "a.tar.xz"),
        (bz2.compress(ROWS.encode()), "a.csv.bz2"),
        (zstd(ROWS.encode()), "a.csv.zst"),
        (zipped({"b.csv": gzip.compress(ROWS.encode())}), "a.zip"),
    ],
)
def test_persons_are_found_however_deep_they_are_packed(tmp_path: Path, content: bytes, name: str) -> None:
    answer = look(tmp_path, content, name)
    assert answer.verdict is Severity.BLOCK
    assert "row-level" in codes(answer)


def test_a_finding_names_the_member_by_number(tmp_path: Path) -> None:
    answer = look(tmp_path, zipped({"a.csv": COUNTS, "b.csv": ROWS}), "a.zip")
    assert {finding.place.member for finding in answer.findings} == {2}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (zipped({"../../etc/cron.d/x": "x"}), "archive-path"),
        (zipped({"/etc/x": "x"}), "archive-path"),
        (zipped({"a\\..\\b.csv": COUNTS}), "archive-path"),
        (tarred({}, links={"a.csv": "/data/raw.csv"}), "archive-path"),
        (tarred({"../a.csv": b"x"}), "archive-path"),
        (encrypted(), "encrypted"),
        (zipped({"a.csv": COUNTS}) + b"rows", "trailing-bytes"),
        (b"#!/bin/sh\n" + zipped({"a.csv": COUNTS}), "type-mismatch"),
        (b"PK\x03\x04rows" + zipped({"a.csv": COUNTS}), "polyglot"),
        (tarred({"a.csv": COUNTS.encode()}) + b"rows" * 200, "trailing-bytes"),
        (zipped({"model/data.pkl": b"\x80\x02}."}), "unsafe-serialisation"),
        (zipped({"arr_0.npy": b"\x93NUMPY\x01\x00"}), "unreviewable-type"),
        (zipped({"P100007.csv": COUNTS, "fig_9990000778.csv": COUNTS}), "filename-channel"),
        (lzma.compress(COUNTS.encode()) + b"more", "trailing-bytes"),
        (zipped({"a.csv": COUNTS})[:-30], "broken-file"),
        (zstd(COUNTS.encode())[:-5] + b"\0\0\0\0\0", "broken-file"),
    ],
)
def test_what_is_wrong_with_an_archive_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.zip")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_two_members_of_one_name_and_words_in_a_comment_are_found(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", COUNTS)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.csv", ROWS)
        archive.comment = b"mail bob@example.org"
    assert {"archive-path", "hidden-metadata", "identifier", "row-level"} <= codes(
        look(tmp_path, out.getvalue(), "a.zip")
    )


def test_a_bomb_of_42_gigabytes_is_named_before_it_is_unpacked(tmp_path: Path) -> None:
    # Zeros deflate to a thousandth; the index alone says 42 GB in 10 members, as 42.zip's cousins do.
    raw = zipped({f"{n}.csv": bytes(4 << 20) for n in range(10)})
    declared = raw.replace(struct.pack("<I", 4 << 20), struct.pack("<I", 0xFAFFFFFF))
    for content in (raw, declared):
        started = time.monotonic()
        answer = look(tmp_path, content, "a.zip")
        assert answer.verdict is Severity.BLOCK
        assert "archive-bomb" in codes(answer)
        assert time.monotonic() - started < 10


def test_a_bomb_in_layers_runs_out_of_budget(tmp_path: Path) -> None:
    policy = Policy(version=1, max_unpacked_bytes=32 << 20)
    for pack in (gzip.compress, bz2.compress, lzma.compress, zstd):
        bomb = pack(bytes(8 << 20))
        answer = look(tmp_path, zipped({f"{n}.bin": bomb for n in range(6)}), "a.zip", policy)
        assert answer.verdict is Severity.BLOCK
        assert not answer.complete
        assert codes(answer) & {"archive-bomb", "too-large"}


def test_members_that_share_bytes_are_a_bomb(tmp_path: Path) -> None:
    raw = zipped({"a.csv": COUNTS, "b.csv": COUNTS})
    second = raw.rindex(b"PK\x01\x02")
    shared = raw[: second + 42] + struct.pack("<I", 0) + raw[second + 46 :]
    assert codes(look(tmp_path, shared, "a.zip")) & {"archive-bomb", "broken-file"}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_ten_thousand_members_are_too_many_and_soon_so(tmp_path: Path, pack: object) -> None:
    many = pack({f"{n}.csv": b"" for n in range(10_000)})  # type: ignore[operator]
    started = time.monotonic()
    answer = look(tmp_path, many, "a.zip")
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)
    assert "too-many-members" in codes(answer)
    assert time.monotonic() - started < 20
    assert MAX_MEMBERS < 10_000


def test_nesting_has_an_end(tmp_path: Path) -> None:
    content = zipped({"a.csv": COUNTS})
    for _ in range(8):
        content = zipped({"a.zip": content})
    answer = look(tmp_path, content, "a.zip")
    assert (answer.verdict, answer.complete) == (Severity.BLOCK, False)
    assert "too-deep" in codes(answer)
