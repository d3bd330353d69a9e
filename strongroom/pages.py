"""Speaks HTML for all rooms: one layout, one policy for browsers, refusals as pages and forms that count once."""

import hashlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

import jinja2
import structlog
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from strongroom import sessions
from strongroom.database import reading, transaction
from strongroom.errors import BadRequest, NotAllowed, NotSignedIn, StepUpNeeded, StrongroomError
from strongroom.identity import Person, check_stepped_up
from strongroom.projects import Role, held_roles
from strongroom.sessions import Visit
from strongroom.settings import Settings
from strongroom.words import FILTERS

HERE = Path(__file__).resolve().parent
FORM_FIELD = "form"
MOST_FIELDS, MOST_BYTES = 400, 512 << 10
# Nothing but our own files, no script or style in a page, no frame round it; pictures only as a view brings them.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
}
# Where htmx puts a refusal, whatever part of a page was asked for.
IN_PLACE = {
    "HX-Retarget": "#notice",
    "HX-Reselect": ".trouble",
    "HX-Reswap": "innerHTML show:none",
    "HX-Push-Url": "false",
}
STATIC = {file.name: file.read_bytes() for file in sorted((HERE / "static").iterdir()) if file.is_file()}
VERSIONS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in STATIC.items()}
Answer = Callable[[Request], Coroutine[Any, Any, Response]]
log = structlog.get_logger()


@dataclass(frozen=True)
class Place:
    """A place in the navigation, for those who hold the role in some project."""

    title: str
    path: str
    role: Role


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page, and with which session."""

    person: Person
    visit: Visit


@dataclass(frozen=True)
class Sent:
    """The fields of a form that a visitor sent; its word is used up."""

    fields: tuple[tuple[str, str], ...]

    def one(self, name: str) -> str:
        """Return a field that is given once, or empty."""
        found = self.all(name)
        if len(found) > 1:
            raise BadRequest(f"{name}: given twice.")
        return found[0] if found else ""

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for key, value in self.fields if key == name]


class PageRoute(APIRoute):
    """A route whose refusals are pages, and whose every answer tells the browser what it may do."""

    def get_route_handler(self) -> Answer:
        """Wrap the route."""
        original = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await original(request)
            except (StrongroomError, RequestValidationError, HTTPException) as error:
                await run_in_threadpool(_give_back, request)
                response = await run_in_threadpool(_refusal, request, error)
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return answer


def cookie_name(settings: Settings) -> str:
    """Return the session cookie's name; the prefix keeps other hosts and plain http from setting it."""
    return "__Host-strongroom" if settings.secure_cookies else "strongroom"


def page_asks(request: Request) -> Visitor:
    """Return who asks for a page, by the session cookie and by nothing else."""
    state = request.app.state
    word = request.cookies.get(cookie_name(state.settings), "")
    with reading(state.engine) as session:
        visit = sessions.find(session, word, limits=state.settings.identity)
        due = sessions.is_due(session, visit)
    if due and not _by_itself(request):
        with transaction(state.engine) as session:
            sessions.touch(session, visit)
    return Visitor(Person(visit.person, stepped_up=visit.stepped_up), visit)


def _by_itself(request: Request) -> bool:
    # What a page does alone, looking for news, keeps nobody signed in.
    return "X-By-Itself" in request.headers or "text/event-stream" in request.headers.get("Accept", "")


Here = Annotated[Visitor, Depends(page_asks)]


async def page_steps_up(request: Request, visitor: Here) -> Visitor:
    """Ask for a visitor who showed a second factor in the last minutes, as `http.stepped_up_asks` does (T20)."""
    check_stepped_up(request.app.state.settings, visitor.person, moment=int(time.time()))
    return visitor


HereSteppedUp = Annotated[Visitor, Depends(page_steps_up)]


async def form_sent(request: Request, visitor: Here) -> Sent:
    """Return what was sent, if it came from a page of ours that this session loaded; each form counts once."""
    check_same_site(request)
    fields = await read_form(request)
    word = next((value for key, value in fields if key == FORM_FIELD), "")

    def use() -> None:
        with transaction(request.app.state.engine) as session:
            sessions.use_form(session, visitor.visit, request.url.path, word)

    await run_in_threadpool(use)
    request.state.form_used = (visitor.visit, word)
    return Sent(tuple((key, value) for key, value in fields if key != FORM_FIELD))


Form = Annotated[Sent, Depends(form_sent)]


