"""Speaks GA4GH WES 1.1 over HTTP."""

from collections import Counter
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.security.utils import get_authorization_scheme_param
from pydantic import AwareDatetime, BeforeValidator, StringConstraints
from sqlalchemy import orm
from starlette.concurrency import run_in_threadpool

import strongroom
from archive import decisions
from strongroom import audit, paging, queue
from strongroom.audit import Entry, Event
from strongroom.bells import ring
from strongroom.database import reading, transaction
from strongroom.errors import BadRequest, NotAllowed, NotFound
from strongroom.http import SignedIn, signed_in, told, whoever
from strongroom.identity import Person
from wes import events, forms, printed, resumption, submission, views
from wes.engines import ENGINES, open_engine
from wes.listing import LINE, Wanted, page
from wes.manifest import NAME, VERSION
from wes.options import OPTIONS
from wes.runs import TERMINAL, RunState
from wes.schemas import Form, RunId, RunList, RunLog, RunStatus, TaskList, TaskLog
from wes.store import Run, RunTask, files_of, find, move
from wes.views import PREFIX

ACTOR = "wes.api"
MOST_RUNS, MOST_TASKS = 1000, 2000
router = APIRouter(prefix=PREFIX)


def written_out(given: Any) -> Any:
    """Refuse a time that is a bare number."""
    if isinstance(given, str) and not given[4:5] == "-":
        raise ValueError("a time is written as 2026-01-31T12:00:00Z")
    return given


Text = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Moment = Annotated[AwareDatetime | None, Query(), BeforeValidator(written_out)]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events, until the run ends"},
    204: {"description": "Nothing more comes"},
}
LOG: dict[int | str, dict[str, Any]] = {303: {"description": "The download of the released log"}}


