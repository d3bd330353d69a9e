"""Speaks GA4GH TES 1.1 over HTTP, and the few private verbs of a run's gateway."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Body, Depends, FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import orm
from sqlalchemy.sql.base import ExecutableOption
from starlette.concurrency import run_in_threadpool

import strongroom
from strongroom import paging
from strongroom.bells import Bell, ring
from strongroom.clients import WhoOrClient
from strongroom.database import plainly, reading, transaction
from strongroom.errors import NotAllowed, NotFound
from strongroom.http import Who, told
from strongroom.identity import Person, ServicePerson
from tes import federation, followed, submission
from tes.admission import PARAMETERS, STREAMS
from tes.backends.slurm.options import of_tasks
from tes.listing import Wanted, page, zipped
from tes.schemas import Change, Changes, CreatedTask, NewTask, Text, View
from tes.store import Task, attempts_of, find, last_reports
from tes.tasks import TERMINAL, TaskState
from tes.views import shown

PREFIX = "/ga4gh/tes/v1"
MOST_PER_PAGE = 2048
# All that MINIMAL and a place in a list need: requests and plans are long, and stay where they are.
# The last three say what a person may see of it.
PLACE = (orm.load_only(Task.id, Task.number, Task.state, Task.name, Task.person, Task.run, Task.coarse, Task.ended),)
# Made once: each move of a task is asked for.
_MOVED = (
    sa.select(Task.id, Task.seq, Task.state, Task.started, Task.ended)
    .where(
        Task.run == sa.bindparam("run"),
        Task.seq > sa.bindparam("since"),
        # Who made a task knows that it waits: its first move is news.
        sa.or_(Task.state != TaskState.QUEUED.value, Task.attempts > 0),
    )
    .order_by(Task.seq)
)
router = APIRouter(prefix=PREFIX)


async def creator_asks(request: Request, who: WhoOrClient) -> Person | ServicePerson:
    """Return who creates; a federated client's attempts are counted before anything else of them is read."""
    if isinstance(who, Person) and who.client is not None:
        request.app.state.federation.check_pace(who)
    return who


Creator = Annotated[Person | ServicePerson, Depends(creator_asks)]


