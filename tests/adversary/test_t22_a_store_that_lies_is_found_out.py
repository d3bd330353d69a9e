"""A store that answers each reading as it likes is found out: a task was shown what was registered, or fails."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox import far
from sandbox.body import CHANGED, Body, BodyError
from sandbox.crypt4gh import CIPHER_SEGMENT, SEGMENT, Reader, new_private_key, open_header, public_key_of, seal_stream
from sandbox.far import Store
from sandbox.inputs import Bodies, buffers
from sandbox.wire import Message

KEY = new_private_key()
SEGMENTS = 40
PLAIN = b"".join(number.to_bytes(2, "big") * (SEGMENT // 2) for number in range(SEGMENTS))
Answer = Callable[[int, int], bytes]


def sealed() -> tuple[Body, bytes]:
    out = io.BytesIO()
    made = seal_stream(io.BytesIO(PLAIN).readinto, out.write, public_key_of(KEY))
    reader = Reader(open_header(made.header, KEY), made.size)
    body = Body("/run/work/x", None, made.body_length, made.body_sha256, 0, reader, object="a" * 32)
    return body, out.getvalue()


def moved(raw: bytes, one: int, other: int) -> bytes:
    """Return the body with two segments in each other's place: each is valid there, to whoever looks at segments."""
    parts = [raw[start : start + CIPHER_SEGMENT] for start in range(0, len(raw), CIPHER_SEGMENT)]
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


class Liar(BaseHTTPRequestHandler):
    """An object store that says what `answer` returns for a range."""

    protocol_version = "HTTP/1.1"
    answer: Answer
    whole: int
    status = 206
    location: str | None = None

    def do_GET(self) -> None:
        """Answer a range."""
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        piece = type(self).answer(int(first), int(last) + 1)
        self.send_response(self.status)
        if self.location:
            self.send_header("Location", self.location)
        self.send_header("Content-Range", f"bytes {first}-{last}/{self.whole}")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        self.wfile.write(piece)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def store_of(answer: Answer, whole: int, **more: Any) -> Iterator[Store]:
    kind = type("OneLiar", (Liar,), {"answer": staticmethod(answer), "whole": whole, **more})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(_question: Message) -> Message:
        return {"url": f"http://127.0.0.1:{server.server_port}/b/x?sig=1", "seconds": 60, "ca": None}

    store = Store(ask, lambda *_: (_ for _ in ()).throw(AssertionError), patience=1)
    try:
        yield store
    finally:
        store.close()
        server.shutdown()
        server.server_close()


def read(bodies: Bodies, first: int, count: int) -> bytes:
    scratch, target = buffers(count)
    return bytes(target[: bodies.read_into(0, first, count=count, scratch=scratch, target=target)])


def test_t22_an_honest_store_is_believed() -> None:
    body, raw = sealed()
    with store_of(lambda first, last: raw[first:last], len(raw)) as store:
        bodies = Bodies([body], store)
        assert read(bodies, 3, 2) == PLAIN[3 * SEGMENT : 5 * SEGMENT]
        assert read(bodies, 15, 2) == PLAIN[15 * SEGMENT : 17 * SEGMENT]  # over the seam of two blocks
        bodies.start_verifying()
        assert read(bodies, 39, 1) == PLAIN[39 * SEGMENT :]
        assert bodies.finish() is None


@pytest.mark.parametrize("reads_first", [True, False])
def test_t22_segments_that_are_moved_for_the_task_alone_are_found_out(reads_first: bool) -> None:
    body, raw = sealed()
    wrong = moved(raw, 3, 20)

    def answer(first: int, last: int) -> bytes:
        # The whole, which is compared with the SHA-256, is right; blocks, which the task reads, are not.
        return (raw if last - first == len(raw) else wrong)[first:last]

    with store_of(answer, len(raw)) as store:
        bodies = Bodies([body], store)
        if reads_first:
            assert read(bodies, 3, 1) == PLAIN[20 * SEGMENT : 21 * SEGMENT]  # segments prove no order
            bodies.start_verifying()
        else:
            bodies.start_verifying()
            assert bodies.finish() is None
            with pytest.raises(BodyError):
                read(bodies, 3, 1)
        assert bodies.finish() == CHANGED


def test_t22_a_store_that_changes_its_mind_is_found_out() -> None:
    body, raw = sealed()
    wrong, asked = moved(raw, 1, 2), iter([True])

    def answer(first: int, last: int) -> bytes:
        return (wrong if next(asked, False) else raw)[first:last]

    with store_of(answer, len(raw)) as store:
        bodies = Bodies([body], store)
        read(bodies, 1, 1)
        bodies._far[0]._blocks.clear()
        with pytest.raises(BodyError):
            read(bodies, 1, 1)
        assert bodies.failure == CHANGED


def test_t22_a_whole_that_is_read_in_order_is_proved_before_a_task_starts() -> None:
    body, raw = sealed()
    wrong = moved(raw, 1, 2)
    with store_of(lambda first, last: wrong[first:last], len(raw)) as store:
        bodies = Bodies([body], store)
        with pytest.raises(BodyError, match="registered"):
            bodies.read_whole(0, lambda _: None)


@pytest.mark.parametrize(
    "more",
    [
        {"whole": 1 << 40},
        {"status": 200},
        {"status": 302, "location": "http://169.254.169.254/latest/meta-data"},
        {"status": 500},
        {"status": 403},
    ],
)
def test_t22_an_answer_that_is_none_is_no_body(more: dict[str, Any]) -> None:
    body, raw = sealed()
    began = time.monotonic()
    given = {"whole": len(raw), **more}
    with store_of(lambda first, last: raw[first:last], **given) as store, pytest.raises(BodyError) as refused:
        read(Bodies([body], store), 0, 1)
    assert str(refused.value) in (CHANGED, far.SILENT)
    assert time.monotonic() - began < 20


def test_t22_what_an_answer_lacks_is_asked_for_again() -> None:
    body, raw = sealed()
    with store_of(lambda first, last: raw[first : max(first + 1, last - 1)], len(raw)) as store:
        bodies = Bodies([body], store)
        assert read(bodies, 0, 16) == PLAIN[: 16 * SEGMENT]
        assert bodies.failure is None
