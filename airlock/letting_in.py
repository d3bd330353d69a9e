"""Lets in what two stewards approved: the broker moves its keys, then the dataset is shared with its project."""

from sqlalchemy import orm

from airlock import stops
from airlock.ingress import brought_into
from airlock.moves import SYSTEM, append, find, move
from airlock.release_requests import RequestState
from airlock.store import ReleaseRequest, files_of
from archive import quarantine
from strongroom.audit import Entry
from strongroom.database import transaction
from strongroom.doors import Message, ask
from strongroom.errors import NotAllowed
from strongroom.queue import Context

S = RequestState


def admit(context: Context, request: str, question: Message, *, dataset: str) -> None:
    """Have the broker read votes and log for itself, and open the dataset to its project; safe to repeat."""
    answer = ask(context.settings.sockets / "broker.sock", {**question, "verb": "admit"})
    if answer.get("dataset") != dataset:
        raise NotAllowed("The key broker let these files in elsewhere.")
    with transaction(context.engine) as session:
        row = find(session, request)
        if row.state != S.RELEASING.value:
            return
        stops.check_running(session)
        named = {file.path: file.object for file in files_of(session, row.id) if file.object is not None}
        shared = quarantine.let_in(session, dataset, named, actor=SYSTEM)
        row.next_try, row.trouble = None, None
        append(session, *shared, move(row, S.RELEASED, actor=SYSTEM, dataset=dataset))


def take_back(session: orm.Session, row: ReleaseRequest, *, actor: str) -> list[Entry]:
    """Close the dataset of a request that brought files in; return the audit entries, none for one of a run."""
    dataset = brought_into(session, row)
    return [] if dataset is None else quarantine.shut(session, dataset, actor=actor)