@router.get("/service-info")
def service_info(request: Request) -> dict[str, Any]:
    """Return `tesServiceInfo` (TES 1.1, GET /service-info)."""
    settings = request.app.state.settings
    return {
        "id": "org.strongroom.tes",
        "name": "Strongroom TES",
        "type": {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"},
        "description": "Runs the tasks of vetted workflows inside walls; tasks are created by runs (WES).",
        "organization": {"name": "Strongroom", "url": settings.base_url},
        "version": strongroom.__version__,
        "storage": ["strongroom://object/", "strongroom://run/", "strongroom://dataset/"],
        "tesResources_backend_parameters": [*PARAMETERS, *of_tasks(settings)],
    }


@router.post("/tasks", response_model=CreatedTask)
def create_task(
    request: Request,
    who: Creator,
    task: Annotated[NewTask, Body()],
    idempotency_key: Annotated[str, Header()] = "",
    strongroom_run: Annotated[str, Header()] = "",
    strongroom_coarse: Annotated[str, Header()] = "yes",
) -> Response:
    """Create a task (POST /tasks); the same Idempotency-Key and body give the same task."""
    state = request.app.state
    if isinstance(who, Person) and who.client is not None:
        made_for_client: str = state.federation.create(who, task, key=idempotency_key)
        ring(state.settings.sockets / "dispatcher.bell")
        return told(CreatedTask(id=made_for_client))
    with transaction(state.engine) as session:
        identifier = submission.create(
            session,
            task,
            who=who,
            run=strongroom_run,
            key=idempotency_key,
            coarse=strongroom_coarse != "no",
            settings=state.settings,
        )
    ring(state.settings.sockets / "dispatcher.bell")
    return told(CreatedTask(id=identifier))


@router.get("/tasks", response_model=dict[str, Any])
def list_tasks(
    request: Request,
    who: WhoOrClient,
    view: View = "MINIMAL",
    page_size: Annotated[int, Query(ge=1, lt=MOST_PER_PAGE)] = 256,
    page_token: str = "",
    name_prefix: Text = "",
    state: TaskState | None = None,
    tag_key: Annotated[list[Text], Query()] = [],  # noqa: B006 - a query's default, never changed
    tag_value: Annotated[list[Text], Query()] = [],  # noqa: B006
) -> Response:
    """List tasks, newest first, or by name below a prefix (GET /tasks); a person sees the tasks of own runs only."""
    person, client = (who.id, who.client) if isinstance(who, Person) else (None, None)
    wanted = Wanted(person, name_prefix, state, zipped(tag_key, tag_value), own_tags=client is not None)
    with reading(request.app.state.engine) as session:
        after = _last(session, page_token, who, wanted) if page_token else None
        rows = page(session, wanted, after=after, most=page_size + 1, options=_columns(view))
        tasks = _shown(request, session, rows[:page_size], view=view, who=who)
    more = len(rows) > page_size
    token = paging.token(rows[-2].id, caller=who.id, listing=wanted.listing()) if more else ""
    return JSONResponse({"tasks": tasks, "next_page_token": token})


@router.get("/tasks/{task_id}", response_model=dict[str, Any])
def get_task(request: Request, who: WhoOrClient, task_id: str, view: View = "MINIMAL") -> Response:
    """Return one task (GET /tasks/{id}); another person's task is as unknown as one that never was."""
    with reading(request.app.state.engine) as session:
        (task,) = _shown(request, session, [_own(session, task_id, who, *_columns(view))], view=view, who=who)
    return JSONResponse(task)


@router.post("/tasks/{task_id}:cancel")
def cancel_task(request: Request, who: WhoOrClient, task_id: str) -> dict[str, Any]:
    """Cancel one task (POST /tasks/{id}:cancel)."""
    state = request.app.state
    with transaction(state.engine) as session:
        submission.cancel(session, _own(session, task_id, who), actor=who.id)
    _tell(state)
    return {}


@router.post("/runs/{run}:cancel", include_in_schema=False)
def cancel_run(request: Request, who: Who, run: str) -> dict[str, int]:
    """Cancel all tasks of a run and say how many still live; for the run's supervisor alone."""
    _only_services(who)
    state = request.app.state
    with transaction(state.engine) as session:
        live = submission.cancel_run(session, run, actor=submission.GATEWAY)
    _tell(state)
    return {"live": live}


@router.get("/changes", include_in_schema=False)
async def changes(request: Request, who: Who, run: str, since: int = 0, wait: float = 10.0) -> Changes:
    """Return the tasks of a run that moved after `since`, waiting up to `wait` seconds for one."""
    _only_services(who)
    end = asyncio.get_running_loop().time() + min(wait, 30.0)
    moved: asyncio.Condition = request.app.state.tasks_moved
    while True:
        async with moved:
            found = await run_in_threadpool(_changes, request.app.state.engine, run, since)
            left = end - asyncio.get_running_loop().time()
            if found.tasks or left <= 0:
                return found
            try:
                # A lost ring costs a second at most.
                await asyncio.wait_for(moved.wait(), min(left, 1.0))
            except TimeoutError:
                continue


@asynccontextmanager
async def watch_bell(app: FastAPI) -> AsyncIterator[None]:
    """Wake everybody who waits for changes when the dispatcher rings."""
    app.state.tasks_moved = asyncio.Condition()
    bell = Bell(app.state.settings.sockets / "tasks.bell")

    async def wake() -> None:
        async with app.state.tasks_moved:
            app.state.tasks_moved.notify_all()

    pending: set[asyncio.Task[None]] = set()

    def rung() -> None:
        bell.quiet()
        task = asyncio.ensure_future(wake())
        pending.add(task)
        task.add_done_callback(pending.discard)

    loop = asyncio.get_running_loop()
    loop.add_reader(bell.fileno(), rung)
    try:
        yield
    finally:
        loop.remove_reader(bell.fileno())
        bell.close()


def _changes(engine: sa.Engine, run: str, since: int) -> Changes:
    with reading(engine) as session:
        rows = plainly(session, _MOVED, {"run": run, "since": since}).all()
        said = last_reports(session, [row.id for row in rows if TaskState(row.state) in TERMINAL])
    told = [_change(row, said.get(row.id) or {}) for row in rows]
    return Changes(seq=rows[-1].seq if rows else since, tasks=told)


def _change(task: sa.Row[Any], report: Mapping[str, Any]) -> Change:
    return Change(
        id=task.id,
        state=TaskState(task.state),
        exit_code=report.get("exit_code"),
        reason=report.get("reason"),
        outputs=[o for o in report.get("outputs", []) if o.get("role", "output") == "output"],
        printed={o["role"]: o["object"] for o in report.get("outputs", []) if o.get("role") in STREAMS},
        missing=report.get("missing", []),
        started=task.started.timestamp() if task.started else None,
        ended=task.ended.timestamp() if task.ended else None,
    )


def _own(session: orm.Session, task_id: str, who: Person | ServicePerson, *options: ExecutableOption) -> Task:
    task = find(session, task_id, *options)
    if task is None or (isinstance(who, Person) and (task.person != who.id or not followed.may_see(session, task))):
        raise NotFound("There is no such task.")
    return task


def _columns(view: View) -> Sequence[ExecutableOption]:
    return PLACE if view == "MINIMAL" else ()


def _shown(
    request: Request, session: orm.Session, tasks: Sequence[Task], *, view: View, who: Person | ServicePerson
) -> list[dict[str, Any]]:
    if isinstance(who, Person) and who.client is not None:
        runs = [task.run for task in tasks] if view != "MINIMAL" else []
        delivered = {run: request.app.state.federation.delivered(session, run) for run in runs}
        return [federation.shown(task, view=view, delivered=delivered.get(task.run, [])) for task in tasks]
    attempts = attempts_of(session, [task.id for task in tasks]) if view != "MINIMAL" else {}
    since = followed.unsettled(session, tasks) if isinstance(who, Person) else {}
    return [shown(task, attempts.get(task.id, []), view=view, who=who, since=since.get(task.id)) for task in tasks]


def _last(session: orm.Session, token: str, who: Person | ServicePerson, wanted: Wanted) -> Task:
    try:
        last = _own(session, paging.last_of(token, caller=who.id, listing=wanted.listing()), who, *PLACE)
    except NotFound as error:
        raise paging.refused() from error
    if not last.name.startswith(wanted.name_prefix):
        raise paging.refused()
    return last


def _only_services(who: Person | ServicePerson) -> None:
    if isinstance(who, Person):
        raise NotAllowed("This route is for Strongroom's own processes.")


def _tell(state: Any) -> None:
    ring(state.settings.sockets / "dispatcher.bell")
    ring(state.settings.sockets / "tasks.bell")
