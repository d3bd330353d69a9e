"""Who is asking: a bearer token becomes a person, a Unix peer becomes a service."""

import base64
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from strongroom.errors import NotSignedIn
from strongroom.networks import FederatedClient
from strongroom.settings import Settings

ALGORITHMS = ["ES256", "RS256"]  # GA4GH AAI 1.2: nothing else
_SUBJECT = re.compile(r"[!-?A-~]{1,120}")  # visible ASCII without @, which parts subject and issuer
KeysOf = Callable[[str, str | None], Iterable[dict[str, Any]]]
DEVELOPMENT = "development"
SITE_TOKEN_SECONDS = 300
DEVELOPMENT_ISSUER = "urn:strongroom:development-issuer"
DEVELOPMENT_AUDIENCE = "strongroom"


@dataclass(frozen=True)
class Person:
    """Somebody who signed in; `id` is subject@issuer, and what they may do stands in tables, not here.

    `client` names the federated client that an end user of another network comes through; such a person is known to
    TES alone, and `issuer` is where their token is from (T29).
    """

    id: str
    client: str | None = None
    issuer: str = ""


@dataclass(frozen=True)
class ServicePerson:
    """One of our own processes, known by the uid at the other end of a Unix socket."""

    id: str


@dataclass(frozen=True)
class TrustedIssuer:
    """An issuer with the keys that its tokens must be signed by."""

    name: str
    issuer: str
    audience: str
    keys: KeySet


def trusted_issuers(settings: Settings) -> tuple[TrustedIssuer, ...]:
    """Return the issuers that these settings accept; the development issuer only where they say so (T31)."""
    found = [
        TrustedIssuer(i.name, i.issuer, i.audience, KeySet.import_key_set(json.loads(i.jwks_file.read_text())))
        for i in settings.identity.issuers
    ]
    public = _public_file(settings)
    if settings.identity.development_issuer and public.exists():
        key = ECKey.import_key(json.loads(public.read_text()))
        found.append(TrustedIssuer(DEVELOPMENT, DEVELOPMENT_ISSUER, DEVELOPMENT_AUDIENCE, KeySet([key])))
    return tuple(found)


def person_of(token: str, issuers: tuple[TrustedIssuer, ...]) -> Person:
    """Return the person whom `token` proves; raise `NotSignedIn` for anything that is not proved now."""
    for trusted in issuers:
        try:
            claims = jwt.decode(token, trusted.keys, algorithms=ALGORITHMS).claims
            _registry(trusted).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        subject = claims.get("sub")
        if isinstance(subject, str) and _SUBJECT.fullmatch(subject):
            return Person(f"{subject}@{trusted.name}")
    raise NotSignedIn("This token is not valid here or has expired; sign in again.")


def claimed_issuer(token: str) -> str:
    """Return the `iss` that a token claims, proved by nothing; only to choose whose keys it is held against."""
    try:
        claims = json.loads(_decoded(token.split(".")[1]))
        issuer = claims.get("iss")
    except (IndexError, ValueError, AttributeError, RecursionError):
        return ""
    return issuer if isinstance(issuer, str) else ""


def end_user_of(token: str, clients: Iterable[FederatedClient], keys: KeysOf) -> Person:
    """Return the end user whom a federated client's token proves; raise `NotSignedIn` for anything else (T29).

    A seam for passports: their visas will say what this person may do, beside the tables of roles.
    """
    kid = _key_id(token)
    issuer = claimed_issuer(token)
    for client in clients:
        if client.issuer != issuer:
            continue
        try:
            # Without an id there is no guessing: the issuer has one key only.
            fitting = [key for key in keys(issuer, kid) if kid in (None, key.get("kid"))]
            found = KeySet.import_key_set({"keys": fitting if len(fitting) == 1 else []})
            trusted = TrustedIssuer(client.name, client.issuer, client.audience, found)
            claims = jwt.decode(token, trusted.keys, algorithms=ALGORITHMS).claims
            _registry(trusted).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        subject = claims.get("sub")
        if isinstance(subject, str) and _SUBJECT.fullmatch(subject):
            return Person(f"{subject}@{client.name}", client=client.name, issuer=client.issuer)
    raise NotSignedIn("This token is not valid here or has expired; sign in again.")


