"""The door for federated tasks: asks for their outputs, and delivers what two stewards let out (T3, T29)."""

import base64
import hashlib
import io
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy import orm

from airlock import downloads, places, stops, submission
from airlock.deliveries import STEPS, DeliveryState
from airlock.downloads import Download
from airlock.moves import SYSTEM, append
from airlock.places import OWN
from airlock.release import Approved, check_bytes
from airlock.release_requests import RequestState
from airlock.store import Delivery, Release, ReleasedFile, ReleaseRequest, RequestFile, deliveries_of, files_of
from airlock.submission import Recipient
from sandbox.crypt4gh import seal_stream
from strongroom import outside, queue
from strongroom.audit import AuditEvent, Entry, Event
from strongroom.database import now, reading, transaction
from strongroom.errors import BadRequest, Conflict, NotAllowed, StrongroomError, Unavailable
from strongroom.networks import FederatedClient
from strongroom.objects import open_store
from strongroom.outside import Place
from strongroom.queue import Context
from strongroom.settings import Settings
from strongroom.states import step

DELIVER = "airlock.deliver"
DIGEST = "Strongroom-Digest"  # a Strongroom that takes the file registers it by this; others pass it over
SUBMIT = "airlock.submit_federated"
LONGEST_PAUSE = timedelta(minutes=30)
MOST_AT_ONCE = 32
S = DeliveryState
log = structlog.get_logger()


@dataclass(frozen=True)
class Going:
    """One leased delivery: what goes, where, and the client whose list of hosts it is held against."""

    id: str
    lease: str
    file: Approved
    download: Download
    url: str
    client: str
    digest: str


@dataclass(frozen=True)
class Arrived:
    """An output that was delivered: path relative to /run/work, URL, and bytes before sealing."""

    path: str
    url: str
    size: int


def request(
    session: orm.Session,
    *,
    run: str,
    person: str,
    client: str,
    urls: Mapping[str, str],
    purpose: str,
    settings: Settings,
) -> str:
    """Draft the release request of a federated task for the outputs in `urls` (path → URL); return its id."""
    row = submission.create(session, person, run=run, paths=sorted(urls), purpose=purpose, settings=settings)
    moment = now()
    session.add_all(
        Delivery(
            id=uuid.uuid4().hex,
            request=row.id,
            file=file.file,
            client=client,
            url=urls[file.path],
            url_sha256=digest_of(urls[file.path]),
            state=S.WAITING.value,
            attempts=0,
            next_try=moment,
        )
        for file in files_of(session, row.id)
    )
    session.flush()
    return row.id


def digest_of(url: str) -> str:
    """Return what is frozen of a URL (hex SHA-256)."""
    return places.digest_of(url)


def arrived(session: orm.Session, run: str) -> list[Arrived]:
    """Return the outputs of a federated run that were delivered, by path; before that there are none to tell of."""
    query = (
        sa.select(ReleasedFile.path, Delivery.url, ReleasedFile.size)
        .join(Delivery, sa.and_(Delivery.request == ReleasedFile.request, Delivery.file == ReleasedFile.file))
        .where(Delivery.request.in_(sa.select(ReleaseRequest.id).where(ReleaseRequest.run == run)))
        .where(Delivery.state == S.DELIVERED.value)
        .order_by(ReleasedFile.path)
    )
    return [Arrived(*row) for row in session.execute(query)]


@queue.sweep
def waiting(context: Context) -> Iterator[tuple[str, str]]:
    """Find federated requests that passed their scan, and released files that are not delivered."""
    with reading(context.engine) as session:
        due = sa.select(Delivery.id).where(Delivery.state == S.WAITING.value, Delivery.next_try <= now())
        due = due.join(ReleaseRequest, ReleaseRequest.id == Delivery.request).limit(MOST_AT_ONCE)
        ready = session.scalars(
            sa.select(ReleaseRequest.id)
            .where(ReleaseRequest.state == RequestState.READY.value)
            .where(
                sa.select(Delivery.id)
                .where(Delivery.request == ReleaseRequest.id, Delivery.client != OWN, Delivery.next_try <= now())
                .exists()
            )
            .limit(MOST_AT_ONCE)
        ).all()
        let_out = sa.select(Release.request).where(Release.request == Delivery.request).exists()
        going = session.scalars(due.where(let_out)).all()
    yield from ((SUBMIT, identifier) for identifier in ready)
    yield from ((DELIVER, identifier) for identifier in going)


