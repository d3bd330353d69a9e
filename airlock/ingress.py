"""Brings files into quarantine, where they wait for the same checks and votes as what wants to leave."""

import base64
import hashlib
import uuid

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import rules
from airlock.checks.brought import Declared
from airlock.intake import policy_of
from airlock.intake_files import IntakeState
from airlock.moves import append, asker
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest, files_of_run
from airlock.submission import Recipient, check_not_closed
from archive import quarantine
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import Conflict, NotFound
from strongroom.projects import open_project
from strongroom.settings import Settings


def open_ingress(
    session: orm.Session, person: str, *, project: str, dataset: str, title: str, settings: Settings
) -> IntakeRun:
    """Open a quarantine for files that are to become `dataset`; it is kept as a run is, under an id of its own."""
    ingress = uuid.uuid4().hex
    opened = quarantine.open_dataset(
        session, ingress=ingress, person=person, project=project, dataset=dataset, title=title or dataset
    )
    row = IntakeRun(
        run=ingress,
        project=project,
        person=person,
        coarse=False,  # a requester knows the file; what the checks know beside it is for stewards alone
        datasets=[],
        lineage=[],
        contract_version=0,
        policy_version=policy_of(session, open_project(session, project), settings, datasets=()).version,
        left_inside=0,
        brought_into=dataset,
        created=now(),
    )
    session.add(row)
    session.flush()
    append(session, *opened, Entry(Event.INGRESS_OPENED, person, ingress, project, {"dataset": dataset}))
    return row


def find(session: orm.Session, ingress: str) -> IntakeRun:
    """Return the ingress of this id."""
    row = session.get(IntakeRun, ingress)
    if row is None or row.brought_into is None:
        raise NotFound("There is no such ingress.")
    return row


def bring(
    session: orm.Session,
    held: IntakeRun,
    person: str,
    *,
    object_id: str,
    name: str,
    declared: Declared,
    settings: Settings,
) -> IntakeFile:
    """Take a sealed file that was uploaded and have it checked, as it is: what was approved is what tasks read."""
    rules.check_may_request(asker(session, person, held.project), held.person)
    check_not_closed(session, held)
    policy = policy_of(session, open_project(session, held.project), settings, datasets=held.datasets)
    file = quarantine.waiting(session, ingress=held.run, object_id=object_id)
    there = files_of_run(session, held.run)
    if len(there) >= quarantine.MOST_FILES:
        raise Conflict(quarantine.FULL)
    if any(one.path == name or one.source == file.object for one in there):
        raise Conflict("A file of this name is here already; files never change, so choose another name.")
    moment = now()
    row = IntakeFile(
        id=uuid.uuid4().hex,
        run=held.run,
        project=held.project,
        person=held.person,
        path=name,
        rule="ingress",
        task="",
        source=file.object,
        promise={"brought": declared.value},
        contract_version=held.contract_version,
        policy=policy.as_json(),
        policy_version=policy.version,
        # There is no copy of our own: tasks need the very bytes.
        state=IntakeState.REPACKED.value,
        clean=file.object,
        body_sha256=file.body_sha256,
        size=file.size,
        findings=[],
        attempts=0,
        next_try=moment,
        created=moment,
    )
    session.add(row)
    session.flush()
    facts = {"ingress": held.run, "object": file.object, "body_sha256": file.body_sha256, "as": declared.value}
    append(session, Entry(Event.INGRESS_BROUGHT, person, row.id, held.project, facts))
    return row


def recipient(settings: Settings, dataset: str) -> Recipient:
    """Return the key of the dataset that approved files are sealed to; asked of the broker, so in no transaction."""
    key = quarantine.recipient(settings, dataset)
    return Recipient(hashlib.sha256(base64.b64decode(key)).hexdigest(), key)


def brought_into(session: orm.Session, row: ReleaseRequest) -> str | None:
    """Return the dataset that a request brings files into; None for one whose files are to leave."""
    return session.scalar(sa.select(IntakeRun.brought_into).where(IntakeRun.run == row.run))