def _key_id(token: str) -> str | None:
    try:
        found = json.loads(_decoded(token.partition(".")[0])).get("kid")
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _registry(trusted: TrustedIssuer) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=5,
        iss={"essential": True, "value": trusted.issuer},
        aud={"essential": True, "value": trusted.audience},
        exp={"essential": True},
        sub={"essential": True},
    )


def make_development_issuer(settings: Settings) -> tuple[Path, ...]:
    """Make what is missing of the development issuer's key pair (private 0600); return the files that were made."""
    private, public = _private_file(settings), _public_file(settings)
    private.parent.mkdir(parents=True, exist_ok=True)
    made = []
    if not private.exists():
        key = ECKey.generate_key("P-256", private=True)
        made += [private] if _write(private, key.as_dict(private=True), mode=0o600) else []
    if not public.exists():
        key = ECKey.import_key(json.loads(private.read_text()))
        made += [public] if _write(public, key.as_dict(private=False), mode=0o644) else []
    return tuple(made)


def mint_token(settings: Settings, subject: str) -> str:
    """Return a bearer token of the development issuer for `subject`; it says who, never what (decision 7)."""
    if not settings.identity.development_issuer:
        raise NotSignedIn("The development issuer is off; get a token from your OIDC issuer.")
    private = _private_file(settings)
    if not private.exists():
        raise NotSignedIn("There is no development issuer here yet; start `strongroom serve` once.")
    key = ECKey.import_key(json.loads(private.read_text()))
    moment = int(time.time())
    claims: dict[str, Any] = {
        "iss": DEVELOPMENT_ISSUER,
        "aud": DEVELOPMENT_AUDIENCE,
        "sub": subject,
        "iat": moment,
        "exp": moment + settings.identity.token_seconds,
        "jti": secrets.token_hex(16),
    }
    return jwt.encode({"alg": "ES256"}, claims, key)


def make_federation_issuer(settings: Settings) -> tuple[Path, ...]:
    """Make the key (0600) that tokens for other sites are signed with, if there is none; return what was made."""
    file = _federation_file(settings)
    if file.exists():
        return ()
    file.parent.mkdir(parents=True, exist_ok=True)
    key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(8)}, private=True)
    return (file,) if _write(file, key.as_dict(private=True), mode=0o600) else ()


def federation_keys(settings: Settings) -> dict[str, Any]:
    """Return the JWKS by which other sites verify our tokens; public parts only."""
    key = _federation_key(settings)
    return {"keys": [{**key.as_dict(private=False), "alg": "ES256", "use": "sig"}]}


def token_for_site(settings: Settings, person: str, audience: str) -> str:
    """Return a token that tells another site whom a task is for: SUBJECT/ISSUER of a person here, for minutes."""
    key = _federation_key(settings)
    moment = int(time.time())
    claims: dict[str, Any] = {
        "iss": settings.federation_issuer,
        "aud": audience,
        "sub": person.replace("@", "/"),
        "iat": moment,
        "exp": moment + SITE_TOKEN_SECONDS,
        "jti": secrets.token_hex(16),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def _federation_key(settings: Settings) -> ECKey:
    try:
        return ECKey.import_key(json.loads(_federation_file(settings).read_text()))
    except OSError as error:
        raise NotSignedIn("This site speaks for nobody at other sites; name them in federation.sites.") from error


def _federation_file(settings: Settings) -> Path:
    return settings.home / "keys" / "federation-issuer.json"


def _private_file(settings: Settings) -> Path:
    return settings.home / "keys" / "development-issuer.json"


def _public_file(settings: Settings) -> Path:
    return settings.home / "keys" / "development-issuer.public.json"


def _write(path: Path, value: dict[str, Any], *, mode: int) -> bool:
    # Written whole under another name, then linked: of two that start at once, one wins and both read the same key.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(fresh, "x", opener=lambda p, flags: os.open(p, flags, mode)) as file:
            json.dump(value, file)
        fresh.chmod(mode)
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink(missing_ok=True)
    return True
