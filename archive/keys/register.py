"""Signs the row of a newly sealed object (the broker's verb `register`): an attempt's outputs, or an upload."""

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive.facts import GrantFacts, ObjectFacts
from archive.keys.desk import ACTOR, Desk, opened_header
from archive.keys.keyring import OpenKey
from archive.keys.notes import open_note
from archive.keys.orders import object_id
from archive.keys.outputs import (
    Body,
    Output,
    check_may_register,
    parse_body,
    parse_bytes,
    parse_label,
    parse_name,
    parse_outputs,
)
from archive.keys.purposes import UPLOAD, KeyName, Kind, Purpose, Role
from archive.keys.standing import AT_ONCE
from archive.store import Dataset, DatasetFile, DecisionRecord, Grant, StoredObject, UsedDataKey
from sandbox.signing import FIELD as SIGNATURE
from sandbox.signing import NotSigned, check_signed
from strongroom.audit import Entry, Event, append
from strongroom.canonical import digest
from strongroom.database import now, plainly, reading, transaction
from strongroom.doors import Message
from strongroom.errors import BadRequest, Conflict, NotAllowed, NotFound

UPLOAD_FIELDS = frozenset(
    {"verb", "dataset", "name", "persons", "person", "object", "header", "digest"}
    | {"size", "body_length", "body_sha256", "segments", "clear"}
)
MOST_PERSONS = 100_000
LONGEST_NOTE = 1 << 10
# Made once, and plain: each attempt comes by here, and the ORM would cost it several times as much.
_OBJECTS, _MARKS, _GRANTS, _DECISIONS = (
    one.metadata.tables[one.__tablename__] for one in (StoredObject, UsedDataKey, Grant, DecisionRecord)
)
_GRANT = sa.select(_GRANTS).where(_GRANTS.c.attempt == sa.bindparam("attempt"))
_STANDS = (
    sa.select(_GRANTS.c.registered_digest, _DECISIONS.c.run, _DECISIONS.c.closed_at)
    .outerjoin(_DECISIONS, _DECISIONS.c.run == sa.bindparam("run"))
    .where(_GRANTS.c.attempt == sa.bindparam("attempt"))
)
_REGISTER = sa.update(_GRANTS).where(_GRANTS.c.attempt == sa.bindparam("of"))
_ADD_OBJECTS, _ADD_MARKS = sa.insert(_OBJECTS), sa.insert(_MARKS)
_KNOWN = {
    column: sa.select(column).where(column.in_(sa.bindparam("values", expanding=True))).limit(1)
    for column in (_MARKS.c.mark, _OBJECTS.c.id)
}


@dataclass(frozen=True)
class Made:
    """The columns of a row that was signed and waits for its transaction, and the mark of its data key."""

    row: Mapping[str, Any]
    mark: str


def recipient(desk: Desk, message: Message) -> Message:
    """Return the public key of a dataset, or of the quarantine before it; there is no other free choice (T2)."""
    if set(message) != {"verb", "purpose", "owner"}:
        raise BadRequest("recipient: send the purpose and the owner of the key, and nothing else.")
    with reading(desk.engine) as session:
        name = _recipient_name(_open_dataset(session, message["owner"]), message["purpose"])
    return {"public_key": base64.b64encode(desk.keyring.current(name).public).decode()}


