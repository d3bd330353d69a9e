"""Publishes the key by which other sites verify for whom our runs ask (OpenID Connect Discovery 1.0)."""

from typing import Any

from fastapi import APIRouter, Request

from strongroom import identity
from strongroom.errors import NotFound

router = APIRouter(prefix="/federation")


@router.get("/.well-known/openid-configuration")
def configuration(request: Request) -> dict[str, Any]:
    """Return what a verifier needs: who we are, and where our key is."""
    settings = request.app.state.settings
    if not settings.federation.sites:
        raise NotFound("There is nothing here.")
    issuer = settings.federation_issuer
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "id_token_signing_alg_values_supported": ["ES256"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
    }


@router.get("/jwks")
def keys(request: Request) -> dict[str, Any]:
    """Return the public key."""
    settings = request.app.state.settings
    if not settings.federation.sites:
        raise NotFound("There is nothing here.")
    return identity.federation_keys(settings)
