"""The key broker: a process that alone holds long-lived keys, and gives none away but by its verbs (T2)."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from archive.keys.admit import admit
from archive.keys.adopt import adopt
from archive.keys.clear import clear
from archive.keys.desk import ACTOR, Desk, open_desk
from archive.keys.destroy import destroy
from archive.keys.export import export
from archive.keys.grant import grant
from archive.keys.hardening import keep_to_yourself
from archive.keys.members import members
from archive.keys.register import recipient, register_attempt, register_upload
from strongroom.audit import Entry, Event, append
from strongroom.database import transaction
from strongroom.doors import Caller, Message, listen, serve
from strongroom.errors import BadRequest, NotAllowed, StrongroomError
from strongroom.settings import Settings

log = structlog.get_logger()
Act = Callable[[Desk, Message], Message]


@dataclass(frozen=True)
class Verb:
    """What a caller may ask for: by whom, done how, and which field of the message names its subject."""

    callers: frozenset[int]
    act: Act
    subject: str


def verbs(settings: Settings) -> Mapping[str, Verb]:
    """Return all verbs; each has its own callers (T2)."""
    own = os.geteuid()
    supervisors = frozenset({0, own})
    services = frozenset({0, own, settings.uids.services})
    return {
        "grant": Verb(supervisors, grant, "order"),
        "register attempt": Verb(supervisors, register_attempt, "attempt"),
        "register dataset": Verb(services, register_upload, "object"),
        "recipient": Verb(services, recipient, "owner"),
        "export": Verb(services, export, "request"),
        "admit": Verb(services, admit, "request"),
        "adopt": Verb(services, adopt, "dataset"),
        "clear": Verb(services, clear, "run"),
        "members": Verb(services, members, "object"),
        "destroy": Verb(services, destroy, "owner"),
    }


def answerer(desk: Desk) -> Callable[[Message, Caller], Message]:
    """Return the function that answers the broker's door; a refusal is written down before it is told."""
    known = verbs(desk.settings)

    def answer(message: Message, caller: Caller) -> Message:
        name = _verb_name(message)
        verb = known.get(name)
        if verb is None:
            raise BadRequest("The broker has no such verb.")
        try:
            if caller.uid not in verb.callers:
                raise NotAllowed("This process may not ask the broker for this.")
            return verb.act(desk, message)
        except StrongroomError as error:
            _write_refusal(desk, name, message.get(verb.subject), error)
            raise

    return answer


def _verb_name(message: Message) -> str:
    verb = message.get("verb")
    if verb == "register":
        return "register attempt" if "attempt" in message else "register dataset"
    return verb if isinstance(verb, str) else ""


def _write_refusal(desk: Desk, verb: str, subject: object, error: StrongroomError) -> None:
    named = subject[:64] if isinstance(subject, str) and subject.isascii() and subject.isprintable() else "unknown"
    said = {"verb": verb, "reason": error.sentence[:300]}
    with transaction(desk.engine) as session:
        append(session, Entry(Event.KEYS_REFUSED, ACTOR, named, None, said))


def main(settings: Settings) -> None:
    """Be the broker process; `enrol` has made its folder before."""
    keep_to_yourself()
    os.umask(0o007)
    desk = open_desk(settings)
    allowed = frozenset(uid for verb in verbs(settings).values() for uid in verb.callers)
    door = listen(settings.sockets / "broker.sock")
    log.info("broker.ready", uid=os.geteuid())
    serve(door, allowed=allowed, answer=answerer(desk))
