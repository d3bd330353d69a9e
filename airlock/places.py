"""Names where released files go instead of being fetched: presigned URLs of the requester's own storage."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import orm

from airlock.deliveries import DeliveryState
from airlock.store import Delivery, ReleaseRequest, files_of
from strongroom.database import now
from strongroom.errors import BadRequest
from strongroom.outside import check_listed, parse_place
from strongroom.settings import Settings

OWN: Final = "own"  # not the name of a client: a request of a researcher here
FIELD = "deliver_to"


def digest_of(url: str) -> str:
    """Return what is frozen of a URL (hex SHA-256)."""
    return hashlib.sha256(url.encode()).hexdigest()


def name_places(session: orm.Session, row: ReleaseRequest, places: Mapping[str, str], settings: Settings) -> None:
    """Keep where each file goes, instead of what an earlier turn said; only listed hosts are accepted (T29)."""
    leaving = {file.path: file.file for file in files_of(session, row.id)}
    if not set(places) <= set(leaving):
        raise BadRequest(f"{FIELD}: paths of files of this request that are to leave.")
    for url in places.values():
        unsafe = settings.federation.unsafe_hosts
        check_listed(parse_place(url, FIELD), allowed=settings.airlock.output_hosts, unsafe=unsafe, field=FIELD)
    session.execute(
        sa.delete(Delivery).where(
            Delivery.request == row.id, Delivery.client == OWN, Delivery.state == DeliveryState.WAITING.value
        )
    )
    moment = now()
    session.add_all(
        Delivery(
            id=uuid.uuid4().hex,
            request=row.id,
            file=leaving[path],
            client=OWN,
            url=url,
            url_sha256=digest_of(url),
            state=DeliveryState.WAITING.value,
            attempts=0,
            next_try=moment,
        )
        for path, url in places.items()
    )
    session.flush()
