"""Wires all rooms into the one HTTP application of the embedded default."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

import access.api
import access.keys
import airlock.api
import archive.api
import archive.inbox
import tes.api
import tes.measures
import wes.api
import wes.derivation
import wes.federation
import wes.issuer
from strongroom import http, identity, queue
from strongroom.cli.metrics import text as metrics_text
from strongroom.clients import issuer_keys
from strongroom.database import open_database, reading
from strongroom.http import SignedIn
from strongroom.projects import PLATFORM, Role, check_role
from strongroom.settings import Settings

WELCOME = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Strongroom</title>
<body><h1>Strongroom</h1><p>A secure processing environment. The command <code>strongroom</code> and the GA4GH
interfaces below <code>/ga4gh/</code> are the ways in; pages come with a later step.</p></body></html>"""


def application(settings: Settings) -> FastAPI:
    """Return the application; every route but the health checks and service-info asks who is calling."""
    queue.configure(settings)
    engine = open_database(settings.database)
    app = http.new_app("Strongroom", settings, engine=engine, issuers=identity.trusted_issuers(settings))
    app.state.public_key_of = access.keys.public_key_of
    app.state.issuer_keys = issuer_keys(settings)
    app.state.federation = wes.federation.Federation(settings, engine)
    for router in (
        wes.api.router,
        wes.derivation.router,
        wes.issuer.router,
        archive.inbox.router,
        tes.api.router,
        archive.api.router,
        airlock.api.router,
        access.api.router,
    ):
        app.include_router(router)
    app.router.lifespan_context = _lifespan
    _add_health(app)
    return app


def _add_health(app: FastAPI) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def welcome() -> str:
        return WELCOME

    @app.get("/healthz", include_in_schema=False)
    def alive() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz", include_in_schema=False)
    def ready(request: Request) -> JSONResponse:
        settings: Settings = request.app.state.settings
        with reading(request.app.state.engine) as session:
            session.execute(text("SELECT 1 FROM audit_events LIMIT 1"))
        missing = [n for n in ("broker.sock", "signer.sock", "inspect.sock") if not (settings.sockets / n).exists()]
        return JSONResponse({"status": "ready" if not missing else "starting"}, 503 if missing else 200)

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request, person: SignedIn) -> Response:
        with reading(request.app.state.engine) as session:  # T24: authenticated, and without labels of projects
            check_role(session, person.id, project=PLATFORM, role=Role.OPERATOR)
            found = tes.measures.measures(session)
        return Response(metrics_text(found), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with tes.api.watch_bell(app):
        yield
