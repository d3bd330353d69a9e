"""The door for federated tasks: records one with its end user, and shows it as its client may see it (T3, T29)."""

import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from sandbox.fields import WORK
from strongroom.database import now
from strongroom.errors import Conflict, TooMany
from strongroom.identity import Person
from strongroom.networks import FederatedClient
from strongroom.settings import Tes
from tes import admission, submission
from tes.profiles import Ceiling, Template, image_digest, resources_of
from tes.schemas import NewTask, Output, View
from tes.store import FederatedTask, Task, last_attempt
from tes.tasks import TERMINAL, TaskState

__all__ = ["FederatedTask", "NewTask", "TaskState", "View", "WORK"]
WINDOW = 60.0
_PLACEHOLDER = {"url": None, "content": "-"}  # while a plan is made of what may be named inside
_ENDED = [state.value for state in TERMINAL]


@dataclass(frozen=True)
class Delivered:
    """One output that reached its place: where, from which path of the task, and how many plain bytes."""

    url: str
    path: str
    size: int


@dataclass(frozen=True)
class Admitted:
    """What was decided of a federated task: run, key, body, profile, and the objects of its inputs, in order.

    None is an input of another site, whose URL stays what it is.
    """

    run: str
    key: str
    body: str
    template: Template
    objects: tuple[str | None, ...]


@dataclass(frozen=True)
class Sealed:
    """An output that a task left: path relative to /run/work, and its object."""

    path: str
    object: str


@dataclass(frozen=True)
class Finished:
    """A federated task that ended and whose run is open still."""

    row: FederatedTask
    state: TaskState
    person: str
    project: str
    outputs: tuple[Sealed, ...]


@dataclass
class Pace:
    """How often each client has asked for a task in the last minute; refused ones count as well."""

    clock: Callable[[], float]
    _asked: dict[str, deque[float]] = field(default_factory=dict)

    def check(self, client: FederatedClient) -> None:
        """Count one attempt; raise `TooMany` with the seconds to wait when the minute is full."""
        moment, asked = self.clock(), self._asked.setdefault(client.name, deque())
        while asked and asked[0] <= moment - WINDOW:
            asked.popleft()
        if len(asked) >= client.creates_per_minute:
            wait = max(1, int(asked[0] + WINDOW - moment) + 1)
            raise TooMany(f"At most {client.creates_per_minute} creates a minute; come again later.", seconds=wait)
        asked.append(moment)


def idempotency_key(person: str, key: str) -> str:
    """Return the key as it is kept: it belongs to one end user, and without one no create is the same as another."""
    return hashlib.sha256(f"{person}\0{key}".encode()).hexdigest() if key else uuid.uuid4().hex


def known(session: orm.Session, client: str, *, key: str, body: str) -> Task | None:
    """Return the task that this key made before; raise `Conflict` if it was made of another body (T19)."""
    found = session.scalar(sa.select(Task).where(Task.client == client_name(client), Task.idempotency_key == key))
    if found is not None and found.body_digest != body:
        raise Conflict("This Idempotency-Key was used for another task.")
    return found


def client_name(client: str) -> str:
    """Return what stands as `client` of a federated task: no name of a process of ours."""
    return f"federation:{client}"


def open_tasks(session: orm.Session, client: str) -> int:
    """Return how many tasks of a client have not ended."""
    query = sa.select(sa.func.count()).where(Task.client == client_name(client), Task.state.not_in(_ENDED))
    return session.scalar(query) or 0


