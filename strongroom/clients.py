"""Who asks where federated clients are let in: a person or service of ours, or an end user of another network."""

import contextlib
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from strongroom import identity
from strongroom.discovery import IssuerKeys
from strongroom.errors import NotSignedIn
from strongroom.http import whoever
from strongroom.identity import Person, ServicePerson
from strongroom.settings import Settings

_bearer = HTTPBearer(auto_error=False)


def issuer_keys(settings: Settings) -> IssuerKeys:
    """Return the cache of federated issuers' keys, empty."""
    return IssuerKeys(floor=settings.federation.keys_floor_seconds, life=settings.federation.keys_seconds)


async def client_asks(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Person | ServicePerson:
    """Return who asks; only a token that claims a configured client's issuer is held against that issuer's keys."""
    clients = request.app.state.settings.federation.clients
    if bearer is not None and clients:
        issuer = identity.claimed_issuer(bearer.credentials)
        if any(client.issuer == issuer for client in clients):
            keys: IssuerKeys = request.app.state.issuer_keys
            with contextlib.suppress(NotSignedIn):  # an issuer may have persons who sign in here, too
                return await run_in_threadpool(identity.end_user_of, bearer.credentials, clients, keys.of)
    return whoever(request, bearer)


WhoOrClient = Annotated[Person | ServicePerson, Depends(client_asks)]
