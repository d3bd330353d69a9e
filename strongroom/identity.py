"""Who is asking: a bearer token becomes a person, a Unix peer becomes a service."""

import base64
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from strongroom.errors import NotSignedIn, StepUpNeeded
from strongroom.issuers import Issuer
from strongroom.networks import FederatedClient
from strongroom.settings import Settings

ALGORITHMS = ["ES256", "RS256"]  # GA4GH AAI 1.2: nothing else
_SUBJECT = re.compile(r"[!-?A-~]{1,120}")  # visible ASCII without @, which parts subject and issuer
KeysOf = Callable[[str, str | None], Iterable[dict[str, Any]]]
MOST_TOKENS = 1024  # of an issuer, whose signatures are remembered
DEVELOPMENT = "development"
SITE_TOKEN_SECONDS = 300
DEVELOPMENT_ISSUER = "urn:strongroom:development-issuer"
DEVELOPMENT_AUDIENCE = "strongroom"
DEVELOPMENT_STEP_UP = "urn:strongroom:step-up"


@dataclass(frozen=True)
class Person:
    """Somebody who signed in; `id` is subject@issuer, and what they may do stands in tables, not here.

    `client` names the federated client that an end user of another network comes through; such a person is known to
    TES alone, and `issuer` is where their token is from (T29).
    """

    id: str
    client: str | None = None
    issuer: str = ""
    # Unix seconds of the last time that a second factor was shown; None where the token does not say so (T20).
    stepped_up: int | None = field(default=None, compare=False)


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
    step_up_acr: tuple[str, ...] = ()
    # Claims that these keys signed, by the token's SHA-256: clients send the same one for an hour.
    signed: dict[bytes, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)


def trusted_issuers(settings: Settings) -> tuple[TrustedIssuer, ...]:
    """Return the issuers that these settings accept; the development issuer only where they say so (T31)."""
    found = [_trusted(one, one.audience) for one in settings.identity.issuers]
    public = _public_file(settings)
    if settings.identity.development_issuer and public.exists():
        key = ECKey.import_key(json.loads(public.read_text()))
        keys, acr = KeySet([key]), (DEVELOPMENT_STEP_UP,)
        found.append(TrustedIssuer(DEVELOPMENT, DEVELOPMENT_ISSUER, DEVELOPMENT_AUDIENCE, keys, acr))
    return tuple(found)


def trusted_client(issuer: Issuer) -> TrustedIssuer:
    """Return the issuer as our own client there knows it: its ID tokens are made for the client's id."""
    return _trusted(issuer, issuer.client_id)


def person_of(token: str, issuers: tuple[TrustedIssuer, ...]) -> Person:
    """Return the person whom `token` proves; raise `NotSignedIn` for anything that is not proved now."""
    for trusted in issuers:
        claims = _claims(token, trusted)
        if (subject := _subject_in(claims)) is not None:
            return Person(f"{subject}@{trusted.name}", stepped_up=_stepped_up(claims, trusted))
    raise NotSignedIn("This token is not valid here or has expired; sign in again.")


def person_signed_in(token: str, trusted: TrustedIssuer, *, nonce: str) -> Person:
    """Return whom an ID token proves that answers to our `nonce`; the audience is our client (OIDC Core 3.1.3.7)."""
    claims = _claims(token, trusted)
    subject = _subject_in(claims)
    if subject is None or not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise NotSignedIn("Your issuer's answer cannot be believed; sign in again.")
    if claims.get("azp", trusted.audience) != trusted.audience:
        raise NotSignedIn("Your issuer's answer is for another client; sign in again.")
    return Person(f"{subject}@{trusted.name}", stepped_up=_stepped_up(claims, trusted))


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
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        subject = _subject_in(_claims(token, TrustedIssuer(client.name, client.issuer, client.audience, found)))
        if subject is not None:
            return Person(f"{subject}@{client.name}", client=client.name, issuer=client.issuer)
    raise NotSignedIn("This token is not valid here or has expired; sign in again.")


def _trusted(issuer: Issuer, audience: str) -> TrustedIssuer:
    keys = KeySet.import_key_set(json.loads(issuer.jwks_file.read_text()))
    return TrustedIssuer(issuer.name, issuer.issuer, audience, keys, issuer.step_up_acr)


def _claims(token: str, trusted: TrustedIssuer) -> dict[str, Any]:
    """Return the claims of a token that this issuer signed and that is good now, or none."""
    try:
        claims = _signed(token, trusted)
        _registry(trusted).validate(claims)
    except (JoseError, ValueError, KeyError, TypeError):
        return {}
    return claims


def _signed(token: str, trusted: TrustedIssuer) -> dict[str, Any]:
    digest = hashlib.sha256(token.encode()).digest()
    claims = trusted.signed.get(digest)
    if claims is None:
        claims = jwt.decode(token, trusted.keys, algorithms=ALGORITHMS).claims
        if len(trusted.signed) >= MOST_TOKENS:
            trusted.signed.clear()
        trusted.signed[digest] = claims
    return dict(claims)


def _stepped_up(claims: dict[str, Any], trusted: TrustedIssuer) -> int | None:
    moment = claims.get("auth_time")
    shown = type(moment) is int and claims.get("acr") in trusted.step_up_acr
    return moment if shown else None


def _subject_in(claims: dict[str, Any]) -> str | None:
    subject = claims.get("sub")
    return subject if isinstance(subject, str) and _SUBJECT.fullmatch(subject) else None


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


def check_stepped_up(settings: Settings, person: Person, *, moment: int) -> None:
    """Raise `StepUpNeeded` unless this person showed a second factor in the last minutes (T20)."""
    if person.id.endswith(f"@{DEVELOPMENT}") and not settings.identity.step_up_of_development:
        return
    shown, most = person.stepped_up, settings.identity.step_up_seconds
    if shown is None or not -5 <= moment - shown <= most:
        raise StepUpNeeded(
            "Sign in again with your second factor: this needs a sign-in of the last minutes.", seconds=most
        )


def mint_token(settings: Settings, subject: str, *, step_up: bool = False) -> str:
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
        **({"acr": DEVELOPMENT_STEP_UP, "auth_time": moment} if step_up else {}),
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
