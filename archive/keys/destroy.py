"""Destroys the keys of a dataset, a run, a quarantine or an airlock, and the headers that they sealed (`destroy`)."""

import sqlalchemy as sa

from archive.keys.desk import ACTOR, Desk
from archive.keys.purposes import KeyName, Purpose
from archive.store import StoredObject
from strongroom.audit import Entry, Event, append
from strongroom.database import transaction
from strongroom.doors import Message
from strongroom.errors import BadRequest


def destroy(desk: Desk, message: Message) -> Message:
    """Overwrite every version of the key; what it sealed can be opened by nobody from then on."""
    owner = message.get("owner")
    if set(message) != {"verb", "purpose", "owner"} or not isinstance(owner, str):
        raise BadRequest("destroy: send the purpose and the owner of the key, and nothing else.")
    try:
        purpose = Purpose(message["purpose"])
    except ValueError as error:
        raise BadRequest("purpose: store, run, airlock or quarantine.") from error
    if purpose is Purpose.HMAC:
        raise BadRequest("purpose: store, run, airlock or quarantine; an HMAC key goes with its owner's.")
    name = KeyName(purpose, owner)
    with transaction(desk.engine) as session:
        destroyed = desk.keyring.destroy(session, name)
        session.execute(
            sa.update(StoredObject)
            .where(StoredObject.purpose == purpose.value, StoredObject.owner == owner)
            .values(header=None, sealed_sha256=None)
        )
        said = {"purpose": purpose.value, "secrets": destroyed}
        append(session, Entry(Event.KEY_DESTROYED, ACTOR, owner, None, said))
    desk.keyring.forget(name)
    return {"destroyed": destroyed}