@queue.job(SUBMIT)
def submit(context: Context, request_id: str) -> None:
    """Hand a federated request to the stewards, sealed to the client's key: files, key and URLs are frozen here."""
    with transaction(context.engine) as session:
        row = session.get(ReleaseRequest, request_id)
        places = deliveries_of(session, request_id)
        if row is None or row.state != RequestState.READY.value or not places:
            return
        if any(place.client == OWN for place in places.values()):
            return
        client = client_of(context.settings, next(iter(places.values())).client)
        try:
            if client is None:
                raise NotAllowed("This client is not served any more.")
            submission.submit(session, row, row.requester, recipient_of(client), settings=context.settings)
        except StrongroomError as error:
            log.warning("delivery.not_submitted", request=request_id, reason=error.sentence)
            for place in places.values():
                place.next_try, place.trouble = now() + LONGEST_PAUSE, error.sentence[:300]


def client_of(settings: Settings, name: str) -> FederatedClient | None:
    """Return a client that is configured now."""
    return next((one for one in settings.federation.clients if one.name == name), None)


def recipient_of(client: FederatedClient) -> Recipient:
    """Return the key that everything released to a client is sealed to."""
    return Recipient(hashlib.sha256(base64.b64decode(client.recipient)).hexdigest(), client.recipient)


@queue.job(DELIVER)
def deliver(context: Context, delivery: str) -> None:
    """Deliver one released file; safe to repeat, for the same bytes go to the same place each time."""
    try:
        going = begin(context, delivery)
        if going is None:
            return
    except StrongroomError as error:
        _put_back(context, delivery, error, lease=None)
        return
    try:
        send(context.settings, going)
    except (StrongroomError, OSError) as error:
        _put_back(context, delivery, error, lease=going.lease)
        return
    with transaction(context.engine) as session:
        row = session.get_one(Delivery, delivery)
        if row.state != S.WAITING.value:
            return
        row.state, row.delivered, row.lease, row.trouble = (
            step(STEPS, S.WAITING, S.DELIVERED).value,
            now(),
            None,
            None,
        )
        project = session.get_one(ReleaseRequest, row.request).project
        facts = {"file": row.file, "url_sha256": row.url_sha256, "body_sha256": going.file.body_sha256}
        append(session, Entry(Event.RELEASE_DELIVERED, SYSTEM, row.request, project, facts))


def begin(context: Context, delivery: str) -> Going | None:
    """Lease a delivery; None unless its file is released now; raise where the place is not the frozen one."""
    with transaction(context.engine) as session:
        row = session.get(Delivery, delivery)
        if row is None or row.state != S.WAITING.value or row.next_try > now():
            return None
        asked, made = session.get_one(ReleaseRequest, row.request), session.get(Release, row.request)
        released = session.get(ReleasedFile, (row.request, row.file))
        if made is None or released is None:
            return None
        if asked.state != RequestState.RELEASED.value or made.revoked is not None or made.expires <= now():
            row.state, row.trouble = step(STEPS, S.WAITING, S.FAILED).value, "The release ended before the delivery."
            facts = {"file": row.file, "url_sha256": row.url_sha256, "reason": row.trouble}
            append(session, Entry(Event.DELIVERY_REFUSED, SYSTEM, row.request, asked.project, facts))
            return None
        stops.check_running(session)
        check_frozen(session, asked, row)
        file = session.get_one(RequestFile, (row.request, row.file))
        if file.object != released.object or file.body_sha256 != released.body_sha256:
            raise Conflict("The released bytes are not those that were reviewed; nothing was delivered.")
        row.lease = uuid.uuid4().hex
        row.next_try = now() + timedelta(seconds=context.settings.federation.delivery_seconds + 60)
        download = Download(
            released.path, released.object, released.header, released.body_sha256, released.body_length
        )
        approved = Approved(row.file, released.object, released.body_sha256)
        digest = sealed_digest(released.sha256, asked.recipient or "")
        return Going(row.id, row.lease, approved, download, row.url, row.client, digest)


