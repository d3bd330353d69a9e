"""Reaches the object store from a pod, where the door for nodes has URLs signed and takes what no URL takes."""

import contextlib
from collections.abc import Callable, Iterator

from sandbox.door import Door, DoorClosed, DoorRefused
from sandbox.far import Ask, NoUrl, Store
from sandbox.signed_urls import Buffer, StoreBusy
from sandbox.wire import Message

_UNAVAILABLE = 503


def store_by(door: Door, mine: Message, *, patience: float) -> Store:
    """Return the store for the attempt whose id and pass are `mine`."""

    @contextlib.contextmanager
    def through(message: Message, length: int) -> Iterator[Callable[[Buffer], None]]:
        with _told(), door.storing({**message, **mine}, length) as write:
            yield write

    return Store(asking(door, mine), through, patience=patience)


def asking(door: Door, mine: Message) -> Ask:
    """Return what asks the door for URLs."""

    def ask(question: Message) -> Message:
        with _told():
            return door.ask({**question, **mine})

    return ask


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DoorClosed as error:
        raise StoreBusy from error
    except DoorRefused as error:
        if error.status == _UNAVAILABLE:
            raise StoreBusy from error
        raise NoUrl(str(error)) from error
