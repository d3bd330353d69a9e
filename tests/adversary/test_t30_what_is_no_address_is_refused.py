"""Whatever stands where an address is expected, before a sign-in or after it, is refused and no failure inside."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from page_scene import Browser, Pages, pages

from strongroom import sign_in

# Letters that Python's parser of addresses minds, more often than chance would have them.
ODD = st.text(st.sampled_from("[]/\\:@?#%&. \t") | st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
LEADS = st.sampled_from(["", "/", "//", "//[", "http://", "http://[", "https://[::1", "http://a\u2100b"])
ADDRESSES = st.builds("".join, st.tuples(LEADS, ODD))
# What a server lets through in a header: Latin-1 without control characters.
HEADERS = st.builds(
    "".join, st.tuples(st.sampled_from(["", "http://", "http://[", "//["]), st.text(st.characters(max_codepoint=255)))
).map(lambda text: "".join(letter for letter in text if letter.isprintable()).strip())
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def site() -> Iterator[Pages]:
    with pages() as one:
        yield one


@pytest.fixture(scope="module")
def stale(site: Pages) -> tuple[Browser, str, dict[str, str]]:
    """A steward's browser, a form of a vote and its fields, where a second factor is asked for."""
    run = site.stage.complete_run({TSV: "count", PNG: "plot"})
    ruth = site.stage.ask("ruth")
    made = ruth.post(f"{API}/requests", {"run": run, "purpose": "For figure 2."}).json()["id"]
    site.stage.work()
    assert ruth.post(f"{API}/requests/{made}:submit", {"key": FINGERPRINT}).status_code == 200
    state = site.stage.app.state
    identity = state.settings.identity.model_copy(update={"step_up_of_development": True})
    state.settings = state.settings.model_copy(update={"identity": identity})
    sam, act = site.browser("sam"), f"/reviews/{made}/vote"
    return sam, act, sam.form(f"/reviews/{made}", act) | {"vote": "yes"}


def sent(browser: Browser, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
    """Send a form with headers of any Latin-1 letters, and none that says which site it comes from."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(browser.app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://strongroom.test") as client:
            cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
            raw = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
            return await client.post(path, data=fields, headers={"Cookie": cookie.encode(), **raw})

    return asyncio.run(ask())


@MANY
@given(ADDRESSES)
@example("//[")
@example("//a\u2100b")
@example("http://[::1")
def test_t30_no_place_to_go_is_a_failure(site: Pages, to: str) -> None:
    browser = site.browser()
    asked = str(httpx.QueryParams({"to": to}))
    assert browser.get(f"/sign-in?{asked}").status_code in (200, 400)
    assert browser.get(f"/sign-in/with/nobody?{asked}").status_code in (400, 404)
    assert browser.post("/sign-in/development", {"token": "none", "to": to}).status_code in (400, 401)


@MANY
@given(HEADERS)
@example("http://[")
@example("//[")
def test_t30_an_origin_that_is_no_address_is_another_site(site: Pages, origin: str) -> None:
    answer = sent(site.browser(), "/sign-in/development", {"token": "none"}, Origin=origin)
    assert answer.status_code == 403, origin


@MANY
@given(HEADERS)
@example("http://[")
@example("//[")
def test_t30_a_page_before_that_is_no_address_is_the_first_page(
    stale: tuple[Browser, str, dict[str, str]], before: str
) -> None:
    browser, act, form = stale
    for name in ("Referer", "HX_Current_URL"):
        answer = sent(browser, act, form, Sec_Fetch_Site="same-origin", **{name: before})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?again=true&to=/"), before


def test_a_place_to_go_that_is_none_is_the_first_page(site: Pages) -> None:
    for to in ("//[", "//a\u2100b"):
        assert sign_in.local_path(to) == "/"
        assert f'name="to" value="{to}"' not in site.browser().get(f"/sign-in?{httpx.QueryParams({'to': to})}").text