def sealed_digest(sha256: str, recipient: str) -> str:
    """Return a plaintext's digest (hex) sealed to the recipient, in base64: it crosses proxies unread (T8)."""
    body = io.BytesIO()
    sealed = seal_stream(io.BytesIO(bytes.fromhex(sha256)).readinto, body.write, base64.b64decode(recipient))
    return base64.b64encode(sealed.header + body.getvalue()).decode()


def check_frozen(session: orm.Session, asked: ReleaseRequest, row: Delivery) -> None:
    """Raise unless the URL is the one that the log froze when the request went to the stewards (T29)."""
    event = session.get(AuditEvent, asked.submitted_seq) if asked.submitted_seq is not None else None
    said = json.loads(bytes(event.body)) if event is not None else {}
    places = said.get("facts", {}).get("deliveries", {})
    if (
        said.get("subject") != asked.id
        or places.get(row.file) != row.url_sha256
        or digest_of(row.url) != row.url_sha256
    ):
        raise Conflict("The place is not the one that the stewards saw; nothing was delivered.")


def send(settings: Settings, going: Going) -> None:
    """Send the file: the host is held against the list and looked up again, the bytes against the review (T29)."""
    place = checked_place(settings, going)
    address = outside.resolved(place, unsafe=settings.federation.unsafe_hosts)
    check_bytes(settings, going.file)
    chunks = downloads.stream(open_store(settings), going.download)
    seconds = settings.federation.delivery_seconds
    status = outside.put(
        place, address, chunks=chunks, length=going.download.length, seconds=seconds, more={DIGEST: going.digest}
    )
    if not 200 <= status < 300:
        raise Unavailable(f"{place.name} did not take the file: it answered {status}.")


def checked_place(settings: Settings, going: Going) -> Place:
    """Return where a file goes if its client, or a researcher here, may deliver there still."""
    hosts = settings.airlock.output_hosts
    if going.client != OWN:
        client = client_of(settings, going.client)
        if client is None:
            raise NotAllowed("This client is not served any more.")
        hosts = client.output_hosts
    place = outside.parse_place(going.url, "outputs")
    outside.check_listed(place, allowed=hosts, unsafe=settings.federation.unsafe_hosts, field="outputs")
    return place


def _put_back(context: Context, delivery: str, error: Exception, *, lease: str | None) -> None:
    sentence = error.sentence if isinstance(error, StrongroomError) else "The delivery broke off."
    log.warning("delivery.failed", delivery=delivery, reason=sentence, detail=getattr(error, "detail", ""))
    with transaction(context.engine) as session:
        row = session.get(Delivery, delivery)
        if row is None or row.state != S.WAITING.value or row.lease not in (None, lease):
            return
        told_before, row.trouble = row.trouble == sentence, sentence[:300]
        row.lease, row.attempts = None, row.attempts + 1
        row.next_try = now() + min(timedelta(seconds=2 ** min(row.attempts, 11)), LONGEST_PAUSE)
        if isinstance(error, NotAllowed | Conflict | BadRequest) and not told_before:
            project = session.get_one(ReleaseRequest, row.request).project
            facts = {"file": row.file, "url_sha256": row.url_sha256, "reason": sentence}
            append(session, Entry(Event.DELIVERY_REFUSED, SYSTEM, row.request, project, facts))
