"""The signer: a process that issues one work order for each attempt, and puts its name to the log's head."""

import os
import secrets
import threading
import time

import sqlalchemy as sa
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive.keys.hardening import keep_to_yourself
from archive.keys.orders import LIFE_SECONDS, ORDER_TYPE, Asking, Order, OrderRefused, parse_asking
from archive.keys.trust import load_private
from archive.store import Claim
from strongroom.audit import Entry, Event, SignedHead, append, head
from strongroom.audit_heads import sign_head
from strongroom.database import now, open_database, plainly, reading, transaction
from strongroom.doors import Caller, Message, listen, serve
from strongroom.dsse import sign
from strongroom.errors import BadRequest
from strongroom.settings import Settings

ACTOR = "archive.signer"
# Made once: each attempt comes by here.
_CLAIMED = sa.select(Claim.attempt).where(Claim.attempt == sa.bindparam("attempt"))
_CLAIM = sa.insert(Claim.metadata.tables[Claim.__tablename__])
HEADS_EVERY_SECONDS = 10
log = structlog.get_logger()


class ClaimRefused(OrderRefused):
    """The attempt was claimed before: whoever claims it now is not the child that was started for it (T1)."""


def order(engine: sa.Engine, key: Ed25519PrivateKey, message: Message) -> Message:
    """Return a work order for an attempt that nobody has claimed; the claim stands before the answer goes."""
    if message.get("verb") != "order":
        raise BadRequest("The signer has no such verb.")
    asking = parse_asking({name: value for name, value in message.items() if name != "verb"})
    issued = int(time.time())
    made = Order(asking, secrets.token_hex(16), issued, issued + LIFE_SECONDS)
    envelope = sign(ORDER_TYPE, made.statement(), key)
    with transaction(engine) as session:
        refused = plainly(session, _CLAIMED, {"attempt": asking.attempt}).first() is not None
        if refused:
            said = {"kind": asking.kind.value, "spec_sha256": asking.spec_sha256}
            append(session, Entry(Event.CLAIM_REFUSED, ACTOR, asking.attempt, asking.project, said))
        else:
            plainly(session, _CLAIM, _claim(made))
            append(session, _issued(asking, made))
    if refused:
        log.error("claim.refused", attempt=asking.attempt, alarm=True)
        raise ClaimRefused("This attempt was claimed before; an attempt is claimed once.")
    return {"order": envelope}


def _claim(made: Order) -> dict[str, object]:
    asking = made.asking
    return {
        "attempt": asking.attempt,
        "kind": asking.kind.value,
        "decision": asking.decision,
        "project": asking.project,
        "spec_sha256": asking.spec_sha256,
        "public_key": asking.public_key,
        "jti": made.jti,
        "claimed": now(),
    }


def _issued(asking: Asking, made: Order) -> Entry:
    said = {
        "kind": asking.kind.value,
        "decision": asking.decision,
        "person": asking.person,
        "jti": made.jti,
        "spec_sha256": asking.spec_sha256,
        "public_key": asking.public_key,
    }
    return Entry(Event.ORDER_ISSUED, ACTOR, asking.attempt, asking.project, said)


def sign_new_head(engine: sa.Engine, key: Ed25519PrivateKey) -> bool:
    """Sign the log's head if it has grown since; say whether it had."""
    with reading(engine) as session:
        size, _ = head(session)
        if not size or session.get(SignedHead, size) is not None:
            return False
    with transaction(engine) as session:
        sign_head(session, key)
    return True


def _sign_heads_for_ever(engine: sa.Engine, key: Ed25519PrivateKey) -> None:
    while True:
        try:
            sign_new_head(engine, key)
        except Exception:
            log.exception("signer.head_failure")
        time.sleep(HEADS_EVERY_SECONDS)


def main(settings: Settings) -> None:
    """Be the signer process; `enrol` has made its folder before."""
    keep_to_yourself()
    os.umask(0o007)
    key = load_private(settings.home / "signer" / "key.pem")
    engine = open_database(settings.database, joined=settings.joined)

    def answer(message: Message, _caller: Caller) -> Message:
        return order(engine, key, message)

    door = listen(settings.sockets / "signer.sock")
    threading.Thread(target=_sign_heads_for_ever, args=(engine, key), name="heads", daemon=True).start()
    log.info("signer.ready", uid=os.geteuid())
    serve(door, allowed={0, os.geteuid()}, answer=answer)