def register_attempt(desk: Desk, message: Message) -> Message:
    """Sign what an attempt left, under the owner and the lineage that its grant says."""
    if set(message) != {"verb", "attempt", "outputs", SIGNATURE}:
        raise BadRequest("register: send the attempt, its outputs and its signature, and nothing else.")
    outputs = parse_outputs(message["outputs"])
    attempt = object_id(message["attempt"], "attempt")
    with reading(desk.engine) as session:
        found = plainly(session, _GRANT, {"attempt": attempt}).mappings().one_or_none()
    if found is None:
        raise NotAllowed("No keys were given to this attempt.")
    granted = Grant(**found)  # which no session holds
    facts = granted.facts()
    desk.seals.check_grant(facts, granted.signature)
    _check_own(message, facts)
    check_may_register(facts, outputs, moment=time.time())
    key = desk.keyring.opened(KeyName(Purpose(facts.recipient_purpose), facts.recipient_owner), facts.key_version)
    made = [_output(desk, key, facts, one) for one in outputs]
    said = digest({"attempt": attempt, "outputs": message["outputs"]})
    with transaction(desk.engine) as session:
        stands = plainly(session, _STANDS, {"attempt": attempt, "run": facts.decision}).one()
        if stands.registered_digest == said:
            return {}  # the same words again, because the answer was lost
        if stands.registered_digest is not None:
            raise Conflict("This attempt has registered its outputs already.")
        if stands.run is None or (facts.kind == Kind.TASK and stands.closed_at is not None):
            raise NotAllowed("The run has ended; what its tasks write now is not kept.")
        plainly(session, _REGISTER, {"of": attempt, "registered_digest": said})
        _add(session, made)
        append(session, Entry(Event.OBJECT_REGISTERED, ACTOR, attempt, facts.project, _said(facts.decision, made)))
    return {}


def _check_own(message: Message, grant: GrantFacts) -> None:
    # T22: whoever carries these words, only the process that claimed the attempt can have said them.
    try:
        check_signed(message, base64.b64decode(grant.signing_key))
    except NotSigned as error:
        raise NotAllowed("This is not signed with the key that the attempt claimed with.") from error


def register_upload(desk: Desk, message: Message) -> Message:
    """Sign a file that was uploaded into a dataset or its quarantine; its digest comes sealed to that key (T8).

    T17: that engines may read it is said now or never. No data key is registered twice, so no body gets a mark later.
    """
    if set(message) | {"clear"} != UPLOAD_FIELDS:
        raise BadRequest(f"register: send exactly: {', '.join(sorted(UPLOAD_FIELDS))}.")
    body, name, persons = parse_body(message), parse_name(message["name"]), _persons(message["persons"])
    with reading(desk.engine) as session:
        dataset = _open_dataset(session, message["dataset"])
        if dataset.derived_from_run is not None:
            raise Conflict("A derived dataset holds what its run made; make another dataset for other files.")
    brought = dataset.ingress is not None
    if brought and persons:
        # T6: whose data a run reads is known by these labels; nobody but the data's keepers sets them.
        raise BadRequest("persons: data of persons is not brought in; ask the data access committee for it.")
    key = desk.keyring.current(_recipient_name(dataset, Purpose.QUARANTINE if brought else Purpose.STORE))
    plain = open_note(parse_bytes(message, "digest", most=LONGEST_NOTE), key.secret)
    if len(plain) != hashlib.sha256().digest_size:
        raise BadRequest("digest: the SHA-256 of the plaintext, sealed to the dataset's key.")
    clear = name if message.get("clear") is True else ""
    facts = replace(
        _facts(key, body),
        project=dataset.project if brought else None,
        run=dataset.ingress,
        kind=UPLOAD,
        persons=persons,
        policy_version=dataset.policy_version,
        clear=clear,
    )
    made = [_signed(desk, key, facts, body=body, sha256=plain)]
    with transaction(desk.engine) as session:
        _open_dataset(session, dataset.id)
        if session.get(DatasetFile, (dataset.id, name)) is not None:
            raise Conflict("This dataset has a file of this name; files never change, so choose another name.")
        _add(session, made)
        if not brought:
            session.add(DatasetFile(dataset=dataset.id, name=name, object=body.object))
        said = {"dataset": dataset.id, **_said(None, made)} | ({"clear": True} if clear else {})
        append(
            session, Entry(Event.OBJECT_REGISTERED, str(message["person"])[:200], body.object, dataset.project, said)
        )
    return {"object": body.object}


