"""Takes tasks in and takes them back: creates once for each key, cancels from any state."""

import re
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from archive import decisions
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.canonical import digest
from strongroom.database import now, plainly
from strongroom.errors import BadRequest, Conflict, NotAllowed
from strongroom.identity import Person, ServicePerson
from strongroom.settings import Settings
from tes import admission
from tes.backends.slurm.options import of_tasks
from tes.schemas import NewTask
from tes.store import Task, move, next_seq
from tes.tasks import TERMINAL, TaskState

GATEWAY = "wes.gateway"
_KEY = re.compile(r"[!-~]{0,67}")
# Made once: each task comes by here.
_TASKS, _TAGS = (Task.metadata.tables[name] for name in ("tasks", "task_tags"))
_SAME = sa.select(_TASKS.c.id, _TASKS.c.body_digest).where(
    _TASKS.c.client == GATEWAY, _TASKS.c.idempotency_key == sa.bindparam("key")
)
_ADD, _TAG = sa.insert(_TASKS).returning(_TASKS.c.number), sa.insert(_TAGS)


def create(
    session: orm.Session,
    task: NewTask,
    *,
    who: Person | ServicePerson,
    run: str,
    key: str,
    coarse: bool,
    settings: Settings,
) -> str:
    """Record `task` for its run and return its id, or that of the task that this key made before.

    Only gateways create (decision 1).
    """
    if not isinstance(who, ServicePerson):
        raise NotAllowed("Tasks are created by runs; submit a vetted workflow through WES instead.")
    if not _KEY.fullmatch(key):
        raise BadRequest("Idempotency-Key: at most 67 visible characters of ASCII.")
    decision = decisions.open_decision(session, run)
    also = of_tasks(settings)
    plan = admission.plan(task, run=run, limits=settings.tes, also=also)
    for planned, wanted in zip(plan["outputs"], task.outputs or [], strict=True):
        if wanted.tells is not None:
            planned["tells"] = wanted.tells.model_dump()
    if not set(admission.images_of(plan)) <= set(decision.images.values()):
        raise NotAllowed("An image of this task is not among those that the vetters signed for this workflow.")
    request = admission.kept(task.model_dump(mode="json", exclude_none=True), also)
    tells = {one["path"]: one["tells"] for one in plan["outputs"] if "tells" in one}
    # A gateway that died before it wrote the task down numbers its jobs anew, by whoever asks first: the name is no
    # part of what is the same.
    meant = {field: value for field, value in request.items() if field != "name"}
    body = digest({"request": meant, "run": run} | ({"tells": tells} if tells else {}))
    known = plainly(session, _SAME, {"key": f"{run}:{key}"}).one_or_none() if key else None
    if known is not None:
        if known.body_digest != body:  # T19: keys are scoped to client and body
            raise Conflict("This Idempotency-Key was used for another task.")
        return str(known.id)
    given = {
        "request": request,
        "plan": plan,
        "body": body,
        "key": f"{run}:{key or uuid.uuid4().hex}",
        "coarse": coarse,
    }
    return record(session, decision, given, client=GATEWAY)


def record(session: orm.Session, decision: decisions.Decision, given: dict[str, Any], *, client: str) -> str:
    """Record a task that was admitted on `decision`: its request, plan, body's digest, key and coarseness."""
    request, task = given["request"], uuid.uuid4().hex
    row = {
        "id": task,
        "seq": next_seq(session),
        "state": TaskState.QUEUED.value,
        "client": client,
        "idempotency_key": given["key"],
        "body_digest": given["body"],
        "run": decision.run,
        "project": decision.project,
        "person": decision.person,
        "coarse": given["coarse"],
        "name": request.get("name", "task")[:200],
        "request": request,
        "plan": given["plan"],
        "policy_version": decision.policy_version,
        "created": now(),
        "attempts": 0,
    }
    of = {"number": plainly(session, _ADD, row).scalar_one(), "person": decision.person}
    if tags := request.get("tags", {}).items():
        plainly(session, _TAG, [{**of, "key": key, "value": value} for key, value in tags])
    facts = {"run": decision.run, "images": admission.images_of(given["plan"]), "body": given["body"]}
    audit.append(session, Entry(Event.TASK_CREATED, client, task, decision.project, facts))
    return task


def cancel(session: orm.Session, task: Task, *, actor: str) -> None:
    """Cancel `task`: at once while it waits, else CANCELING until its last process is gone; ended tasks stay."""
    state = TaskState(task.state)
    if state in TERMINAL or state is TaskState.CANCELING:
        return
    to = TaskState.CANCELED if state is TaskState.QUEUED else TaskState.CANCELING
    audit.append(session, move(session, task, to, actor=actor))


def cancel_run(session: orm.Session, run: str, *, actor: str) -> int:
    """Cancel every task of a run that has not ended; return how many are still live."""
    ended = [state.value for state in TERMINAL]
    tasks = session.scalars(sa.select(Task).where(Task.run == run, Task.state.not_in(ended))).all()
    for task in tasks:
        cancel(session, task, actor=actor)
    return sum(TaskState(task.state) not in TERMINAL for task in tasks)
