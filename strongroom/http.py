"""Builds HTTP applications whose routes deny by default and whose errors have GA4GH's shape."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import sqlalchemy as sa
import structlog
import uvicorn
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from strongroom.bodies import MOST_BYTES, Bounded
from strongroom.doors import LARGEST, caller_of
from strongroom.errors import NotAllowed, NotSignedIn, StepUpNeeded, StrongroomError, TooLarge, TooMany
from strongroom.identity import Person, ServicePerson, TrustedIssuer, check_stepped_up, person_of
from strongroom.settings import Settings

PEER = "peer_uid"
TRS = "/ga4gh/trs/"  # TRS 2.0.1 has `Error` of its own: code and message
log = structlog.get_logger()
_bearer = HTTPBearer(auto_error=False)


class Problem(BaseModel):
    """The error shape of WES 1.1 (`ErrorResponse`), on every path."""

    msg: str
    status_code: int


# What each route may answer besides its own, as our OpenAPI file has it.
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Problem, "description": "What is wrong, and what to do"},
    "5XX": {"model": Problem, "description": "What failed; nothing was changed"},
}


class PeerProtocol(HttpToolsProtocol):
    """HTTP that knows, on a Unix socket, the uid that the kernel names."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the uid with the connection's state, where no header of a client reaches."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_UNIX:
            self.app_state = {**self.app_state, PEER: caller_of(sock).uid}


def new_app(title: str, settings: Settings, *, engine: sa.Engine, issuers: Sequence[TrustedIssuer]) -> FastAPI:
    """Return an application with our error shapes; rooms include their routers."""
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url="/openapi.json", responses=ERRORS)
    app.state.settings, app.state.engine, app.state.issuers = settings, engine, tuple(issuers)
    app.add_middleware(Bounded, most_of=_most_of)
    if settings.http.origins:  # without credentials: a page sends a bearer token of its own, or is nobody
        methods, headers = ["GET", "POST"], ["Authorization", "Content-Type", "Idempotency-Key"]
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.http.origins, allow_methods=methods, allow_headers=headers
        )
    app.add_exception_handler(StrongroomError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _failed)
    return app


def _most_of(scope: Scope) -> int:
    # FastAPI reads a body before it asks who sends it; our own services say as much as at any door of ours.
    return LARGEST if PEER in scope.get("state", {}) else MOST_BYTES


def told(found: BaseModel) -> Response:
    """Return what we made as JSON, without what is not there; FastAPI would check it again, in another thread."""
    return Response(found.model_dump_json(exclude_none=True), media_type="application/json")


def _of(request: Request, status: int, sentence: str, **how: Any) -> JSONResponse:
    """Return the error in the shape of the asked path's specification."""
    trs: dict[str, Any] = {"code": status, "message": sentence} if request.url.path.startswith(TRS) else {}
    return problem(status, sentence, **how, **trs)


def problem(status: int, sentence: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    """Return a `Problem`, with `more` fields."""
    asked = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse({"msg": sentence, "status_code": status, **more}, status, {**asked, **(headers or {})})


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StrongroomError)
    log.info("refused", status=error.status, reason=error.sentence, detail=error.detail)
    answer = _of(request, error.status, error.sentence)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, StepUpNeeded):
        ask = f'Bearer error="insufficient_user_authentication", max_age={error.seconds}'
        answer.headers["WWW-Authenticate"] = ask
    return answer


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Only places and rules, never the values that were sent.
    places = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:8])
    return _of(request, 400, f"The request is not well formed: {places}")


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, TooLarge):  # FastAPI's word for whatever ends the reading of a body
        return await _refused(request, error.__cause__)
    headers = {"Allow": ", ".join(_methods(request))} if error.status_code == 405 else error.headers
    sentences = {404: "There is nothing here.", 405: f"{request.method} is not possible here."}
    return _of(request, error.status_code, sentences.get(error.status_code, str(error.detail)), headers=headers)


def _methods(request: Request) -> list[str]:
    """Return what is possible at the asked path: each method is a route of its own, the most literal path wins."""
    routes = [r for r in request.app.routes if isinstance(r, Route) and r.path_regex.match(request.url.path)]
    literal = {route.path: len(re.sub(r"\{.*?\}", "", route.path)) for route in routes}
    best = max(literal.values(), default=0)
    return sorted({method for route in routes if literal[route.path] == best for method in route.methods or ()})


async def _failed(request: Request, error: Exception) -> JSONResponse:
    log.error("failed", exc_info=error)
    return _of(request, 500, "Something failed inside; nothing was changed, and the operator's log says what.")


def whoever(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Person | ServicePerson:
    """Return who asks: a person by bearer token, or one of our services by its uid on a Unix socket."""
    peer = request.scope.get("state", {}).get(PEER)
    if peer is not None:
        return _service(request.app.state.settings, int(peer))
    if bearer is None:
        raise NotSignedIn("Send a bearer token; `strongroom token` prints one for development.")
    return person_of(bearer.credentials, request.app.state.issuers)


def signed_in(who: Person | ServicePerson) -> Person:
    """Return the person who asks; our services have no business on such a route."""
    if isinstance(who, ServicePerson):
        raise NotAllowed("This route is for persons.")
    return who


# On the event loop: they wait for nothing, and a trip to another thread costs more than all that they do.
async def who_asks(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Person | ServicePerson:
    """Ask `whoever`, for a route."""
    return whoever(request, bearer)


async def person_asks(who: Annotated[Person | ServicePerson, Depends(who_asks)]) -> Person:
    """Ask `signed_in`, for a route."""
    return signed_in(who)


def _service(settings: Settings, uid: int) -> ServicePerson:
    if uid in (0, os.geteuid(), settings.uids.services):
        return ServicePerson("services")
    raise NotAllowed("This process has no business here.")


Who = Annotated[Person | ServicePerson, Depends(who_asks)]
SignedIn = Annotated[Person, Depends(person_asks)]


async def stepped_up_asks(request: Request, who: SignedIn) -> Person:
    """Ask for a person who showed a second factor in the last minutes (T20)."""
    check_stepped_up(request.app.state.settings, who, moment=int(time.time()))
    return who


SteppedUp = Annotated[Person, Depends(stepped_up_asks)]


def run(app: Any, sockets: list[socket.socket]) -> None:
    """Serve `app` on these listening sockets until told to stop."""
    config = uvicorn.Config(
        app,
        http=PeerProtocol,
        loop="uvloop",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=3,  # streams of events do not end by themselves
        proxy_headers=False,  # whom a header claims to speak for is nobody
    )
    uvicorn.Server(config).run(sockets=sockets)  # not its `serve`, which takes the loop that it finds
