"""Speaks with TES for a run's supervisor, through its private door: who we are, the kernel says."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import aiohttp

from strongroom.errors import StrongroomError, Unavailable

BASE, SOCKET = "/ga4gh/tes/v1", "api.sock"
PATIENCE = 90.0  # seconds that an engine waits for a server that died; less than engines wait for their gateway
_AGAIN = 0.2
_LONGEST = aiohttp.ClientTimeout(total=40)


class TesDoor:
    """TES behind a Unix socket; made, used and closed in one event loop."""

    def __init__(self, socket: Path) -> None:
        connector = aiohttp.UnixConnector(os.fspath(socket))
        self._session = aiohttp.ClientSession("http://tes", connector=connector, timeout=_LONGEST)

    async def aclose(self) -> None:
        """Let go of its connections."""
        await self._session.close()

    async def ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Return the answer, a JSON object; raises `Unavailable` if there is none, `StrongroomError` for a no."""
        try:
            status, raw = await self.say(method, f"{BASE}{path}", **how)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable("TES does not answer.", detail=type(error).__name__) from error
        if status >= 500:
            raise Unavailable("TES does not answer.")
        body: dict[str, Any] = json.loads(raw)
        if status >= 400:
            refusal = StrongroomError(str(body.get("msg", "refused")))
            refusal.status = status
            raise refusal
        return body

    async def ask_again(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Say what may be said twice until TES answers: a server that died is back before an engine gives up."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                return await self.ask(method, path, **how)
            except Unavailable:
                if asyncio.get_running_loop().time() > end:
                    raise
                await asyncio.sleep(_AGAIN)

    async def say(self, method: str, path: str, **how: Any) -> tuple[int, bytes]:
        """Return status and body."""
        async with self._session.request(method, path, **how) as answer:
            return answer.status, await answer.read()
