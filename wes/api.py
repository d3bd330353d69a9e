"""Speaks GA4GH WES 1.1 over HTTP."""

import json
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from sqlalchemy import orm
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

import strongroom
from strongroom import audit, paging, queue
from strongroom.bells import ring
from strongroom.database import reading, transaction
from strongroom.errors import BadRequest, NotAllowed, NotFound
from strongroom.http import SignedIn
from strongroom.identity import Person
from wes import submission
from wes.runs import TERMINAL, RunState
from wes.schemas import (
    Form,
    Log,
    RunId,
    RunList,
    RunLog,
    RunRequest,
    RunStatus,
    RunSummary,
    TaskList,
    TaskLog,
)
from wes.store import Run, RunFile, RunTask, files_of, find, move

PREFIX = "/ga4gh/wes/v1"
TES = "/ga4gh/tes/v1/tasks"
JSON_FIELDS = ("workflow_params", "tags", "workflow_engine_parameters")
TEXT_FIELDS = ("workflow_type", "workflow_type_version", "workflow_url", "workflow_engine", "workflow_engine_version")
REQUIRED = ("workflow_type", "workflow_type_version", "workflow_url")
# WES 1.1 has fields of JSON and of text side by side in a form; the route reads it field by field.
_PROPERTIES = {name: {"type": "string"} for name in (*TEXT_FIELDS, *JSON_FIELDS)}
_SCHEMA = {"type": "object", "properties": _PROPERTIES, "required": list(REQUIRED)}
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}}
router = APIRouter(prefix=PREFIX)


