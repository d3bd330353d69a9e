"""Speaks HTTP for a run's gateway, on the Unix socket that its engine alone is given."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from strongroom.errors import StrongroomError
from wes.engine_limits import MOST_REFUSALS, REFUSED
from wes.gateway import Gateway, RefusedEnough
from wes.tes_door import BASE

MOST_BODY = 8 << 20


def application(gateway: Gateway) -> Starlette:
    """Return the HTTP face of a gateway."""

    async def create(request: Request) -> Response:
        asked = await _object(request)
        return JSONResponse({"id": await gateway.create(asked)})

    async def cancel(request: Request) -> Response:
        await gateway.cancel(request.path_params["task"])
        return JSONResponse({})

    async def publish(request: Request) -> Response:
        await gateway.publish(await _object(request))
        return JSONResponse({})

    async def changes(request: Request) -> Response:
        query = request.query_params
        try:
            since, wait = int(query.get("since", "0")), float(query.get("wait", "10"))
        except ValueError as error:
            raise StrongroomError("since and wait are numbers.") from error
        return JSONResponse(await gateway.changes(max(since, 0), wait))

    def refused(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                if gateway.refusals >= MOST_REFUSALS:
                    raise RefusedEnough(REFUSED)
                return await endpoint(request)
            except StrongroomError as error:
                await gateway.refuse(error)
                return JSONResponse({"msg": error.sentence, "status_code": error.status}, error.status)

        return answer

    return Starlette(
        routes=[
            Route(f"{BASE}/tasks", refused(create), methods=["POST"]),
            Route(f"{BASE}/tasks/{{task:str}}:cancel", refused(cancel), methods=["POST"]),
            Route(f"{BASE}/published", refused(publish), methods=["POST"]),
            Route(f"{BASE}/changes", refused(changes), methods=["GET"]),
        ]
    )


async def _object(request: Request) -> dict[str, Any]:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BODY:
            raise StrongroomError("A job of this size is not accepted.")
    try:
        asked = json.loads(bytes(raw))
    except (ValueError, RecursionError) as error:
        raise StrongroomError("A JSON object was expected.") from error
    if not isinstance(asked, dict):
        raise StrongroomError("A JSON object was expected.")
    return asked


class Server(uvicorn.Server):
    """uvicorn without signal handlers: the supervisor decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def leave(self) -> None:
        """Hear nobody any more: uvicorn's own end waits for callers to be done, and ours is dead."""
        for listening in self.servers:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()


def door(gateway: Gateway, socket_path: Path) -> Server:
    """Return a server for `gateway` on a fresh Unix socket that only the engine is given."""
    socket_path.unlink(missing_ok=True)
    config = uvicorn.Config(
        application(gateway),
        uds=str(socket_path),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_keep_alive=3600,
    )
    return Server(config)
