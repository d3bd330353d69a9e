"""Every HTTP route asks who is there, but for those that are open on purpose."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from strongroom.clients import client_asks
from strongroom.http import person_asks, who_asks
from strongroom.settings import Settings

# Open on purpose: what a service is, and whether it lives. No data, no names.
ISSUER = {"/federation/.well-known/openid-configuration", "/federation/jwks"}  # public keys
OPEN = ISSUER | {"/", "/healthz", "/readyz", "/ga4gh/tes/v1/service-info", "/ga4gh/wes/v1/service-info"}
# Opened by something else than a token: the module checks an expiring signature in the link itself.
BY_LINK = {"/api/airlock/v1/releases/{request_id}/files/{file_id}", "/api/archive/v1/inbox"}
NOT_OURS = {"/openapi.json"}  # FastAPI's own: the list of routes
ROUTERS = {
    "access.api": "/api/access/v1",
    "archive.api": "/api/archive/v1",
    "airlock.api": "/api/airlock/v1",
    "tes.api": "/ga4gh/tes/v1",
    "wes.api": "/ga4gh/wes/v1",
    "wes.issuer": "/federation",
    "archive.inbox": "/api/archive/v1/inbox",
    "wes.derivation": "/api/archive/v1/datasets/from-run",  # served by wes, which alone knows runs
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
        if path not in OPEN | BY_LINK and not {who_asks, person_asks, client_asks} & set(asks(route.dependant))
    }


@pytest.mark.parametrize(("module", "prefix"), ROUTERS.items())
def test_a_route_denies_by_default_and_its_path_stays_put(module: str, prefix: str) -> None:
    found = list(routes(importlib.import_module(module).router))
    assert found
    assert not nameless(found)
    assert all(path == prefix or path.startswith(f"{prefix}/") for path, _ in found)


def test_the_application_has_no_other_route(tmp_path: Path) -> None:
    from strongroom.cli.application import application

    found = list(routes(application(Settings(home=tmp_path))))
    assert not nameless(found)
    known = {path for module in ROUTERS for path, _ in routes(importlib.import_module(module).router)}
    assert {path for path, _ in found} - known <= OPEN | {"/metrics"}
