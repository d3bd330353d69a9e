"""Bounds what a request may send: its bytes are counted as they come, whatever length it tells (T30)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from strongroom.errors import TooLarge

MOST_BYTES: Final = 8 << 20  # of a request whose route says nothing else
_BOUND: Final = "strongroom.bound"


@dataclass
class _Bound:
    most: int | None
    sentence: str
    told: int
    seen: int = 0

    def check(self) -> None:
        if self.most is not None and max(self.told, self.seen) > self.most:
            raise TooLarge(self.sentence)


class Bounded:
    """Counts each request's body as it is read; what is too long is refused before more of it is."""

    def __init__(self, app: ASGIApp, most_of: Callable[[Scope], int]) -> None:
        self._app, self._most_of = app, most_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_of(scope)
        bound = _Bound(most, _sentence(most), told=_told(scope))
        scope[_BOUND] = bound

        async def counted() -> Message:
            bound.check()
            message = await receive()
            bound.seen += len(message.get("body", b""))
            bound.check()
            return message

        await self._app(scope, counted, send)


def expect(request: Request, *, most: int | None, sentence: str = "") -> None:
    """Let a route that reads the body by itself take so many bytes, None for any number; say it before reading."""
    bound: _Bound = request.scope[_BOUND]
    bound.most, bound.sentence = most, sentence or _sentence(most or 0)


def _sentence(most: int) -> str:
    return f"The body: at most {most >> 20} MiB."


def _told(scope: Scope) -> int:
    found = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(found) if found.isdigit() and len(found) < 20 else 0
