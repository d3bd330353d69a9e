"""Asks an application in this process, without a socket: httpx over ASGI, one request a call."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI

from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token, trusted_issuers
from strongroom.settings import Settings


class Asking:
    """`Asking(app, token).get("/path")`; a failure inside the application comes back as its answer, as for anyone."""

    def __init__(self, app: FastAPI, token: str = "") -> None:
        self.app = app
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Ask with GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Ask with POST and a JSON body."""
        return self.request("POST", path, json=body, **more)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        """Ask anything."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://strongroom.test") as client:
                return await client.request(method, path, headers={**self.headers, **(headers or {})}, **more)

        return asyncio.run(ask())


def as_ruth(home: Path, engine: sa.Engine, *routers: APIRouter) -> Asking:
    """Ask these routers over the rows of `engine`, as a researcher of the development issuer."""
    settings = Settings(home=home, identity={"development_issuer": True})  # type: ignore[arg-type]
    settings.sockets.mkdir(parents=True)
    make_development_issuer(settings)
    app = new_app("test", settings, engine=engine, issuers=trusted_issuers(settings))
    for router in routers:
        app.include_router(router)
    return Asking(app, mint_token(settings, "ruth"))
