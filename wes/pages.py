"""Speaks HTML for runs: the list, a run as it goes, the form that starts one, and the code that made it."""

from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy import orm

from archive import datasets
from strongroom import pages, paging
from strongroom.database import reading
from strongroom.errors import BadRequest, NotFound, StrongroomError
from strongroom.pages import Form, Here, PageRoute, Place, go, page
from strongroom.projects import Role, projects_of, roles_of, was_ever_researcher
from wes import api, asking_form, catalogue, views
from wes.engines import open_engine
from wes.listing import Wanted
from wes.listing import page as page_of
from wes.runs import RESUMABLE, TERMINAL, RunState
from wes.schemas import Form as Asking
from wes.store import Run, RunTask, find
from wes.vetting import NotVetted, parse_url

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TEMPLATES = pages.environment(Path(__file__).resolve().parent / "templates")
PLACES = (Place("Runs", "/runs", Role.RESEARCHER),)
A_PAGE, MOST_TASKS = 25, 200
MOST_CODE, MOST_CODE_FILES = 64 << 10, 60


@router.get("/runs")
def own_runs(
    request: Request,
    visitor: Here,
    state: Annotated[str, Query(max_length=40)] = "",
    after: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """List a researcher's runs, newest first."""
    if state and state not in RunState.__members__:
        raise BadRequest("state: not a state of a run.")
    wanted = Wanted(visitor.person.id, state=RunState(state) if state else None)
    with reading(request.app.state.engine) as session:
        last = None
        if after:
            last = find(session, paging.last_of(after, caller=visitor.person.id, listing=wanted.listing()))
            if last is None or last.person != visitor.person.id:
                raise paging.refused()
        rows = page_of(session, wanted, after=last, most=A_PAGE + 1)
        lines = [_line(session, find(session, row.id) or row) for row in rows[:A_PAGE]]
    more = ""
    if len(rows) > A_PAGE:
        more = paging.token(rows[A_PAGE - 1].id, caller=visitor.person.id, listing=wanted.listing())
    return page(
        TEMPLATES,
        request,
        "runs.html",
        visitor,
        lines=lines,
        asked=state,
        states=[one.value for one in RunState],
        more=more,
        live=any(not line["ended"] for line in lines),
    )


@router.get("/runs/new")
def choose_workflow(request: Request, visitor: Here) -> Response:
    """Offer the workflows that may run."""
    settings, found = request.app.state.settings, []
    for one in catalogue.listed(settings):
        try:
            found.append(catalogue.load(settings, one.name, one.version).manifest)
        except NotVetted:
            continue  # waits for signatures, or is a task profile
    return page(TEMPLATES, request, "workflows.html", visitor, workflows=found)


@router.get("/runs/new/{name}/{version}")
def ask_for_run(
    request: Request, visitor: Here, name: str, version: str, project: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Show the form of a run, drawn from the workflow's own schema."""
    manifest = catalogue.load(request.app.state.settings, *parse_url(f"{name}/{version}", hosts=frozenset())).manifest
    with reading(request.app.state.engine) as session:
        mine = projects_of(session, visitor.person.id, Role.RESEARCHER)
        if project and project not in mine:
            raise NotFound("There is no open project of this name.")
        chosen = project or (mine[0] if mine else "")
        usable = _usable(session, visitor.person.id, chosen)
    return page(
        TEMPLATES,
        request,
        "ask.html",
        visitor,
        manifest=manifest,
        fields=asking_form.fields(manifest.parameters, list(manifest.slots)),
        field_name=asking_form.field_name,
        projects=mine,
        project=chosen,
        datasets=usable,
    )


@router.post("/runs")
def start_run(request: Request, visitor: Here, sent: Form) -> Response:
    """Submit a run by the same way that WES takes."""
    url = sent.one("workflow")
    manifest = catalogue.load(request.app.state.settings, *parse_url(url, hosts=frozenset())).manifest
    drawn = asking_form.fields(manifest.parameters, list(manifest.slots))
    tags = {"project": sent.one("project")} | ({"name": sent.one("name")} if sent.one("name") else {})
    form = Asking(
        workflow_params=asking_form.read(drawn, pages.fields_of(sent)),
        workflow_type=open_engine(manifest.engine).types[0],
        workflow_type_version=manifest.engine_version,
        workflow_url=url,
        tags=tags,
    )
    return go(f"/runs/{api.accept(request, visitor.person, form)}")


@router.get("/runs/{run_id}")
def own_run(request: Request, visitor: Here, run_id: str) -> Response:
    """Show one run as far as its data lets a researcher see it (T4)."""
    with reading(request.app.state.engine) as session:
        run = api.own(session, run_id, visitor.person)
        done = views.done(session, run)
        query = sa.select(RunTask).where(*views.shown_tasks(run)).order_by(RunTask.number.desc()).limit(MOST_TASKS)
        tasks = [views.task(run, row, base="") for row in session.scalars(query)]
    shown = views.whole(run, {}, done=done, base="")
    state = views.state_of(run)
    return page(
        TEMPLATES,
        request,
        "run.html",
        visitor,
        run=shown,
        line=_facts(run, done, shown.outputs["progress"]["tasks_planned"]),
        called=run.name,
        tasks=tasks,
        coarse=run.coarse,
        datasets=run.datasets,
        ended=state in TERMINAL,
        may_resume=state in RESUMABLE,
        may_cancel=state not in TERMINAL and state is not RunState.CANCELING,
    )


@router.get("/runs/{run_id}/events")
async def run_events(
    request: Request, visitor: Here, run_id: str, last_event_id: Annotated[str, Header(max_length=200)] = ""
) -> Response:
    """Tell a run's progress to its page as it happens."""
    return await api.get_run_events(request, visitor.person, run_id, last_event_id)


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, visitor: Here, run_id: str, _: Form) -> Response:
    """Cancel a run."""
    api.cancel_run(request, visitor.person, run_id)
    return go(f"/runs/{run_id}")


@router.post("/runs/{run_id}/resume")
def resume(request: Request, visitor: Here, run_id: str, _: Form) -> Response:
    """Have a run go on that ended, and not as COMPLETE."""
    api.resume_run(request, visitor.person, run_id)
    return go(f"/runs/{run_id}")


@router.get("/code/{run_id}")
def code(request: Request, visitor: Here, run_id: str) -> Response:
    """Show the signed workflow that made a run's outputs, to its person and to the project's stewards."""
    with reading(request.app.state.engine) as session:
        run = find(session, run_id)
        if run is None or not (run.person == visitor.person.id or _is_steward(session, visitor.person.id, run)):
            raise NotFound("There is no such run.")
    statement, folder = catalogue.stored(request.app.state.settings, run.workflow, run.version)
    if statement.digest != run.digest:
        raise NotFound("The code of this run is not kept any more.")
    parameters = {key: value for key, value in run.request["workflow_params"].items() if key != "inputs"}
    settings = request.app.state.settings
    return page(
        TEMPLATES,
        request,
        "code.html",
        visitor,
        run=run,
        parameters=parameters,
        files=_texts(folder),
        signed_by=catalogue.signed_by(settings, run.workflow, run.version),
        free=catalogue.free_commands(settings, statement),
    )


def _is_steward(session: orm.Session, person: str, run: Run) -> bool:
    steward = Role.STEWARD in roles_of(session, person, run.project)
    return steward and not was_ever_researcher(session, person, run.project)  # T28


def _texts(folder: Path) -> list[tuple[str, str]]:
    """Return the text files of a signed folder, bounded, each odd character made visible."""
    found = []
    for file in sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())[:MOST_CODE_FILES]:
        raw = file.read_bytes()[: MOST_CODE + 1]
        text = raw[:MOST_CODE].decode("utf-8", "replace")
        shown = "".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in text)
        found.append((str(file.relative_to(folder)), shown + ("\n…" if len(raw) > MOST_CODE else "")))
    return found


def _usable(session: orm.Session, person: str, project: str) -> list[str]:
    found = []
    for row in datasets.visible(session, person):
        try:
            found.append(datasets.usable(session, row.id, project=project).id)
        except StrongroomError:
            continue  # of another project, or taken back
    return sorted(found)


def _line(session: orm.Session, run: Run) -> dict[str, Any]:
    done = views.done(session, run)
    return _facts(run, done, views.whole(run, {}, done=done, base="").outputs["progress"]["tasks_planned"])


def _facts(run: Run, done: int, planned: int | None) -> dict[str, Any]:
    line = views.line(run)
    return {
        "id": run.id,
        "name": run.name,
        "workflow": f"{run.workflow}/{run.version}",
        "state": views.state_of(run),
        "project": run.project,
        "done": done,
        "planned": planned,
        "ended": views.state_of(run) in TERMINAL,
        "start": line.get("start_time"),
        "end": line.get("end_time"),
    }
