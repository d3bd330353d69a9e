"""Finds the keys of outside issuers by OIDC discovery (OpenID Connect Discovery 1.0, section 4), within bounds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import structlog

from strongroom import outside
from strongroom.errors import StrongroomError, Unavailable

Jwk = dict[str, Any]
MOST_KEYS = 64
log = structlog.get_logger()


@dataclass
class _Known:
    keys: tuple[Jwk, ...] = ()
    fetched: float = float("-inf")  # monotonic seconds of the last success
    tried: float = float("-inf")  # and of the last attempt, good or bad
    lock: threading.Lock = field(default_factory=threading.Lock)


class IssuerKeys:
    """The published keys of issuers, cached; a key that is not known is looked for again, but not at every word."""

    def __init__(
        self,
        *,
        floor: float,
        life: float,
        get: Callable[[str], tuple[Jwk, ...]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._floor, self._life, self._clock = floor, life, clock
        self._get = get or published
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def of(self, issuer: str, kid: str | None) -> tuple[Jwk, ...]:
        """Return the issuer's keys; they are fetched when old, or when none has this id and the floor has passed."""
        with self._lock:
            known = self._known.setdefault(issuer, _Known())
        with known.lock:  # who comes meanwhile waits for this fetch instead of making another one
            moment = self._clock()
            old = moment - known.fetched > self._life
            strange = not any(key.get("kid") == kid for key in known.keys)
            if (old or strange) and moment - known.tried >= self._floor:
                known.tried = moment
                self._fetch(issuer, known)
            return self._usable(known)

    def _fetch(self, issuer: str, known: _Known) -> None:
        try:
            known.keys, known.fetched = self._get(issuer), known.tried
        except StrongroomError as error:
            log.warning("issuer.unreachable", issuer=issuer, detail=error.detail or error.sentence)

    def _usable(self, known: _Known) -> tuple[Jwk, ...]:
        # What was withdrawn long ago must not live on because the issuer cannot be reached.
        if not known.keys or self._clock() - known.fetched > 2 * self._life:
            raise Unavailable("The issuer of this token cannot be asked for its keys now; try again in a minute.")
        return known.keys


def published(issuer: str) -> tuple[Jwk, ...]:
    """Return the signing keys that an issuer publishes; only an https issuer's, or a loopback one's on loopback."""
    loopback = urlsplit(issuer).scheme == "http"
    about = outside.get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", loopback=loopback)
    if not isinstance(about, dict) or about.get("issuer") != issuer or not isinstance(about.get("jwks_uri"), str):
        raise Unavailable("The issuer's discovery document is not its own.")
    found = outside.get_json(about["jwks_uri"], loopback=loopback)
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise Unavailable("The issuer's keys cannot be read.")
    good = tuple(key for key in keys if isinstance(key, dict) and _signs(key))
    if not good:
        raise Unavailable("The issuer publishes no key that signs with ES256 or RS256.")
    return good


def _signs(key: Jwk) -> bool:
    """Say whether a key may verify ES256 or RS256; a shared secret (`oct`) never does."""
    if key.get("use", "sig") != "sig" or key.get("alg", "ES256") not in ("ES256", "RS256"):
        return False
    curve = key.get("kty") == "EC" and key.get("crv") == "P-256"
    # 2048 bits are 342 characters of base64url.
    modulus = key.get("kty") == "RSA" and len(str(key.get("n", ""))) >= 342
    return curve or modulus
