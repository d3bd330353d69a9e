"""Gives an attempt the headers of its inputs, re-wrapped to its one-time key (the broker's verb `grant`)."""

import base64
import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import Decision, GrantFacts
from archive.keys.desk import ACTOR, Believed, Desk
from archive.keys.keyring import OpenKey
from archive.keys.orders import ORDER_TYPE, Asking, Order, OrderRefused, check_fresh, parse_order
from archive.keys.purposes import Kind, Purpose, recipient_of
from archive.keys.rights import Standing, check_images, check_objects, check_rights, check_vetted
from archive.keys.standing import standing_of, stored_objects
from archive.store import Claim, Grant, SpentOrder
from strongroom.audit import Entry, Event, append
from strongroom.database import now, plainly, reading, transaction
from strongroom.doors import Message
from strongroom.dsse import verify
from strongroom.errors import BadRequest

GRANT_SECONDS = 7 * 24 * 3600
# Made once: each attempt comes by here.
_SPENT = sa.select(SpentOrder.jti).where(SpentOrder.jti == sa.bindparam("jti")).exists()
_GRANTED = sa.select(Grant.attempt).where(Grant.attempt == sa.bindparam("attempt")).exists()
_CLAIM = sa.select(Claim.jti, (_SPENT | _GRANTED).label("spent")).where(Claim.attempt == sa.bindparam("attempt"))
_SPEND, _ADD_GRANT = (sa.insert(one.metadata.tables[one.__tablename__]) for one in (SpentOrder, Grant))


def grant(desk: Desk, message: Message) -> Message:
    """Return the signed grant for a work order; every rule is asked again here, whatever anybody asked before."""
    order = _redeemable(desk, message)
    asking = order.asking
    with reading(desk.engine) as session:
        rows = stored_objects(session, asking.objects)
        standing = standing_of(session, asking, rows)
    decision = check_rights(asking, standing, now())
    objects = [desk.believed(row) for row in rows]
    _check_objects(desk, asking, standing, decision=decision, objects=objects)
    recipient = base64.b64decode(asking.public_key)
    headers = {one.facts.object: desk.rewrapped(one, recipient) for one in objects}
    key = desk.keyring.current(recipient_of(asking.kind, run=asking.decision, project=asking.project))
    facts = _facts(asking, decision, objects, key=key)
    envelope = desk.seals.envelope(_answer(asking, headers, key=key, expires=facts.expires))
    row = {**facts.statement(), "signature": desk.seals.sign_grant(facts)}
    with transaction(desk.engine) as session:
        # A revocation that was committed before this line is obeyed; a later one finds the grant in the log.
        check_rights(asking, standing_of(session, asking, rows), now())
        _check_unspent(session, order)
        plainly(session, _SPEND, {"jti": order.jti, "attempt": asking.attempt, "spent": now()})
        plainly(session, _ADD_GRANT, {**row, "granted": now(), "registered_digest": None})
        append(session, _entry(order, facts))
    return {"grant": envelope}


def _redeemable(desk: Desk, message: Message) -> Order:
    envelope = message.get("order")
    if set(message) != {"verb", "order"} or not isinstance(envelope, dict):
        raise BadRequest("grant: send the work order, and nothing else.")
    try:
        order = parse_order(verify(envelope, ORDER_TYPE, desk.order_keys))
    except (AttributeError, TypeError, KeyError) as error:
        raise OrderRefused("This work order cannot be read.") from error
    check_fresh(order, time.time())
    return order


def _check_unspent(session: orm.Session, order: Order) -> None:
    claim = plainly(session, _CLAIM, {"jti": order.jti, "attempt": order.asking.attempt}).one_or_none()
    if claim is None or claim.jti != order.jti:
        raise OrderRefused("This attempt was not claimed with this work order.")
    if claim.spent:
        raise OrderRefused("This work order was redeemed before; each is good once.")


def _check_objects(
    desk: Desk, asking: Asking, standing: Standing, *, decision: Decision, objects: Sequence[Believed]
) -> None:
    if asking.kind is Kind.TASK:
        vetted = desk.trust.vetted(dict(decision.envelope))
        check_vetted(vetted, decision, signatures=desk.settings.vetting.signatures)
        check_images(asking, vetted=vetted, checks_image=None)
    else:
        check_images(asking, vetted=None, checks_image=desk.trust.checks_image())
    check_objects(asking, decision, [one.facts for one in objects], standing.datasets)


def _facts(asking: Asking, decision: Decision, objects: Sequence[Believed], *, key: OpenKey) -> GrantFacts:
    persons = {person for one in objects for person in one.facts.persons}
    ancestors = {name for one in objects for name in one.facts.ancestors}
    ancestors |= {one.facts.owner for one in objects if one.facts.purpose == Purpose.STORE}
    return GrantFacts(
        attempt=asking.attempt,
        kind=asking.kind.value,
        decision=decision.run,
        project=decision.project,
        person=asking.person,
        persons=tuple(sorted(persons)),
        ancestors=tuple(sorted(ancestors)),
        recipient_purpose=key.name.purpose.value,
        recipient_owner=key.name.owner,
        key_version=key.version,
        signing_key=asking.signing_key,
        policy_version=decision.policy_version,
        expires=int(time.time()) + GRANT_SECONDS,
    )


def _answer(asking: Asking, headers: dict[str, str], *, key: OpenKey, expires: int) -> Message:
    return {
        "attempt": asking.attempt,
        "public_key": asking.public_key,
        "signing_key": asking.signing_key,
        "spec_sha256": asking.spec_sha256,
        "recipient": base64.b64encode(key.public).decode(),
        "headers": headers,
        "expires": expires,
    }


def _entry(order: Order, facts: GrantFacts) -> Entry:
    asking = order.asking
    said = {
        "kind": facts.kind,
        "decision": facts.decision,
        "person": facts.person,
        "objects": sorted(asking.objects),
        "images": sorted(asking.images),
        "spec_sha256": asking.spec_sha256,
        "jti": order.jti,
    }
    return Entry(Event.KEYS_GRANTED, ACTOR, asking.attempt, asking.project, said)
