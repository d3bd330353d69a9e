"""Names the persons that a list of members may hold, for the jail that reads it (the broker's verb `members`, T7)."""

import secrets

from archive.keys.desk import Desk
from archive.keys.orders import object_id
from archive.keys.purposes import Kind, Role
from archive.keys.standing import stored_objects
from archive.labels import MOST, digest
from strongroom.database import reading
from strongroom.doors import Message
from strongroom.errors import BadRequest, NotAllowed


def members(desk: Desk, message: Message) -> Message:
    """Return a key of this one question, hashes of all persons whom the object may be about, and their names.

    The hashes are in rising order, the names in theirs. A name is an HMAC under a key that never leaves this process:
    the same in all projects, so that cohorts can be compared, and nobody else can say whose it is. There are no
    hashes where there are more persons than a jail takes.
    """
    if set(message) != {"verb", "object"}:
        raise BadRequest("members: send the object that lists them, and nothing else.")
    wanted = object_id(message["object"])
    with reading(desk.engine) as session:
        objects = [desk.believed(row) for row in stored_objects(session, [wanted])]
    if not objects or objects[0].facts.kind != Kind.TASK or objects[0].facts.role != Role.OUTPUT:
        raise NotAllowed("Only what a task of a run wrote can be a list of members.")
    persons = objects[0].facts.persons
    key = secrets.token_bytes(32)
    by_digest = {digest(person, key): person for person in persons} if len(persons) <= MOST else {}
    told = sorted(by_digest)
    return {
        "key": key.hex(),
        "digests": b"".join(told).hex(),
        "names": "".join(desk.keyring.pseudonym(by_digest[one]) for one in told),
    }