@router.get("/service-info")
def service_info(request: Request) -> dict[str, Any]:
    """Return `ServiceInfo` (GET /service-info); open to all, so its counts are left empty (T24)."""
    settings = request.app.state.settings
    versions = sorted(submission.ENGINE_VERSIONS.values())
    return {
        "id": "org.strongroom.wes",
        "name": "Strongroom WES",
        "type": {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"},
        "description": "Runs vetted workflows on sensitive data; results leave through an airlock.",
        "organization": {"name": "Strongroom", "url": settings.base_url},
        "version": strongroom.__version__,
        "workflow_type_versions": {"SMK": {"workflow_type_version": versions}},
        "supported_wes_versions": ["1.1.0"],
        "supported_filesystem_protocols": [],
        "workflow_engine_versions": {"snakemake": {"workflow_engine_version": versions}},
        "default_workflow_engine_parameters": [],
        "system_state_counts": {},
        "auth_instructions_url": f"{settings.base_url}/",
        "tags": {},
    }


@router.post("/runs", openapi_extra=FORM)
async def run_workflow(request: Request, person: SignedIn) -> RunId:
    """Submit a run (POST /runs, multipart/form-data); no attachments, vetted workflows only."""
    form = _form(await _fields(request))
    state = request.app.state

    def record() -> str:
        try:
            with transaction(state.engine) as session:
                hosts = frozenset({f"{state.settings.http.host}:{state.settings.http.port}"})
                return submission.submit(session, person, form, settings=state.settings, hosts=hosts).id
        except NotAllowed as error:
            with transaction(state.engine) as session:
                submission.refuse(session, person, form, error)
            raise

    run = await run_in_threadpool(record)
    await run_in_threadpool(queue.enqueue, "wes.supervise", run)
    return RunId(run_id=run)


@router.get("/runs", response_model_exclude_none=True)
def list_runs(
    request: Request,
    person: SignedIn,
    page_size: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: str = "",
) -> RunList:
    """List the caller's runs, newest first (GET /runs)."""
    listing = {"of": "runs"}
    query = sa.select(Run).where(Run.person == person.id).order_by(Run.number.desc()).limit(page_size + 1)
    with reading(request.app.state.engine) as session:
        if page_token:
            last = find(session, paging.last_of(page_token, caller=person.id, listing=listing))
            if last is None or last.person != person.id:
                raise paging.refused()
            query = query.where(Run.number < last.number)
        rows = list(session.scalars(query))
    more = len(rows) > page_size
    token = paging.token(rows[page_size - 1].id, caller=person.id, listing=listing) if more else ""
    return RunList(runs=[_summary(row) for row in rows[:page_size]], next_page_token=token)


@router.get("/runs/{run_id}", response_model_exclude_none=True)
def get_run(request: Request, person: SignedIn, run_id: str) -> RunLog:
    """Return one run (GET /runs/{run_id})."""
    settings = request.app.state.settings
    with reading(request.app.state.engine) as session:
        run = _own(session, run_id, person)
        files = files_of(session, run.id) if run.state == RunState.COMPLETE.value else {}
        done = _done(session, run)
    return RunLog(
        run_id=run.id,
        request=RunRequest(**run.request),
        state=RunState(run.state),
        run_log=Log(
            name=f"{run.workflow}/{run.version}",
            start_time=_time(run.started, coarse=run.coarse),
            end_time=_time(run.ended, coarse=run.coarse),
            system_logs=[run.reason] if run.reason else None,
        ),
        task_logs_url=f"{settings.base_url}{PREFIX}/runs/{run.id}/tasks",
        outputs=_outputs(run, files, done),
    )


@router.get("/runs/{run_id}/status")
def get_run_status(request: Request, person: SignedIn, run_id: str) -> RunStatus:
    """Return a run's state (GET /runs/{run_id}/status)."""
    with reading(request.app.state.engine) as session:
        run = _own(session, run_id, person)
    return RunStatus(run_id=run.id, state=RunState(run.state))


@router.get("/runs/{run_id}/tasks", response_model_exclude_none=True)
def list_run_tasks(
    request: Request,
    person: SignedIn,
    run_id: str,
    page_size: Annotated[int, Query(ge=1, le=2000)] = 500,
    page_token: str = "",
) -> TaskList:
    """List the tasks of a run, oldest first (GET /runs/{run_id}/tasks)."""
    listing = {"of": "tasks", "run": run_id}
    with reading(request.app.state.engine) as session:
        run = _own(session, run_id, person)
        query = sa.select(RunTask).where(RunTask.run == run.id)
        if page_token:
            last = _task_of(session, run, paging.last_of(page_token, caller=person.id, listing=listing))
            if last is None:
                raise paging.refused()
            query = query.where(RunTask.number > last.number)
        rows = list(session.scalars(query.order_by(RunTask.number).limit(page_size + 1)))
    more = len(rows) > page_size
    token = paging.token(rows[page_size - 1].task, caller=person.id, listing=listing) if more else ""
    base = request.app.state.settings.base_url
    return TaskList(task_logs=[_task(run, row, base) for row in rows[:page_size]], next_page_token=token)


@router.get("/runs/{run_id}/tasks/{task_id}", response_model_exclude_none=True)
def get_run_task(request: Request, person: SignedIn, run_id: str, task_id: str) -> TaskLog:
    """Return one task of a run (GET /runs/{run_id}/tasks/{task_id})."""
    with reading(request.app.state.engine) as session:
        run = _own(session, run_id, person)
        row = _task_of(session, run, task_id)
    if row is None:
        raise NotFound("There is no such task in this run.")
    return _task(run, row, request.app.state.settings.base_url)


@router.post("/runs/{run_id}/cancel")
def cancel_run(request: Request, person: SignedIn, run_id: str) -> RunId:
    """Cancel a run (POST /runs/{run_id}/cancel); CANCELED comes when engine and tasks are gone."""
    state = request.app.state
    with transaction(state.engine) as session:
        run = _own(session, run_id, person)
        now_in = RunState(run.state)
        if now_in is RunState.QUEUED and run.lease_owner is None:
            audit.append(session, move(run, RunState.CANCELED, actor=person.id))
        elif now_in not in TERMINAL and now_in not in (RunState.CANCELING, RunState.QUEUED):
            audit.append(session, move(run, RunState.CANCELING, actor=person.id))
    ring(state.settings.sockets / f"run-{run.id}.bell")
    return RunId(run_id=run.id)


async def _fields(request: Request) -> FormData | dict[str, Any]:
    kind = request.headers.get("content-type", "").split(";")[0].strip()
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await request.form(max_files=1, max_fields=20)
    raise BadRequest("POST /runs takes multipart/form-data (WES 1.1).")


def _form(fields: FormData | dict[str, Any]) -> Form:
    values: dict[str, Any] = {}
    for name, value in fields.items() if isinstance(fields, dict) else fields.multi_items():
        if isinstance(value, UploadFile) or name == "workflow_attachment":
            raise BadRequest("workflow_attachment: not accepted; only vetted workflows run, with files of datasets.")
        if name not in JSON_FIELDS and name not in TEXT_FIELDS:
            raise BadRequest(f"{name[:60]!r} is not a field of POST /runs.")
        if name in values:
            raise BadRequest(f"{name}: given twice.")
        values[name] = _json(name, value) if name in JSON_FIELDS else str(value)
    for name in REQUIRED:
        if not values.get(name):
            raise BadRequest(f"{name} is required.")
    return Form(**values)


def _json(name: str, value: Any) -> dict[str, Any]:
    try:
        parsed = json.loads(value) if value else {}
        # Python reads NaN, infinities and lone surrogates, which nothing after this could write again.
        json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name}: a JSON object was expected.") from error
    if not isinstance(parsed, dict):
        raise BadRequest(f"{name}: a JSON object was expected.")
    return parsed