def admit(session: orm.Session, task: NewTask, admitted: Admitted, *, client: FederatedClient, limits: Tes) -> str:
    """Record a task that fits its profile, as what it is inside: objects for URLs, digests for names of images.

    Return its id.
    """
    caps = Ceiling(max(1, int(client.cores)), client.ram_gb, client.disk_gb, client.seconds)
    inside = task.model_copy(
        update={
            "executors": [one.model_copy(update={"image": image_digest(one.image)}) for one in task.executors],
            "inputs": [
                one.model_copy(
                    update=_PLACEHOLDER if identifier is None else {"url": f"strongroom://object/{identifier}"}
                )
                for one, identifier in zip(task.inputs or [], admitted.objects, strict=True)
            ],
            "outputs": [
                Output(path=path, url=f"strongroom://run/{admitted.run}{path.removeprefix(WORK)}")
                for path in [
                    *(one.path for one in task.outputs or []),
                    *(f"{WORK}/{one}" for one in admitted.template.members),
                ]
            ],
            "resources": resources_of(task.resources, admitted.template.ceiling, caps),
        }
    )
    plan = admission.plan(inside, run=admitted.run, limits=limits)
    for n, identifier in enumerate(admitted.objects):
        if identifier is None:
            url, path = (task.inputs or [])[n].url, plan["inputs"][n]["path"]
            plan["inputs"][n] = {"path": path, "outside": url, "client": client.name, "most": client.input_bytes}
    session.flush()
    decision = decisions.open_decision(session, admitted.run)
    request = admission.kept(task.model_dump(mode="json", exclude_none=True))
    given = {"request": request, "plan": plan, "body": admitted.body, "key": admitted.key, "coarse": True}
    return submission.record(session, decision, given, client=client_name(client.name))


def remember(
    session: orm.Session,
    task: str,
    *,
    run: str,
    person: Person,
    profile: str,
    digest: str,
    datasets: Sequence[str],
    deliveries: Mapping[str, str],
) -> FederatedTask:
    """Write down whose task this is, by which profile, and where its outputs shall go once released."""
    row = FederatedTask(
        task=task,
        run=run,
        client=person.client,
        issuer=person.issuer,
        profile=profile,
        digest=digest,
        datasets=list(datasets),
        deliveries=[{"path": path, "url": url} for path, url in sorted(deliveries.items())],
        created=now(),
        settled=None,
        trouble=None,
    )
    session.add(row)
    return row


def unsettled(session: orm.Session, *, most: int) -> list[str]:
    """Return federated tasks that have ended though their runs are not closed yet, oldest first."""
    query = (
        sa.select(FederatedTask.task)
        .join(Task, Task.id == FederatedTask.task)
        .where(FederatedTask.settled.is_(None), Task.state.in_(_ENDED))
        .order_by(Task.number)
        .limit(most)
    )
    return list(session.scalars(query))


def finished(session: orm.Session, task: str) -> Finished | None:
    """Return a federated task if it ended and its run is open still, with the outputs of its last attempt."""
    row = session.get(FederatedTask, task)
    found = session.scalars(sa.select(Task).where(Task.id == task)).one_or_none()
    if row is None or found is None or row.settled is not None or TaskState(found.state) not in TERMINAL:
        return None
    attempt = last_attempt(session, task)
    report = (attempt.report if attempt else None) or {}
    outputs = tuple(
        Sealed(str(one["path"]).removeprefix(f"{WORK}/"), str(one["object"]))
        for one in report.get("outputs", [])
        if one.get("role", "output") == "output"
    )
    return Finished(row, TaskState(found.state), found.person, found.project, outputs)


def shown(task: Task, *, view: View, delivered: Sequence[Delivered]) -> dict[str, Any]:
    """Return the JSON of a federated task for its own end user: until release no more than T3 allows.

    That is its own request, the state, exit 0 or 1 after the end, times to the minute; then what was delivered.
    """
    if view == "MINIMAL":
        return {"id": task.id, "state": task.state}
    state = TaskState(task.state)
    logs: list[dict[str, Any]] = []
    if task.started is not None:
        log: dict[str, Any] = {"logs": _executor_logs(state), "start_time": _minute(task.started)}
        log["outputs"] = [{"url": one.url, "path": one.path, "size_bytes": str(one.size)} for one in delivered]
        if task.ended is not None:
            log["end_time"] = _minute(task.ended)
        if view == "FULL":
            log["system_logs"] = []
        logs = [log]
    return {
        **task.request,
        "id": task.id,
        "state": task.state,
        "creation_time": _minute(task.created),
        "logs": logs,
    }


def _executor_logs(state: TaskState) -> list[dict[str, Any]]:
    # One for the whole task: how many executors ran, and with which code, hangs on values.
    if state is TaskState.COMPLETE:
        return [{"exit_code": 0}]
    return [{"exit_code": 1}] if state is TaskState.EXECUTOR_ERROR else []


def _minute(value: datetime) -> str:
    return value.replace(second=0, microsecond=0).isoformat().replace("+00:00", "Z")
