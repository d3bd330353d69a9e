"""TES in the process of the test, as a run's gateway speaks with it."""

from typing import Any

import httpx

from wes.tes_door import TesDoor


class InProcess(TesDoor):
    """An ASGI application in the place of what answers at the socket."""

    def __init__(self, app: Any) -> None:
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tes")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def say(self, method: str, path: str, **how: Any) -> tuple[int, bytes]:
        answer = await self._client.request(method, path, **how)
        return answer.status_code, answer.content