async def read_form(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form, none of them a file; one that is too long is refused before it is read (T30)."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("Content-Type: a form was expected.")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise BadRequest(f"The form: at most {MOST_BYTES >> 10} KiB.")
    try:
        text = body.decode("ascii")
        found = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise BadRequest(f"The form: at most {MOST_FIELDS} fields, in UTF-8.") from error
    if any("\0" in value for _, value in found):
        raise BadRequest("The form: no NUL characters, please.")
    return tuple(found)


def check_same_site(request: Request) -> None:
    """Raise for a form that a browser says came from elsewhere; the form's word is asked for all the same."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise NotAllowed("This form came from another site; open the page here and send it again.")
    origin = request.headers.get("Origin")
    if site is None and origin is not None and _is_elsewhere(request, _parts_of(origin)):
        raise NotAllowed("This form came from another site; open the page here and send it again.")


def environment(*folders: Path) -> jinja2.Environment:
    """Return the templates of a room, over those that all rooms share; everything is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= FILTERS
    return made


_OWN = environment()


def page(
    templates: jinja2.Environment,
    request: Request,
    name: str,
    visitor: Visitor | None = None,
    *,
    status: int = 200,
    **facts: Any,
) -> HTMLResponse:
    """Return a page of our layout."""
    places: list[Place] = []
    if visitor is not None:
        with reading(request.app.state.engine) as session:
            roles = held_roles(session, visitor.person.id)
        known = {place.path: place for place in request.app.state.places if place.role in roles}
        places = list(known.values())

    def form(path: str) -> Markup:
        assert visitor is not None
        field = '<input type="hidden" name="{}" value="{}">'
        return Markup(field).format(FORM_FIELD, sessions.form_word(visitor.visit, path))  # noqa: S704 - escapes both

    content = templates.get_template(name).render(
        request=request,
        visitor=visitor,
        places=places,
        form=form,
        static=lambda file: f"/static/{file}?v={VERSIONS[file]}",
        is_fragment=request.headers.get("HX-Request") == "true",
        **facts,
    )
    return HTMLResponse(content, status)


def go(path: str) -> RedirectResponse:
    """Return the answer to a form that did its work: look there."""
    return RedirectResponse(path, 303)


def local_path(given: str) -> str:
    """Return a path of ours, or the first page for anything that could lead elsewhere."""
    parts = _parts_of(given)
    if parts is None:
        return "/"
    odd = parts.scheme or parts.netloc or not given.startswith("/") or given.startswith("//") or "\\" in given
    plain = all(letter.isprintable() for letter in given) and len(given) <= 400
    return "/" if odd or not plain else given


def _give_back(request: Request) -> None:
    used = getattr(request.state, "form_used", None)
    if used is not None:
        with transaction(request.app.state.engine) as session:
            sessions.give_back(session, *used)


def _refusal(request: Request, error: Exception) -> Response:
    fragment = request.headers.get("HX-Request") == "true"
    if isinstance(error, NotSignedIn):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        there = f"/sign-in?to={quote(asked)}" if request.method == "GET" and not fragment else "/sign-in"
        if isinstance(error, StepUpNeeded):
            there = f"/sign-in?again=true&to={quote(_page_before(request))}"
        return Response(status_code=200, headers={"HX-Redirect": there}) if fragment else go(there)
    status, sentence = _said(error)
    log.info("refused", status=status, reason=sentence, detail=getattr(error, "detail", ""))
    headers = IN_PLACE if fragment else {}
    name = "notice.html" if fragment else "refused.html"
    visitor = None
    if not fragment:
        try:
            visitor = page_asks(request)
        except NotSignedIn:
            visitor = None
    made = page(_OWN, request, name, visitor, status=status, sentence=sentence, title=_title(status))
    made.headers.update(headers)
    return made


def _page_before(request: Request) -> str:
    # Whose form was refused goes on where the form stood; another site's address is none of ours.
    before = _parts_of(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    if before is None or _is_elsewhere(request, before):
        return "/"
    return local_path(before.path + (f"?{before.query}" if before.query else ""))


def _parts_of(given: str) -> SplitResult | None:
    """Return the parts of an address that anyone may have written; None for what is no address (T30)."""
    try:
        return urlsplit(given)
    except ValueError:
        return None


def _is_elsewhere(request: Request, parts: SplitResult | None) -> bool:
    return parts is None or parts.netloc != request.headers.get("Host")


def _said(error: Exception) -> tuple[int, str]:
    if isinstance(error, StrongroomError):
        return error.status, error.sentence
    if isinstance(error, RequestValidationError):
        places = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()[:8])
        return 400, f"The request is not well formed: {places}"
    return getattr(error, "status_code", 400), "The request is not well formed."


def _title(status: int) -> str:
    titles = {403: "This is not yours to do", 404: "There is nothing here", 409: "Not now"}
    return titles.get(status, "That did not work")


def fields_of(sent: Sent) -> Mapping[str, str]:
    """Return the fields of a form that are given once."""
    return {key: sent.one(key) for key, _ in sent.fields}
