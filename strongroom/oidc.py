"""Sends people to their OIDC issuer and believes what comes back: authorization code, PKCE, state and nonce."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from sqlalchemy import orm

from strongroom import identity, sessions
from strongroom.database import now
from strongroom.errors import NotFound, NotSignedIn, Unavailable
from strongroom.identity import Person
from strongroom.issuers import Issuer
from strongroom.sessions import SignInAttempt
from strongroom.settings import Settings

CALLBACK = "/sign-in/back"
MOST_BYTES = 64 << 10
TIMEOUT = 10.0


@dataclass(frozen=True)
class Began:
    """Where to send a browser, and the word that it keeps until it comes back."""

    url: str
    browser: str


def offered(settings: Settings) -> list[Issuer]:
    """Return the issuers by which people can sign in to the pages."""
    return [issuer for issuer in settings.identity.issuers if issuer.client_id]


def begin(session: orm.Session, settings: Settings, name: str, *, goes_to: str, newest: int | None) -> Began:
    """Remember an attempt and return where the browser goes (RFC 6749 4.1, RFC 7636).

    With `newest` a sign-in of more than so many seconds ago does not do (OIDC Core 3.1.2.1 `max_age`).
    """
    issuer = _issuer(settings, name)
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    sessions.remember(
        session,
        SignInAttempt(
            id=sessions.digest(state),
            browser=sessions.digest(browser),
            issuer=name,
            nonce=nonce,
            verifier=verifier,
            goes_to=goes_to,
            ends=now() + sessions.ATTEMPT_LIFE,
        ),
    )
    asked = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": settings.pages_url + CALLBACK,
        "scope": "openid",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "acr_values": " ".join(issuer.step_up_acr),
        **({} if newest is None else {"max_age": str(newest)}),
    }
    return Began(f"{issuer.authorization_url}?{urlencode(asked)}", browser)


def finish(settings: Settings, attempt: SignInAttempt, code: str) -> Person:
    """Exchange the code for an ID token and return whom it proves."""
    issuer = _issuer(settings, attempt.issuer)
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.pages_url + CALLBACK,
        "code_verifier": attempt.verifier,
        "client_id": issuer.client_id,
    }
    auth = None
    if issuer.client_secret_file is not None:
        auth = httpx.BasicAuth(issuer.client_id, issuer.client_secret_file.read_text().strip())
    token = _token(issuer.token_url, asked, auth)
    trusted = identity.trusted_client(issuer)
    return identity.person_signed_in(token, trusted, nonce=attempt.nonce)


def _issuer(settings: Settings, name: str) -> Issuer:
    for issuer in offered(settings):
        if issuer.name == name:
            return issuer
    raise NotFound("Nobody signs in by an issuer of this name.")


def _token(url: str, asked: dict[str, str], auth: httpx.BasicAuth | None) -> str:
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False, trust_env=False, auth=auth) as client,
            client.stream("POST", url, data=asked, headers={"Accept": "application/json"}) as answer,
        ):
            content = bytearray()
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > MOST_BYTES:
                    raise Unavailable("Your issuer's answer is too long; ask the operator.")
            status = answer.status_code
    except httpx.HTTPError as error:
        raise Unavailable("Your issuer does not answer; try again in a moment.") from error
    try:
        token = json.loads(content)["id_token"] if status == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        token = None
    if not isinstance(token, str):
        raise NotSignedIn("Your issuer did not confirm who you are; sign in again.")
    return token
