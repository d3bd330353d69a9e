"""Encrypts a file or a pipe on the owner's side and uploads it: nothing but ciphertext leaves this process."""

import base64
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from archive.keys.notes import seal_note
from sandbox.crypt4gh import ReadsInto, Sealed, seal_stream

API = "/api/archive/v1"
WAITING_PIECES = 4


class Server(Protocol):
    """A connection to Strongroom as one person."""

    def get(self, path: str) -> Any:
        """Return the JSON answer."""

    def post(self, path: str, body: Any = None) -> Any:
        """Send JSON and return the JSON answer."""

    def request(self, method: str, path: str, **more: Any) -> Any:
        """Send any request; anything but success raises."""


class Plain(Protocol):
    """An open binary file or pipe."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a buffer; 0 at the end."""


class Abandoned(Exception):
    """The upload ended before its source did."""


class Sealing:
    """Seals a source in a thread of its own while its pieces are sent; `sealed` stands when all were taken."""

    def __init__(self, source: ReadsInto, recipient: bytes) -> None:
        self.sealed: Sealed | None = None
        self._pieces: queue.Queue[bytes | BaseException | None] = queue.Queue(WAITING_PIECES)
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._seal, args=(source, recipient), daemon=True)

    def pieces(self) -> Iterator[bytes]:
        """Yield the sealed body; an error of the source is raised here."""
        self._thread.start()
        try:
            while (piece := self._pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self._gone.set()
            self._thread.join()

    def _seal(self, source: ReadsInto, recipient: bytes) -> None:
        try:
            self.sealed = seal_stream(source, lambda piece: self._put(bytes(piece)), recipient)
            self._put(None)
        except Abandoned:
            return
        except BaseException as error:
            self._put(error)

    def _put(self, piece: bytes | BaseException | None) -> None:
        while not self._gone.is_set():
            try:
                self._pieces.put(piece, timeout=0.2)
                return
            except queue.Full:
                continue
        raise Abandoned


def add(
    server: Server,
    dataset: str,
    source: Plain,
    *,
    name: str,
    person: str | None = None,
    persons: Sequence[str] = (),
    clear: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Seal `source` to the dataset's key, upload it, and name it; `progress` hears of each piece's ciphertext bytes.

    `person` labels whose data it holds, `persons` those of a file of several. `clear`: its owner lets the engines of
    workflows that were vetted for it read it, for ever.
    Returns the server's answer: dataset, name, object.
    """
    base = f"{API}/datasets/{dataset}"
    recipient = base64.b64decode(server.get(f"{base}/recipient")["public_key"])
    sealing = Sealing(source.readinto, recipient)

    def pieces() -> Iterator[bytes]:
        for piece in sealing.pieces():
            progress(len(piece))
            yield piece

    received = server.request("POST", f"{base}/uploads", content=pieces()).json()
    sealed = sealing.sealed
    assert sealed is not None
    digest = seal_note(bytes.fromhex(sealed.sha256), recipient)
    named: dict[str, Any] = server.post(
        f"{base}/files",
        {
            "object": received["object"],
            "name": name,
            "persons": [*([person] if person else []), *persons],
            "header": base64.b64encode(sealed.header).decode(),
            "digest": base64.b64encode(digest).decode(),
            "size": sealed.size,
            "body_length": sealed.body_length,
            "body_sha256": sealed.body_sha256,
            "segments": sealed.segments,
            "clear": clear,
        },
    )
    return named
