"""Sets the airlock's scene with its pages, and visits them as browsers do: by a cookie, and forms as pages have."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx
from airlock_scene import FINGERPRINT, Scene, person, scene
from fastapi import FastAPI

import airlock.pages
import airlock.review_pages
import wes.pages
from strongroom import sign_in
from strongroom.identity import mint_token

FORM = re.compile(r"<form\b(?P<head>[^>]*)>(?P<inside>.*?)</form>", re.DOTALL)
FIELD = re.compile(r"<input\b[^>]*>|<textarea\b[^>]*>.*?</textarea>|<select\b[^>]*>.*?</select>", re.DOTALL)
SENT = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """One browser: it keeps cookies, follows nothing by itself, and sends forms as pages have them."""

    app: FastAPI
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Load a page."""
        return self._ask("GET", path, headers=headers)

    def post(self, path: str, fields: list[tuple[str, str]] | dict[str, str], **headers: str) -> httpx.Response:
        """Send a form."""
        return self._ask("POST", path, content=urlencode(fields), headers={**SENT, **headers})

    def form(self, page: str, action: str) -> dict[str, str]:
        """Return the hidden fields of the first form of `page` that goes to `action`."""
        return hidden(self.get(page).text, action)

    def _ask(self, method: str, path: str, *, headers: dict[str, str], **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://strongroom.test") as client:
                cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
                sent = {**({"Cookie": cookie} if cookie else {}), **headers}
                return await client.request(method, path, headers=sent, **more)

        answer = asyncio.run(ask())
        for name, value in answer.cookies.items():
            self.cookies[name] = value
        return answer


@dataclass
class Pages:
    """The airlock's scene, and browsers of its people."""

    stage: Scene

    def browser(self, name: str = "") -> Browser:
        """Return a browser, signed in as NAME if one is given."""
        made = Browser(self.stage.app)
        if name:
            answer = made.post("/sign-in/development", {"token": mint_token(self.stage.settings, name), "to": "/"})
            assert answer.status_code == 303, answer.text
        return made


def hidden(html: str, action: str) -> dict[str, str]:
    """Return the hidden fields of the first form in a page that goes to `action`."""
    for found in FORM.finditer(html):
        if f'action="{action}"' in found["head"]:
            tags = [tag for tag in FIELD.findall(found["inside"]) if 'type="hidden"' in tag]
            return {_of(tag, "name"): _of(tag, "value") for tag in tags}
    raise AssertionError(f"no form for {action}")


def _of(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return unescape(found[1]) if found else ""


def add_pages(stage: Scene) -> None:
    """Let the scene's application have its pages."""
    stage.app.state.keys_of = lambda _session, who: [FINGERPRINT] if who == person("ruth") else []
    stage.app.state.places = (*airlock.pages.PLACES, *wes.pages.PLACES)
    for router in (sign_in.router, airlock.pages.router, airlock.review_pages.router, wes.pages.router):
        stage.app.include_router(router)


@contextmanager
def pages() -> Iterator[Pages]:
    """Set the scene with its pages."""
    with scene() as stage:
        add_pages(stage)
        yield Pages(stage)
