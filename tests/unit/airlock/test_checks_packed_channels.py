"""What packing leaves room for beside its members is named, and what packers write of themselves is not."""

import bz2
import gzip
import io
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from samples import COUNTS, ROWS, codes, look, tarred, zipped

from airlock.checks.findings import Severity

PLAIN, SECRET = COUNTS.encode(), ROWS.encode()
SLICES = [SECRET[at : at + 4].ljust(4) for at in range(0, len(SECRET), 4)]


def raw_zip(
    *,
    name: bytes = b"a.csv",
    data: bytes = PLAIN,
    packed: bytes | None = None,
    method: int = 0,
    flags: int = 0,
    local: bytes = b"",
    central: bytes = b"",
    sizes: tuple[int, int, int] | None = None,
    later: bytes = b"",
) -> bytes:
    """Return a zip of one member, each field of both its headers as told."""
    packed = data if packed is None else packed
    said = (zlib.crc32(data), len(packed), len(data))
    first = b"PK\3\4" + struct.pack("<5H", 20, flags, method, 0, 33)
    first += struct.pack("<3L2H", *(sizes or said), len(name), len(local)) + name + local + packed + later
    entry = b"PK\1\2" + struct.pack("<6H3L", 20, 20, flags, method, 0, 33, *said)
    entry += struct.pack("<5H2L", len(name), len(central), 0, 0, 0, 0, 0) + name + central
    return first + entry + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(entry), len(first), 0)