@router.get("/service-info")
def service_info(request: Request) -> dict[str, Any]:
    """Return `ServiceInfo` (GET /service-info); open to all, and who signs in counts own runs alone (T24)."""
    state = request.app.state
    counts: dict[str, int] = {}
    scheme, word = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() == "bearer":
        person = signed_in(whoever(request, HTTPAuthorizationCredentials(scheme=scheme, credentials=word)))
        with reading(state.engine) as session:
            counts = _counts(session, person)
    engines = [open_engine(name) for name in ENGINES]
    return {
        "id": "org.strongroom.wes",
        "name": "Strongroom WES",
        "type": {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"},
        "description": "Runs vetted workflows on sensitive data; results leave through an airlock.",
        "organization": {"name": "Strongroom", "url": state.settings.base_url},
        "version": strongroom.__version__,
        "workflow_type_versions": {e.types[0]: {"workflow_type_version": [e.version]} for e in engines},
        "supported_wes_versions": ["1.1.0"],
        "supported_filesystem_protocols": [],
        "workflow_engine_versions": {e.name: {"workflow_engine_version": [e.version]} for e in engines},
        "default_workflow_engine_parameters": [
            {"name": option.name, "type": option.type, "default_value": option.default}
            for options in OPTIONS.values()
            for option in options
        ],
        "system_state_counts": counts,
        "auth_instructions_url": f"{state.settings.base_url}/",
        "tags": {},
    }


@router.post("/runs", openapi_extra=forms.BODY)
async def run_workflow(request: Request, person: SignedIn) -> RunId:
    """Submit a run (POST /runs, a form or JSON); no attachments, vetted workflows only."""
    form = await forms.read(request)
    return RunId(run_id=await run_in_threadpool(accept, request, person, form))


def accept(request: Request, person: Person, form: Form) -> str:
    """Record a run, or that it was refused, and wake who supervises it; return its id."""
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            hosts = frozenset({f"{state.settings.http.host}:{state.settings.http.port}"})
            run = submission.submit(session, person, form, settings=state.settings, hosts=hosts).id
    except NotAllowed as error:
        with transaction(state.engine) as session:
            submission.refuse(session, person, form, error)
        raise
    queue.enqueue("wes.supervise", run)
    return run


@router.get("/runs", response_model=RunList)
def list_runs(
    request: Request,
    person: SignedIn,
    page_size: Annotated[int, Query(ge=1, le=MOST_RUNS)] = 100,
    page_token: str = "",
    name_prefix: Text = "",
    state: RunState | None = None,
    tag_key: Annotated[list[Text], Query()] = [],  # noqa: B006 - a query's default, never changed
    tag_value: Annotated[list[Text], Query()] = [],  # noqa: B006
    workflow: Text = "",
    created_after: Moment = None,
    created_before: Moment = None,
) -> Response:
    """List the caller's runs, newest first, or by name below a prefix (GET /runs); the filters hold together."""
    tags, named = paging.zipped(tag_key, tag_value), _workflow(workflow)
    wanted = Wanted(person.id, name_prefix, state, tags, named, created_after, created_before)
    with reading(request.app.state.engine) as session:
        after = _last(session, page_token, person, wanted) if page_token else None
        rows = page(session, wanted, after=after, most=page_size + 1)
    more = len(rows) > page_size
    token = paging.token(rows[-2].id, caller=person.id, listing=wanted.listing()) if more else ""
    return JSONResponse({"runs": [views.line(row) for row in rows[:page_size]], "next_page_token": token})


@router.get("/runs/{run_id}", response_model=RunLog)
def get_run(request: Request, person: SignedIn, run_id: str) -> Response:
    """Return one run (GET /runs/{run_id})."""
    with reading(request.app.state.engine) as session:
        run = own(session, run_id, person)
        files = files_of(session, run.id) if run.state == RunState.COMPLETE.value and not run.coarse else {}
        done = views.done(session, run)
    return told(views.whole(run, files, done=done, base=request.app.state.settings.base_url))


@router.get("/runs/{run_id}/status", response_model=RunStatus)
def get_run_status(request: Request, person: SignedIn, run_id: str) -> Response:
    """Return a run's state (GET /runs/{run_id}/status)."""
    with reading(request.app.state.engine) as session:
        run = own(session, run_id, person)
    return told(RunStatus(run_id=run.id, state=views.state_of(run)))


@router.get("/runs/{run_id}/events", responses=STREAM, response_class=StreamingResponse)
async def get_run_events(
    request: Request, person: SignedIn, run_id: str, last_event_id: Annotated[str, Header(max_length=200)] = ""
) -> Response:
    """Tell a run's progress as it happens (text/event-stream); not part of WES."""
    state = request.app.state

    def begin() -> events.Progress:
        with reading(state.engine) as session:
            own(session, run_id, person)
        return events.progress(state.engine, run_id)

    found = await run_in_threadpool(begin)
    if found.ended and found.id == last_event_id:
        return Response(status_code=204)  # the one answer after which an EventSource does not come back
    events.check_seat(person.id, most=state.settings.wes.watchers)
    stream = events.stream(state.engine, run_id, person=person.id, last=last_event_id)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get("/runs/{run_id}/tasks", response_model=TaskList)
def list_run_tasks(
    request: Request,
    person: SignedIn,
    run_id: str,
    page_size: Annotated[int, Query(ge=1, le=MOST_TASKS)] = 500,
    page_token: str = "",
) -> Response:
    """List the tasks of a run, oldest first (GET /runs/{run_id}/tasks)."""
    listing = {"of": "tasks", "run": run_id}
    with reading(request.app.state.engine) as session:
        run = own(session, run_id, person)
        query = sa.select(RunTask).where(*views.shown_tasks(run))
        if page_token:
            last = _task_of(session, run, paging.last_of(page_token, caller=person.id, listing=listing))
            if last is None:
                raise paging.refused()
            query = query.where(RunTask.number > last.number)
        rows = list(session.scalars(query.order_by(RunTask.number).limit(page_size + 1)))
    more = len(rows) > page_size
    token = paging.token(rows[page_size - 1].task, caller=person.id, listing=listing) if more else ""
    base = request.app.state.settings.base_url
    logs = [views.task(run, row, base=base) for row in rows[:page_size]]
    return told(TaskList(task_logs=logs, next_page_token=token))


@router.get("/runs/{run_id}/tasks/{task_id}", response_model=TaskLog)
def get_run_task(request: Request, person: SignedIn, run_id: str, task_id: str) -> Response:
    """Return one task of a run (GET /runs/{run_id}/tasks/{task_id})."""
    with reading(request.app.state.engine) as session:
        run = own(session, run_id, person)
        row = _task_of(session, run, task_id)
    if row is None:
        raise NotFound("There is no such task in this run.")
    return told(views.task(run, row, base=request.app.state.settings.base_url))


@router.get("/runs/{run_id}/logs/{stream}", responses=LOG, response_class=Response)
def get_run_log(request: Request, person: SignedIn, run_id: str, stream: str) -> Response:
    """Answer where a run's `stdout` and `stderr` lead (RunLog.run_log): to a release, or what to do for one."""
    base = request.app.state.settings.base_url
    with reading(request.app.state.engine) as session:
        return printed.at_its_release(session, own(session, run_id, person), None, stream, base=base)


@router.get("/runs/{run_id}/tasks/{task_id}/logs/{stream}", responses=LOG, response_class=Response)
def get_run_task_log(request: Request, person: SignedIn, run_id: str, task_id: str, stream: str) -> Response:
    """Answer where a task's `stdout` and `stderr` lead (TaskLog): to its release, or to what to do for one (409)."""
    base = request.app.state.settings.base_url
    with reading(request.app.state.engine) as session:
        run = own(session, run_id, person)
        if (row := _task_of(session, run, task_id)) is None:
            raise NotFound("There is no such task in this run.")
        return printed.at_its_release(session, run, row, stream, base=base)


@router.post("/runs/{run_id}/cancel")
def cancel_run(request: Request, person: SignedIn, run_id: str) -> RunId:
    """Cancel a run (POST /runs/{run_id}/cancel); CANCELED comes when engine and tasks are gone."""
    state = request.app.state
    with transaction(state.engine) as session:
        run = own(session, run_id, person)
        now_in, actor = RunState(run.state), person.id
        if views.is_quiet(run):  # T6: who asks can read what they did; what came of it tells how the run does
            audit.append(session, Entry(Event.RUN_CANCEL_ASKED, person.id, run.id, run.project, {}))
            actor = ACTOR
        if now_in is RunState.QUEUED and run.lease_owner is None:
            moved = move(run, RunState.CANCELED, actor=actor)
            audit.append(session, moved, *decisions.close(session, run.id, RunState.CANCELED.value.lower()))
        elif now_in not in TERMINAL and now_in is not RunState.CANCELING:
            audit.append(session, move(run, RunState.CANCELING, actor=actor))
    ring(state.settings.sockets / f"run-{run.id}.bell")
    return RunId(run_id=run.id)


@router.post("/runs/{run_id}/resume")
def resume_run(request: Request, person: SignedIn, run_id: str) -> RunId:
    """Have a run go on that ended, and not as COMPLETE; asked for in WES issue 233, and not part of WES 1.1."""
    state = request.app.state
    try:
        with transaction(state.engine) as session:
            run = own(session, run_id, person)
            project = run.project
            resumption.resume(session, person, run, settings=state.settings)
    except NotAllowed as error:
        with transaction(state.engine) as session:
            facts = {"reason": error.detail or error.sentence}
            audit.append(session, Entry(Event.RUN_REFUSED, person.id, run_id, project, facts))
        raise
    queue.enqueue("wes.supervise", run_id)
    return RunId(run_id=run_id)


def own(session: orm.Session, run_id: str, person: Person) -> Run:
    """Return a person's own run."""
    # Another person's run is as unknown as one that never was, everywhere.
    run = find(session, run_id)
    if run is None or run.person != person.id:
        raise NotFound("There is no such run.")
    return run


def _task_of(session: orm.Session, run: Run, task: str) -> RunTask | None:
    return session.scalar(sa.select(RunTask).where(*views.shown_tasks(run), RunTask.task == task))


def _last(session: orm.Session, token: str, person: Person, wanted: Wanted) -> Run:
    last = find(session, paging.last_of(token, caller=person.id, listing=wanted.listing()))
    if last is None or last.person != person.id or not last.name.startswith(wanted.name_prefix):
        raise paging.refused()
    return last


def _workflow(asked: str) -> tuple[str, str]:
    name, slash, version = asked.partition("/")
    if asked and (not NAME.fullmatch(name) or (slash and not VERSION.fullmatch(version))):
        raise BadRequest("workflow: NAME, or NAME/VERSION.")
    return name, version


def _counts(session: orm.Session, person: Person) -> dict[str, int]:
    own_runs = sa.select(Run).where(Run.person == person.id)
    plain = own_runs.where(Run.quiet.is_(False)).with_only_columns(Run.state, sa.func.count()).group_by(Run.state)
    counts = Counter({state: count for state, count in session.execute(plain)})
    counts.update(views.state_of(run).value for run in session.scalars(own_runs.where(Run.quiet).options(*LINE)))
    return dict(counts)
