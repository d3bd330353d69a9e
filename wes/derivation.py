"""Turns a finished run's sealed outputs into a derived dataset, so that workflows chain and nothing leaves (T21)."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from airlock.contract import Release
from archive import datasets
from strongroom import projects
from strongroom.database import reading
from strongroom.errors import Conflict, NotFound
from strongroom.http import SignedIn
from strongroom.projects import Role
from wes import catalogue, retention
from wes.options import is_whole
from wes.runs import RunState
from wes.store import files_of, find

router = APIRouter(prefix="/api/archive/v1")


class FromRun(BaseModel):
    """What a researcher asks for: a run whose outputs shall be a dataset."""

    run: str
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: Annotated[str, Field(max_length=300)] = ""


@router.post("/datasets/from-run")
def derive(request: Request, person: SignedIn, asked: Annotated[FromRun, Body()]) -> dict[str, Any]:
    """Make a derived dataset of the outputs that the contract marks as staying inside; restrictions are inherited."""
    state = request.app.state
    with reading(state.engine) as session:
        run = find(session, asked.run)
        if run is None or run.person != person.id:
            raise NotFound("There is no such run.")
        projects.check_role(session, person.id, project=run.project, role=Role.RESEARCHER)
        if run.quiet:
            # T6: that a dataset of it can be made, and with which files, tells how it ended.
            raise Conflict("This run is about few persons, so what it wrote stays with it; run it on more of them.")
        if run.state != RunState.COMPLETE.value:
            raise Conflict("Only the outputs of a COMPLETE run can become a dataset.")
        if not is_whole(run.request["workflow_engine_parameters"]):
            raise Conflict("This run was told to make a part only; submit it without until and targets.")
        retention.check_kept(run)
        files = files_of(session, run.id)
    contract = catalogue.load(state.settings, run.workflow, run.version).manifest.contract
    inside = {}
    for path, file in files.items():
        rule = contract.rule_for(path)
        if file.rule and file.object and rule and rule.release is Release.INSIDE and not rule.members:
            inside[path] = file.object
    if not inside:
        raise Conflict("This run has no outputs that its contract keeps inside; the others leave by the airlock.")
    made = datasets.derive(
        state.engine,
        settings=state.settings,
        actor=person.id,
        run=run.id,
        project=run.project,
        parents=run.datasets,
        dataset=asked.dataset,
        title=asked.title,
        files=inside,
    )
    return {"dataset": made, "files": sorted(inside)}