def extra(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def deflated(data: bytes) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return machine.compress(data) + machine.flush()


def with_second_directory() -> bytes:
    """A zip that also has the directory of zip64, which half of all programs prefer."""
    raw = raw_zip()
    at = raw.index(b"PK\5\6")
    start, size = raw.index(b"PK\1\2"), at - raw.index(b"PK\1\2")
    second = b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, size, start)
    pointer = b"PK\6\7" + struct.pack("<LQL", 0, at, 1)
    end = struct.pack("<4H2LH", 0, 0, 1, 1, size + len(second + pointer), start, 0)
    return raw[:at] + second + pointer + b"PK\5\6" + end


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (raw_zip(local=extra(0xBEEF, SECRET)), "hidden-metadata"),
        (raw_zip(local=extra(0x5455, SECRET)), "hidden-metadata"),
        (raw_zip(central=extra(0xD935, SECRET)), "hidden-metadata"),
        (raw_zip(local=b"\x55\x54\xff\xff" + SECRET), "hidden-metadata"),
        (raw_zip(name=b"folder/", data=SECRET), "trailing-bytes"),
        (raw_zip(method=8, packed=deflated(PLAIN) + SECRET), "trailing-bytes"),
        (raw_zip(method=8, data=b"", packed=deflated(b"") + SECRET), "trailing-bytes"),
        (raw_zip(packed=PLAIN + SECRET), "trailing-bytes"),
        (raw_zip(method=12, packed=bz2.compress(PLAIN) + SECRET), "trailing-bytes"),
        (raw_zip(sizes=(1, 2, 3)), "polyglot"),
        (raw_zip(flags=8, later=b"PK\7\10P100001 F 12"), "broken-file"),
        (with_second_directory(), "polyglot"),
        (zipped({f"P10{n:04d}_F_1961-03-12/": b"" for n in range(40)}), "filename-channel"),
    ],
)
def test_a_zip_carries_its_members_and_nothing_else(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.zip")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def tar_of(*, patch: dict[int, bytes] | None = None, form: int = tarfile.USTAR_FORMAT, **facts: object) -> bytes:
    """Return a tar of one member; `patch` overwrites bytes of its header, whose checksum is mended."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        info = tarfile.TarInfo("a.csv")
        info.size = len(PLAIN)
        for name, value in facts.items():
            setattr(info, name, value)
        archive.addfile(info, io.BytesIO(PLAIN))
    raw = bytearray(out.getvalue())
    for at, body in (patch or {}).items():
        raw[at : at + len(body)] = body
    if patch and min(patch) < 512:
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw[:512])
    return bytes(raw)


def extended(key: str, value: str) -> bytes:
    """Return an extended header of one record, as pax writes them."""
    record = f" {key}={value}\n"
    length = len(record) + len(str(len(record) + 4))
    body = f"{length}{record}".encode()
    info = tarfile.TarInfo("x")
    info.type, info.size = b"x", len(body)
    return info.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (tar_of(patch={512 + len(PLAIN): SECRET[: 512 - len(PLAIN)]}), "trailing-bytes"),
        (tar_of(patch={157: SECRET[:100]}), "hidden-metadata"),
        (tar_of(patch={6: SECRET[:90]}), "hidden-metadata"),
        (tar_of(patch={500: SECRET[:12]}), "hidden-metadata"),
        (tar_of(form=tarfile.GNU_FORMAT, patch={380: SECRET[:80]}), "hidden-metadata"),
        (tar_of(uname="P100001", gname="P100002"), "identifier"),
        (tar_of(form=tarfile.PAX_FORMAT, pax_headers={"mtime": SECRET.decode()}), "hidden-metadata"),
        (tar_of(form=tarfile.PAX_FORMAT, pax_headers={"comment": "x"}), "hidden-metadata"),
        (extended("mtime", "1.5") + extended("comment", ROWS) + tar_of(), "hidden-metadata"),
        (tarred({f"P10{n:04d}_F_1961/a.csv": PLAIN for n in range(9)}), "filename-channel"),
    ],
)
def test_a_tar_carries_its_members_and_nothing_else(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.tar")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


def test_names_of_empty_folders_of_a_tar_are_judged(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in range(40):
            info = tarfile.TarInfo(f"P10{number:04d}_F_1961-03-12")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    assert "filename-channel" in codes(look(tmp_path, out.getvalue(), "a.tar"))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tar_writes_of_itself_passes(tmp_path: Path, form: int) -> None:
    content = tar_of(form=form, mtime=1.5 if form == tarfile.PAX_FORMAT else 1, uname="anna", gname="users")
    assert codes(look(tmp_path, content, "a.tar")) == set()
    long = tar_of(form=form, name="results/" + "tables/" * 15 + "a.csv")
    assert codes(look(tmp_path, long, "a.tar")) == set()


def test_what_zip_writes_of_itself_passes(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, part: object) -> int:
            self.written += bytes(part)  # type: ignore[call-overload]
            return len(part)  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", COUNTS)
    times = extra(0x5455, b"\3" + bytes(8)) + extra(0x7875, b"\1\4" + bytes(4) + b"\4" + bytes(4))
    padded = raw_zip(local=extra(0xA220, b"\0\0\0\0" + bytes(200)))
    for content in (pipe.written, raw_zip(local=times), padded, zipped({"out/": b"", "out/a.csv": COUNTS})):
        assert codes(look(tmp_path, content, "a.zip")) == set()


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (
            gzip.compress(PLAIN, mtime=0)
            + b"".join(gzip.compress(b"", mtime=int.from_bytes(one, "little")) for one in SLICES),
            "hidden-metadata",
        ),
        (
            b"".join(gzip.compress(b"age_band,n\n", mtime=int.from_bytes(one, "little")) for one in SLICES),
            "hidden-metadata",
        ),
        (zstd(PLAIN) + struct.pack("<II", 0x184D2A50, len(SECRET)) + SECRET, "trailing-bytes"),
        (zstd(PLAIN) + SECRET, "trailing-bytes"),
        (bz2.compress(PLAIN) + bz2.compress(b""), "hidden-metadata"),
    ],
)
def test_a_packed_file_carries_its_content_and_nothing_else(tmp_path: Path, content: bytes, code: str) -> None:
    answer = look(tmp_path, content, "a.csv.gz")
    assert answer.verdict is Severity.BLOCK
    assert code in codes(answer)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_hundred_thousand_streams_are_no_way_to_spend_a_minute(tmp_path: Path, pack: object) -> None:
    one, empty = pack(PLAIN), pack(b"")  # type: ignore[operator]
    started = time.monotonic()
    assert look(tmp_path, one + empty * 100_000, "a.csv.gz").verdict is Severity.BLOCK
    assert time.monotonic() - started < 5


def test_several_members_and_frames_of_data_are_read_whole(tmp_path: Path) -> None:
    first, second = COUNTS[:40].encode(), COUNTS[40:].encode()
    for content in (gzip.compress(first) + gzip.compress(second), zstd(first) + zstd(second)):
        assert codes(look(tmp_path, content, "a.csv.gz")) == set()
