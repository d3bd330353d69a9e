"""Reads bodies that come over HTTP, so that who sends slowly keeps nobody else waiting (T30)."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, TypeVar

import anyio
from anyio import from_thread, to_thread
from anyio.lowlevel import RunVar
from fastapi import Request
from starlette.requests import ClientDisconnect

from strongroom.errors import BadRequest, TooMany

AT_ONCE: Final = 16  # bodies that are taken at the same moment: each holds a thread
PATIENCE: Final = 30.0  # seconds without a byte, or behind the slowest pace
SLOWEST: Final = 16 << 10  # bytes a second
T = TypeVar("T")
_threads: RunVar[anyio.CapacityLimiter] = RunVar("strongroom.streams")


async def taken(request: Request, take: Callable[[Iterator[bytes]], T]) -> T:
    """Have `take` read the body in a thread; these threads are few, and no other request waits for one of them."""
    threads = _threads.get(None) or anyio.CapacityLimiter(AT_ONCE)
    _threads.set(threads)
    if threads.available_tokens < 1:
        raise TooMany("Many files are coming in just now; send this one again in a minute.", seconds=60)
    return await to_thread.run_sync(take, _chunks(request.stream()), limiter=threads)


def _chunks(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """Read an asynchronous stream from a worker thread, as long as it comes at a pace."""
    iterator = aiter(stream)
    seen, waited = 0, 0.0

    async def piece() -> bytes | None:
        with anyio.fail_after(min(PATIENCE, PATIENCE + seen / SLOWEST - waited)):
            return await anext(iterator, None)

    while True:
        begun = time.monotonic()
        try:
            found = from_thread.run(piece)
        except ClientDisconnect as error:
            raise BadRequest("The upload broke off; send the file again.") from error
        except TimeoutError as error:
            raise BadRequest("The upload came too slowly; send the file again over a faster line.") from error
        if found is None:
            return
        waited += time.monotonic() - begun
        seen += len(found)
        yield found
