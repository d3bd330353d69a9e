"""Hands sealed bodies of an attempt's inputs out and takes new ones in, by URL where there are URLs."""

import socket
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO, Final

from strongroom.doors import Message
from strongroom.errors import BadRequest, Conflict, NotAllowed, StrongroomError
from strongroom.object_stores.folder import Folder
from strongroom.objects import THERE, open_store
from strongroom.settings import Settings
from tes import outside_inputs

CHUNK: Final = 1 << 20
LONGEST: Final = 1 << 50


def url_to_read(settings: Settings, message: Message, *, inputs: Collection[str]) -> Message:
    """Return a URL that reads one input of the attempt; `url` is None where bodies lie in a folder."""
    return _signed(settings, open_store(settings).url_to_read(input_of(message, inputs)))


def url_to_put(settings: Settings, message: Message) -> Message:
    """Return a URL that takes a new body of this length, once; `url` is None for what is stored through us."""
    return _signed(settings, open_store(settings).url_to_put(object_of(message), length_of(message)))


def place_of_input(settings: Settings, message: Message, *, plan: Mapping[str, Any]) -> Message:
    """Return where an input of another site is fetched now; `location` is where that site points."""
    number, location, inputs = message.get("input"), message.get("location"), plan.get("inputs", [])
    if type(number) is not int or not 0 <= number < len(inputs) or "outside" not in inputs[number]:
        raise NotAllowed("This is none of the attempt's inputs of other sites.")
    if location is not None and not isinstance(location, str):
        raise BadRequest("location: text.")
    return outside_inputs.place_of(settings, inputs[number], location)


def take(settings: Settings, message: Message, sock: socket.socket) -> None:
    """Store the bytes that follow a message under a name that nothing had before (T22).

    All are received, whatever is said of them: what follows refused words is not words.
    """
    left = length_of(message)

    def arriving() -> Iterator[bytes]:
        nonlocal left
        while left:
            piece = sock.recv(min(left, CHUNK))
            if not piece:
                raise ConnectionError
            left -= len(piece)
            yield piece

    try:
        open_store(settings).put(object_of(message), arriving())
    except StrongroomError as error:
        drain(sock, left)
        if isinstance(error, Conflict):
            raise NotAllowed(THERE) from error
        raise


def drain(sock: socket.socket, length: int) -> None:
    """Receive so many bytes for nobody."""
    while length:
        piece = sock.recv(min(length, CHUNK))
        if not piece:
            raise ConnectionError
        length -= len(piece)


def body_of(settings: Settings, message: Message, *, inputs: Collection[str]) -> BinaryIO:
    """Open the body of an input of the attempt: a plain file, through no link.

    Services own that folder, and we are root: what they linked there may be a key.
    """
    wanted, store = input_of(message, inputs), open_store(settings)
    if not isinstance(store, Folder):
        raise BadRequest("Bodies lie in an object store here; ask for a URL.")
    return store.opened(wanted)


def input_of(message: Message, inputs: Collection[str]) -> str:
    """Return the object that is asked for if it is an input of the attempt."""
    wanted = message.get("object")
    if not isinstance(wanted, str) or wanted not in inputs:
        raise NotAllowed("This object is none of the attempt's inputs.")
    return wanted


def object_of(message: Message) -> str:
    """Return the id that a new body shall have."""
    return id_of(message, "object")


def id_of(message: Message, name: str) -> str:
    """Return an id of 32 hexadecimal digits."""
    value = message.get(name)
    if not isinstance(value, str) or len(value) != 32 or set(value) - set("0123456789abcdef"):
        raise BadRequest(f"{name}: 32 hexadecimal digits.")
    return value


def length_of(message: Message) -> int:
    """Return how long a new body is."""
    length = message.get("length")
    if type(length) is not int or not 0 <= length < LONGEST:
        raise BadRequest("length: bytes.")
    return length


def _signed(settings: Settings, url: str | None) -> Message:
    s3 = settings.objects.s3
    return {"url": url, "seconds": s3.url_seconds, "ca": s3.ca.read_text() if url and s3.ca else None}
