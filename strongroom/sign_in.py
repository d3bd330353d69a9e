"""Signs people in to the pages and out again: by their OIDC issuer, or by a token of the development issuer."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from strongroom import identity, oidc, pages, sessions
from strongroom.database import reading, transaction
from strongroom.errors import NotFound, NotSignedIn
from strongroom.identity import DEVELOPMENT, Person
from strongroom.pages import Here, PageRoute, Visitor, check_same_site, cookie_name, go, local_path, page
from strongroom.projects import held_roles
from strongroom.settings import Settings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TEMPLATES = pages.environment()
TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
AGAIN = "This needs a sign-in of the last minutes, with your second factor; sign in again."
# The path of ours that a person asked for before signing in.
To = Annotated[str, Query(max_length=500)]


@router.get("/")
def first_page(request: Request) -> Response:
    """Lead to what the visitor can do, or to the sign-in."""
    try:
        visitor = pages.page_asks(request)
    except NotSignedIn:
        return go("/sign-in")
    with reading(request.app.state.engine) as session:
        roles = held_roles(session, visitor.person.id)
    here = [place for place in request.app.state.places if place.role in roles]
    return go(here[0].path) if here else page(TEMPLATES, request, "nothing.html", visitor)


@router.get("/static/{name}")
def static_file(name: str, v: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Return one of our own files; its version is in the address, so that a browser asks once."""
    content = pages.STATIC.get(name)
    if content is None:
        raise NotFound("There is no such file.")
    kept = "public, max-age=31536000, immutable" if v == pages.VERSIONS[name] else "no-cache"
    kind = TYPES.get(name.rsplit(".", 1)[-1], "application/octet-stream")
    return Response(content, media_type=kind, headers={"Cache-Control": kept})


@router.get("/sign-in")
def sign_in_page(request: Request, to: To = "/", again: bool = False) -> Response:
    """Offer the ways to sign in, or to show a second factor once more."""
    return _offer(request, to, AGAIN if again else "", again=again)


@router.post("/sign-in/development")
async def sign_in_by_token(request: Request) -> Response:
    """Sign in by a token of the development issuer, where the settings have one (T31: on loopback alone)."""
    settings: Settings = request.app.state.settings
    if not settings.identity.development_issuer:
        raise NotFound("There is nothing here.")
    check_same_site(request)
    sent = pages.Sent(await pages.read_form(request))
    to = sent.one("to")
    try:
        person = identity.person_of(
            sent.one("token").strip(), tuple(one for one in request.app.state.issuers if one.name == DEVELOPMENT)
        )
    except NotSignedIn as refused:
        return await run_in_threadpool(_offer, request, to, refused.sentence)
    return await run_in_threadpool(_begin, request, person, local_path(to))


@router.get("/sign-in/with/{name}")
def sign_in_with(request: Request, name: str, to: To = "/", again: bool = False) -> Response:
    """Send the browser to an issuer."""
    state = request.app.state
    newest = state.settings.identity.step_up_seconds if again else None
    with transaction(state.engine) as session:
        began = oidc.begin(session, state.settings, name, goes_to=local_path(to), newest=newest)
    answer = RedirectResponse(began.url, 303)
    _set(answer, state.settings, _waiting(state.settings), began.browser, int(sessions.ATTEMPT_LIFE.total_seconds()))
    return answer


@router.get(oidc.CALLBACK)
def back_from_issuer(
    request: Request,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Take the browser back; only the one that was sent, once."""
    app = request.app.state
    browser = request.cookies.get(_waiting(app.settings), "")
    with transaction(app.engine) as session:
        attempt = sessions.take_attempt(session, state, browser)
        session.expunge(attempt)
    if not code:
        return _offer(request, attempt.goes_to, "Your issuer did not sign you in; try again.")
    try:
        person = oidc.finish(app.settings, attempt, code)
    except NotSignedIn as refused:
        return _offer(request, attempt.goes_to, refused.sentence)
    answer = _begin(request, person, attempt.goes_to)
    answer.delete_cookie(_waiting(app.settings), path="/", secure=app.settings.secure_cookies, httponly=True)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, visitor: Here, _: pages.Form) -> Response:
    """End the session."""
    state = request.app.state
    with transaction(state.engine) as session:
        sessions.end(session, visitor.visit)
    answer = go("/sign-in")
    answer.delete_cookie(
        cookie_name(state.settings), path="/", secure=state.settings.secure_cookies, httponly=True, samesite="lax"
    )
    return answer


def _offer(request: Request, to: str, trouble: str = "", *, again: bool = False) -> Response:
    settings: Settings = request.app.state.settings
    return page(
        TEMPLATES,
        request,
        "sign_in.html",
        to=local_path(to),
        trouble=trouble,
        again=again,
        issuers=[issuer.name for issuer in oidc.offered(settings)],
        development=settings.identity.development_issuer,
        status=401 if trouble else 200,
    )


def _begin(request: Request, person: Person, to: str) -> RedirectResponse:
    state = request.app.state
    old = _old(request)
    with transaction(state.engine) as session:
        if old is not None:
            sessions.end(session, old.visit)  # a session never outlives another sign-in of its browser
        word = sessions.begin(session, person.id, stepped_up=person.stepped_up, limits=state.settings.identity)
    answer = go(to)
    _set(answer, state.settings, cookie_name(state.settings), word, state.settings.identity.session_seconds)
    return answer


def _old(request: Request) -> Visitor | None:
    try:
        return pages.page_asks(request)
    except NotSignedIn:
        return None


def _waiting(settings: Settings) -> str:
    return cookie_name(settings) + "-sign-in"


def _set(answer: Response, settings: Settings, name: str, word: str, seconds: int) -> None:
    # Lax, as the way back from an issuer begins at another site; every form asks for a word of its own besides.
    answer.set_cookie(
        name, word, max_age=seconds, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax"
    )
