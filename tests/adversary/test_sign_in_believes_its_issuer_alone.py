"""Signing in by OIDC ends with the person whom the issuer named to this very browser, or with nobody."""

import base64
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from page_scene import Browser, Pages, pages

from strongroom.issuers import Issuer
from strongroom.settings import Settings

ISSUER, CLIENT = "https://login.example.org", "strongroom-pages"


class Login:
    """A small issuer: its token endpoint is real, checks PKCE, and answers with what a test makes of the claims."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one"}, private=True)
        self.signs_with = self.key
        self.challenges: dict[str, str] = {}
        self.claims: dict[str, Any] = {}
        self.forms: list[dict[str, list[str]]] = []

    def answer(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a token request as RFC 6749 and RFC 7636 have it."""
        self.forms.append(form)
        challenge = self.challenges.pop(form.get("code", [""])[0], None)
        made = hashlib.sha256(form.get("code_verifier", [""])[0].encode()).digest()
        if challenge != base64.urlsafe_b64encode(made).rstrip(b"=").decode():
            return 400, {"error": "invalid_grant"}
        token = jwt.encode({"alg": "ES256", "kid": "one"}, self.claims, self.signs_with)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}

    def meets(self, location: str, code: str = "code-1", **claims: Any) -> str:
        """Play the person at the issuer: remember the challenge, and return the state that goes back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["response_type"] == "code"
        self.challenges[code] = asked["code_challenge"]
        good = {"iss": ISSUER, "aud": CLIENT, "sub": "sam", "nonce": asked["nonce"], "exp": int(time.time()) + 60}
        self.claims = good | claims
        return asked["state"]


@contextmanager
def served(login: Login) -> Iterator[str]:
    """Serve the token endpoint on loopback; return its address."""

    class Door(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            status, body = login.answer(form)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Pages, Login]]:
    login = Login()
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [login.key.as_dict(private=False)]}))
    with pages() as site, served(login) as token_url:
        # Named `development` only here, so that the scene's people are this issuer's people.
        issuer = Issuer.model_construct(
            name="development",
            issuer=ISSUER,
            audience="api",
            jwks_file=keys,
            client_id=CLIENT,
            client_secret_file=None,
            authorization_url=f"{ISSUER}/authorize",
            token_url=token_url,
        )
        whole: Settings = site.stage.settings
        identity = whole.identity.model_copy(update={"issuers": (issuer,)})
        site.stage.app.state.settings = whole.model_copy(update={"identity": identity})
        yield site, login


def begun(site: Pages, to: str = "/manual") -> tuple[Browser, str]:
    browser = site.browser()
    answer = browser.get(f"/sign-in/with/development?to={to}")
    assert answer.status_code == 303
    return browser, answer.headers["Location"]


def test_a_person_is_whom_the_issuer_names(scene: tuple[Pages, Login]) -> None:
    site, login = scene
    browser, location = begun(site)
    state = login.meets(location)
    back = browser.get(f"/sign-in/back?state={state}&code=code-1")
    assert (back.status_code, back.headers["Location"]) == (303, "/manual")
    assert "sam" in browser.get("/reviews").text
    assert login.forms[0]["client_id"] == [CLIENT]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://evil.test"},
        {"nonce": "replayed"},
        {"nonce": None},
        {"exp": 1},
        {"sub": "sam@development"},
        {"sub": ""},
    ],
)
def test_an_answer_that_is_not_for_this_sign_in_is_nobody(scene: tuple[Pages, Login], claims: dict[str, Any]) -> None:
    site, login = scene
    browser, location = begun(site)
    state = login.meets(location, **claims)
    browser.get(f"/sign-in/back?state={state}&code=code-1")
    assert "strongroom" not in browser.cookies
    assert browser.get("/reviews").status_code == 303


def test_a_key_of_somebody_else_signs_nobody_in(scene: tuple[Pages, Login]) -> None:
    site, login = scene
    login.signs_with = ECKey.generate_key("P-256", {"kid": "one"}, private=True)
    browser, location = begun(site)
    browser.get(f"/sign-in/back?state={login.meets(location)}&code=code-1")
    assert "strongroom" not in browser.cookies


def test_a_state_counts_once_and_in_the_browser_that_began(scene: tuple[Pages, Login]) -> None:
    site, login = scene
    browser, location = begun(site)
    state = login.meets(location)
    other, _ = begun(site)
    assert other.get(f"/sign-in/back?state={state}&code=code-1").status_code == 400  # a login forged onto a victim
    assert site.browser().get(f"/sign-in/back?state={state}&code=code-1").status_code == 400
    assert browser.get(f"/sign-in/back?state={state}&code=code-1").status_code == 303
    again = Browser(site.stage.app, dict(browser.cookies))
    assert again.get(f"/sign-in/back?state={state}&code=code-1").status_code == 400
    assert len(login.forms) == 1


def test_a_stolen_code_is_worth_nothing_without_the_verifier(scene: tuple[Pages, Login]) -> None:
    site, login = scene
    _, victims = begun(site)
    thief, own = begun(site)
    login.meets(victims, code="stolen")
    asked = parse_qs(urlsplit(own).query)
    thief.get(f"/sign-in/back?state={asked['state'][0]}&code=stolen")
    assert "strongroom" not in thief.cookies


def test_an_issuer_that_fails_or_refuses_leaves_nobody_signed_in(scene: tuple[Pages, Login]) -> None:
    site, login = scene
    browser, location = begun(site)
    login.meets(location, code="other")
    state = parse_qs(urlsplit(location).query)["state"][0]
    answer = browser.get(f"/sign-in/back?state={state}&code=unknown")
    assert answer.status_code == 401
    assert "strongroom" not in browser.cookies
    browser, location = begun(site)
    state = parse_qs(urlsplit(location).query)["state"][0]
    assert browser.get(f"/sign-in/back?state={state}&error=access_denied").status_code == 401


def test_an_unknown_issuer_leads_nowhere(scene: tuple[Pages, Login]) -> None:
    site, _ = scene
    assert site.browser().get("/sign-in/with/elsewhere").status_code == 404


@pytest.mark.parametrize("url", ["http://login.example.org/token", "ftp://x/token", ""])
def test_an_endpoint_without_tls_is_refused_in_the_settings(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Issuer(
            name="x",
            issuer=ISSUER,
            audience="api",
            jwks_file=tmp_path / "none",
            client_id=CLIENT,
            authorization_url=f"{ISSUER}/authorize",
            token_url=url,
        )
