"""Wires all rooms into the one HTTP application of the embedded default."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

import access.api
import access.floors_api
import access.grants_api
import access.keys
import access.policy_api
import airlock.api
import airlock.beside_api
import airlock.crate_api
import airlock.figures
import airlock.ingress_api
import airlock.pages
import airlock.review_api
import airlock.review_pages
import archive.api
import archive.inbox
import tes.api
import tes.measures
import wes.api
import wes.derivation
import wes.federation
import wes.issuer
import wes.offer
import wes.pages
import wes.trs
from strongroom import audit_api, http, identity, queue, sign_in
from strongroom.cli.metrics import text as metrics_text
from strongroom.clients import issuer_keys
from strongroom.database import open_database, reading
from strongroom.http import SignedIn
from strongroom.projects import PLATFORM, Role, check_role
from strongroom.settings import Settings


def application(settings: Settings) -> FastAPI:
    """Return the application; every route but the health checks and service-info asks who is calling."""
    queue.configure(settings)
    engine = open_database(settings.database, joined=settings.joined)
    app = http.new_app("Strongroom", settings, engine=engine, issuers=identity.trusted_issuers(settings))
    app.state.public_key_of = partial(access.keys.public_key_of, wait=settings.key_wait)
    app.state.keys_of = partial(access.keys.names_in_force, wait=settings.key_wait)
    app.state.places = (*airlock.pages.PLACES[:1], *wes.pages.PLACES, *airlock.pages.PLACES[1:])
    app.state.issuer_keys = issuer_keys(settings)
    app.state.federation = wes.federation.Federation(settings, engine)
    for router in (
        tes.api.router,  # asked most, by every run for every task, and routes are looked through in this order
        wes.api.router,
        wes.offer.router,
        wes.trs.router,
        wes.trs.open_router,
        wes.derivation.router,
        wes.issuer.router,
        archive.inbox.router,
        archive.api.router,
        airlock.api.router,
        airlock.crate_api.router,
        audit_api.router,
        airlock.ingress_api.router,
        airlock.review_api.router,
        airlock.beside_api.router,
        access.api.router,
        access.policy_api.router,
        access.floors_api.router,
        access.grants_api.router,
        sign_in.router,
        airlock.pages.router,
        airlock.review_pages.router,
        wes.pages.router,
    ):
        app.include_router(router)
    app.router.lifespan_context = _lifespan
    _add_health(app)
    return app


def _add_health(app: FastAPI) -> None:
    meter = tes.measures.Meter()

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
            found, asked = meter.read(session), airlock.figures.read(session, None)
        return Response(metrics_text(found, asked), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with tes.api.watch_bell(app):
        yield
