"""The parts of `stage` and `seal` that need no pod: bodies that arrive, orders, and how executors ended."""

import io
from pathlib import Path
from typing import Any

import pytest

from sandbox.arriving import Arriving
from sandbox.body import Body, BodyError
from sandbox.crypt4gh import Reader, new_private_key, open_header, padded_length_of, public_key_of, seal_stream
from sandbox.pod.endings import Ending, parsed, result_of
from sandbox.pod.places import Site

KEY = new_private_key()
RAN = "next=run\ncause=exited\nexit_code=0\nstart=1500\nend=2500\ncpu_ms=40\npeak_kib=3\nend\n"


def sealed(plain: bytes) -> tuple[Body, bytes]:
    out = io.BytesIO()
    made = seal_stream(io.BytesIO(plain).readinto, out.write, public_key_of(KEY))
    reader = Reader(open_header(made.header, KEY), made.size)
    body = Body("/run/work/x", Path("/none"), made.body_length, made.body_sha256, 0, reader)
    return body, out.getvalue()


def arrived(body: Body, raw: bytes, *, pieces: int) -> bytes:
    got = io.BytesIO()
    arriving = Arriving(body, got.write)
    for start in range(0, len(raw), pieces):
        arriving.write(raw[start : start + pieces])
    arriving.end()
    return got.getvalue()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 16 * 65_536, 16 * 65_536 + 1, 2_500_000])
@pytest.mark.parametrize("pieces", [1 << 20, 70_001])
def test_a_body_is_decrypted_while_it_arrives_padded_or_not(size: int, pieces: int) -> None:
    plain = bytes(range(256)) * (size // 256) + bytes(size % 256)
    body, raw = sealed(plain)
    assert arrived(body, raw, pieces=pieces) == plain
    padding = bytes(padded_length_of(len(raw)) - len(raw))
    assert arrived(body, raw + padding, pieces=pieces) == plain


def swapped(raw: bytes) -> bytes:
    part = 65_536 + 28
    return raw[part : 2 * part] + raw[:part] + raw[2 * part :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[:-1],
        lambda raw: raw[: 65_536 + 28],
        lambda raw: raw + b"x",
        lambda raw: raw[:100] + bytes([raw[100] ^ 1]) + raw[101:],
        lambda raw: b"",
        swapped,
    ],
)
def test_a_body_that_is_not_the_registered_one_is_refused(spoil: Any) -> None:
    body, raw = sealed(b"abc" * 50_000)
    with pytest.raises(BodyError):
        arrived(body, spoil(raw), pieces=50_000)


def test_an_ending_is_read_as_the_launcher_wrote_it() -> None:
    assert parsed(RAN) == Ending("exited", True, 0, None, 1.5, 2.5, 0.04, 3072)


@pytest.mark.parametrize(
    "text",
    ["", "end\n", RAN[:-4], RAN.replace("exited", "forgiven"), RAN.replace("1500", "soon"), "cause=exited\n"],
)
def test_an_ending_that_cannot_be_read_is_ours_to_answer_for(text: str) -> None:
    ending = parsed(text)
    assert (ending.cause, ending.went_on) == ("system", False)


def ending(cause: str, *, went_on: bool = False, code: int | None = None, number: int | None = None) -> Ending:
    return Ending(cause, went_on, code, number, 1.0, 2.0)


WENT_ON = ending("exited", went_on=True, code=0)
SKIPPED = Ending("skipped", went_on=False)


@pytest.mark.parametrize(
    ("endings", "full", "cause", "code", "codes"),
    [
        ([WENT_ON, WENT_ON], False, "exited", 0, [0, 0]),
        ([WENT_ON], True, "exited", 0, [0]),
        ([ending("exited", went_on=True, code=7)], False, "exited", 0, [7]),
        ([ending("exited", code=3), SKIPPED], False, "exited", 3, [3]),
        ([ending("exited", code=3), SKIPPED], True, "disk_full", 3, [3]),
        ([WENT_ON, ending("signal", number=9)], False, "exited", 137, [0, 137]),
        ([ending("signal", number=25)], False, "disk_full", 153, [153]),
        ([ending("signal", number=9, went_on=True), WENT_ON], False, "exited", 0, [137, 0]),
        ([ending("out_of_memory", number=9)], False, "out_of_memory", 137, [137]),
        ([ending("deadline")], False, "deadline", None, [None]),
        ([WENT_ON, ending("canceled")], False, "canceled", None, [0, None]),
        ([ending("system")], False, "system", None, [None]),
    ],
)
def test_an_attempts_end_follows_from_its_executors(
    endings: list[Ending], full: bool, cause: str, code: int | None, codes: list[int | None]
) -> None:
    result = result_of(endings, full=full)
    assert (result.cause, result.exit_code) == (cause, code)
    assert [one["exit_code"] for one in result.executors] == codes


def test_a_site_travels_as_one_word() -> None:
    site = Site("a" * 32, "10.0.0.1", 8443, "f" * 64)
    assert Site.of(site.words()) == site
