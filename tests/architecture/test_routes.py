"""Every HTTP route asks who is there, but for those that are open on purpose."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from strongroom.clients import client_asks
from strongroom.http import person_asks, stepped_up_asks, who_asks
from strongroom.pages import PageRoute, form_sent, page_asks, page_steps_up
from strongroom.settings import Settings
from wes.trs import reader_asks

# Open on purpose: what a service is, and whether it lives. No data, no names.
ISSUER = {"/federation/.well-known/openid-configuration", "/federation/jwks"}  # public keys
OPEN = ISSUER | {"/", "/healthz", "/readyz", "/ga4gh/tes/v1/service-info", "/ga4gh/wes/v1/service-info"}
OPEN |= {"/ga4gh/trs/v2/service-info"}
# The pages' own way in: what one signs in by, and the files that every page is made of.
SIGN_IN = {"/sign-in", "/sign-in/development", "/sign-in/with/{name}", "/sign-in/back", "/static/{name}"}
OPEN |= SIGN_IN
# Opened by something else than a token: the module checks an expiring signature in the link itself.
BY_LINK = {"/api/airlock/v1/releases/{request_id}/files/{file_id}", "/api/archive/v1/inbox"}
NOT_OURS = {"/openapi.json"}  # FastAPI's own: the list of routes
ROUTERS = {
    "access.api": "/api/access/v1",
    "access.policy_api": "/api/access/v1",
    "access.grants_api": "/api/access/v1",
    "access.floors_api": "/api/access/v1",
    "archive.api": "/api/archive/v1",
    "airlock.api": "/api/airlock/v1",
    "airlock.crate_api": "/api/airlock/v1",
    "airlock.ingress_api": "/api/airlock/v1",
    "strongroom.audit_api": "/api/audit/v1",
    "airlock.review_api": "/api/airlock/v1",
    "airlock.beside_api": "/api/airlock/v1",
    "tes.api": "/ga4gh/tes/v1",
    "wes.api": "/ga4gh/wes/v1",
    "wes.trs": "/ga4gh/trs/v2",
    "wes.offer": "/ga4gh/wes/v1/workflows",
    "wes.issuer": "/federation",
    "archive.inbox": "/api/archive/v1/inbox",
    "wes.derivation": "/api/archive/v1/datasets/from-run",  # served by wes, which alone knows runs
}
# HTML beside the APIs: the first part of each path.
PAGES = {
    "strongroom.sign_in": {"", "sign-in", "sign-out", "static"},
    "airlock.pages": {"reviews", "outputs", "requests", "releases", "manual"},
    "airlock.review_pages": {"reviews", "figures", "stops"},
    "wes.pages": {"runs", "code"},
}


def routes(source: APIRouter | FastAPI, *, prefix: str = "") -> Iterator[tuple[str, APIRoute]]:
    """Yield path and route of everything that a router or application serves, included routers too."""
    for route in source.routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from routes(included, prefix=prefix + route.include_context.prefix)  # type: ignore[attr-defined]
        elif isinstance(route, APIRoute):
            yield prefix + route.path, route
        else:
            assert getattr(route, "path", "") in NOT_OURS, f"{route} is of a kind that this test cannot judge"


def asks(dependant: Dependant) -> Iterator[object]:
    """Yield every dependency of a route, however deep."""
    yield dependant.call
    for inner in dependant.dependencies:
        yield from asks(inner)


def nameless(found: list[tuple[str, APIRoute]]) -> set[str]:
    """Return the routes that ask nobody's name and are not open on purpose."""
    return {
        f"{sorted(route.methods or ())} {path}"
        for path, route in found
        if path not in OPEN | BY_LINK
        and not {who_asks, person_asks, client_asks, reader_asks, page_asks} & set(asks(route.dependant))
    }


@pytest.mark.parametrize(("module", "prefix"), ROUTERS.items())
def test_a_route_denies_by_default_and_its_path_stays_put(module: str, prefix: str) -> None:
    found = list(routes(importlib.import_module(module).router))
    assert found
    assert not nameless(found)
    assert all(path == prefix or path.startswith(f"{prefix}/") for path, _ in found)


@pytest.mark.parametrize(("module", "first"), PAGES.items())
def test_a_page_asks_who_looks_and_a_form_asks_for_its_word(module: str, first: set[str]) -> None:
    found = list(routes(importlib.import_module(module).router))
    assert found
    assert not nameless(found)
    assert {path.split("/")[1] for path, _ in found} == first
    sent = [(path, route) for path, route in found if "POST" in (route.methods or ())]
    wordless = {path for path, route in sent if form_sent not in set(asks(route.dependant))}
    assert wordless <= {"/sign-in/development"}  # nobody has a session yet, and the token is what is asked for
    assert all(isinstance(route, PageRoute) and not route.include_in_schema for _, route in found)


AS_PAGES_ASK = {stepped_up_asks: page_steps_up, person_asks: page_asks, who_asks: page_asks}


def calls(module: ModuleType, endpoint: Callable[..., object]) -> set[str]:
    """Return which functions behind the API's routes a page calls, by itself or through a helper of its module."""
    source = inspect.getsource(endpoint)
    named = set(re.findall(r"\b(_\w+)\(", source)) - {endpoint.__name__}
    helpers = {name for name in named if inspect.isfunction(getattr(module, name, None))}
    found = set(re.findall(r"\b(?:review_|beside_)?api\.(\w+)\(\s*request, ", source))
    return found.union(*(calls(module, getattr(module, name)) for name in helpers))


BEHIND = {
    "airlock.pages": ("airlock.api", "airlock.review_api"),
    "airlock.review_pages": ("airlock.api", "airlock.review_api", "airlock.beside_api"),
    "wes.pages": ("wes.api",),
}


@pytest.mark.parametrize(("shown", "behind"), BEHIND.items())
def test_a_page_asks_of_its_visitor_all_that_the_api_asks_of_its_caller(shown: str, behind: tuple[str, ...]) -> None:
    # A page calls the functions behind the routes: what a route asks beyond who, its page must ask (T20).
    asked = {
        route.endpoint.__name__: {
            one for one in asks(route.dependant) if getattr(one, "__name__", "").endswith("_asks")
        }
        for module in behind
        for _, route in routes(importlib.import_module(module).router)
    }
    pages = importlib.import_module(shown)
    judged = 0
    for path, route in routes(pages.router):
        ours = set(asks(route.dependant))
        for name in calls(pages, route.endpoint) & set(asked):
            lacking = {one for one in asked[name] if AS_PAGES_ASK[one] not in ours}
            assert not lacking, f"{path} calls {name}, which asks for more than this page does"
            judged += 1
    assert judged


def test_the_application_has_no_other_route(tmp_path: Path) -> None:
    from strongroom.cli.application import application

    found = list(routes(application(Settings(home=tmp_path))))
    assert not nameless(found)
    known = {path for module in ROUTERS | PAGES for path, _ in routes(importlib.import_module(module).router)}
    assert {path for path, _ in found} - known <= OPEN | {"/metrics"}