def _recipient_name(dataset: Dataset, purpose: Any) -> KeyName:
    if purpose == Purpose.STORE.value:
        return KeyName(Purpose.STORE, dataset.id)
    if purpose == Purpose.QUARANTINE.value and dataset.ingress is not None:
        return KeyName(Purpose.QUARANTINE, dataset.ingress)
    raise BadRequest("recipient: of a dataset's store key, or of the quarantine before it.")


def _open_dataset(session: orm.Session, name: Any) -> Dataset:
    dataset = session.get(Dataset, name) if isinstance(name, str) else None
    if dataset is None or dataset.deleted_at is not None:
        raise NotFound("There is no such dataset.")
    return dataset


def _persons(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_PERSONS:
        raise BadRequest("persons: a list of labels.")
    return tuple(sorted({parse_label(one) for one in value}))


def _output(desk: Desk, key: OpenKey, grant: GrantFacts, output: Output) -> Made:
    facts = replace(
        _facts(key, output.body),
        project=grant.project,
        run=grant.decision,
        attempt=grant.attempt,
        kind=grant.kind,
        role=output.role.value,
        persons=grant.persons,
        ancestors=grant.ancestors,
        policy_version=grant.policy_version,
    )
    return _signed(desk, key, facts, body=output.body, sha256=output.sha256)


def _facts(key: OpenKey, body: Body) -> ObjectFacts:
    return ObjectFacts(
        object=body.object,
        purpose=key.name.purpose.value,
        owner=key.name.owner,
        project=None,
        run=None,
        attempt=None,
        kind="",
        role=Role.OUTPUT.value,
        persons=(),
        ancestors=(),
        version=1,
        size=body.size,
        plaintext_hmac="",
        body_length=body.body_length,
        body_sha256=body.body_sha256,
        segments=body.segments,
        key_version=key.version,
        header_sha256=hashlib.sha256(body.header).hexdigest(),
        policy_version=0,
    )


def _signed(desk: Desk, key: OpenKey, facts: ObjectFacts, *, body: Body, sha256: bytes) -> Made:
    data_key = opened_header(body.header, key.secret)
    facts = replace(facts, plaintext_hmac=desk.keyring.name_plaintext(key.name, sha256))
    row = {
        **_columns(facts),
        "header": body.header,
        "sealed_sha256": desk.keyring.seal_digest(key.name, sha256, object_id=facts.object),
        "signature": desk.seals.sign_object(facts),
        "created": now(),
    }
    return Made(row, desk.keyring.data_key_mark(data_key))


def _columns(facts: ObjectFacts) -> dict[str, Any]:
    columns = facts.statement()
    columns["id"] = columns.pop("object")
    return columns


def _add(session: orm.Session, made: Sequence[Made]) -> None:
    marks, ids = [one.mark for one in made], [one.row["id"] for one in made]
    if len(set(marks)) != len(marks) or _any(session, _MARKS.c.mark, marks):
        # T12: one data key never covers two objects, nor one inside and one released.
        raise Conflict("header: this data key was used before; seal each object with a fresh one.")
    if _any(session, _OBJECTS.c.id, ids):
        raise Conflict("object: there is an object of this id; objects never change.")
    if made:
        plainly(session, _ADD_OBJECTS, [one.row for one in made])
        plainly(session, _ADD_MARKS, [{"mark": one.mark, "object": one.row["id"]} for one in made])


def _any(session: orm.Session, column: sa.Column[str], values: Sequence[str]) -> bool:
    parts = (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
    return any(plainly(session, _KNOWN[column], {"values": part}).first() is not None for part in parts)


def _said(decision: str | None, made: Sequence[Made]) -> dict[str, Any]:
    objects = [{"object": m.row["id"], "role": m.row["role"], "body_sha256": m.row["body_sha256"]} for m in made]
    return {"decision": decision, "objects": objects}