def _own(session: orm.Session, run_id: str, person: Person) -> Run:
    # Another person's run is as unknown as one that never was, everywhere.
    run = find(session, run_id)
    if run is None or run.person != person.id:
        raise NotFound("There is no such run.")
    return run


def _task_of(session: orm.Session, run: Run, task: str) -> RunTask | None:
    return session.scalar(sa.select(RunTask).where(RunTask.run == run.id, RunTask.task == task))


def _summary(run: Run) -> RunSummary:
    return RunSummary(
        run_id=run.id,
        state=RunState(run.state),
        start_time=_time(run.started, coarse=run.coarse),
        end_time=_time(run.ended, coarse=run.coarse),
        tags=run.request["tags"],
    )


def _task(run: Run, row: RunTask, base: str) -> TaskLog:
    return TaskLog(
        id=row.task,
        name=row.name,
        start_time=_time(row.started, coarse=run.coarse),
        end_time=_time(row.ended, coarse=run.coarse),
        exit_code=None if run.coarse else row.exit_code,
        system_logs=[row.state],
        tes_uri=f"{base}{TES}/{row.task}",
    )


def _done(session: orm.Session, run: Run) -> int:
    return (
        session.scalar(
            sa.select(sa.func.count()).select_from(RunTask).where(RunTask.run == run.id, RunTask.state == "COMPLETE")
        )
        or 0
    )


def _outputs(run: Run, files: dict[str, RunFile], done: int) -> dict[str, Any]:
    # Results leave through the airlock; here stands only how far the work is (T4).
    progress = {"tasks_done": done, "tasks_planned": run.planned_tasks}
    if run.state != RunState.COMPLETE.value:
        return {"progress": progress}
    names = [] if run.coarse else sorted(path for path, file in files.items() if file.rule is not None)
    return {"progress": progress, "files": names, "airlock": f"/api/airlock/v1/outputs?run={run.id}"}


def _time(value: datetime | None, *, coarse: bool) -> str | None:
    if value is None:
        return None
    moment = value.replace(second=0, microsecond=0) if coarse else value.replace(microsecond=0)
    return moment.isoformat().replace("+00:00", "Z")
