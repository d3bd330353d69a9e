"""Accepts a run: everything is checked, then recorded with its decision and its audit event, then queued."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import orm

from archive import datasets as archive_datasets
from archive import decisions
from strongroom import audit, projects
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import BadRequest, NotAllowed
from strongroom.identity import Person
from strongroom.projects import Project, Role
from strongroom.settings import Settings
from wes import catalogue
from wes.catalogue import Vetted
from wes.manifest import Slot, check_parameters
from wes.remote_jobs import site_of
from wes.runs import RunState
from wes.schemas import Form
from wes.store import Run, RunFile
from wes.stubs import rounded
from wes.vetting import parse_url

TYPES = frozenset({"SMK", "SNAKEMAKE"})
ENGINE_VERSIONS = {"snakemake": "9.27.1"}


@dataclass(frozen=True)
class Chosen:
    """One input file of a run."""

    slot: str
    name: str
    object: str
    size: int
    clear: bool

    @property
    def path(self) -> str:
        """Where engine and tasks see it, relative to /run/work."""
        return f"inputs/{self.slot}/{self.name}"


def submit(session: orm.Session, person: Person, form: Form, *, settings: Settings, hosts: frozenset[str]) -> Run:
    """Record a run of a vetted workflow for `person`, or raise what is wrong with the asking."""
    project = _project(session, person, form)
    name, version = parse_url(form.workflow_url, hosts=hosts)
    vetted = catalogue.load(settings, name, version)
    _check_engine(form, vetted)
    asked = dict(form.workflow_params)
    chosen, datasets = _inputs(session, project, vetted, asked.pop("inputs", {}))
    datasets += _inboxes(session, project, vetted, settings)
    parameters = check_parameters(vetted.manifest, asked)
    coarse = any(d.observability != "open" for d in datasets)
    policy = max(settings.airlock.min_count, project.min_count)
    config = {
        **parameters,
        "inputs": {slot.name: [c.path for c in chosen if c.slot == slot.name] for slot in vetted.manifest.slots},
        "policy": {"min_count": policy},
    }
    run = Run(
        id=uuid.uuid4().hex,
        state=RunState.QUEUED.value,
        project=project.id,
        person=person.id,
        coarse=coarse,
        workflow=name,
        version=version,
        digest=vetted.statement.digest,
        contract_schema=vetted.manifest.contract.version,
        policy_version=project.policy_version,
        request=_echo(form, vetted),
        config=config,
        datasets=sorted({d.id for d in datasets}),
        created=now(),
        launches=0,
    )
    session.add(run)
    session.flush()
    _record_files(session, run, chosen)
    decision = decisions.record(session, **_decision(run, vetted, settings))
    facts = {"workflow": f"{name}/{version}", "digest": run.digest, "datasets": run.datasets, "files": len(chosen)}
    audit.append(session, Entry(Event.RUN_SUBMITTED, person.id, run.id, project.id, facts), *decision)
    return run


def refuse(session: orm.Session, person: Person, form: Form, error: NotAllowed) -> None:
    """Write down that somebody asked for what may not run."""
    project = form.tags.get("project")
    url = form.workflow_url if len(form.workflow_url) <= 150 else "(long)"
    facts = {"workflow_url": url, "reason": error.detail or error.sentence}
    audit.append(session, Entry(Event.RUN_REFUSED, person.id, "run", str(project)[:64] if project else None, facts))


def _project(session: orm.Session, person: Person, form: Form) -> Project:
    name = form.tags.get("project")
    if not isinstance(name, str) or not name:
        raise BadRequest("tags.project: name the project that this run belongs to.")
    if not all(isinstance(k, str) and isinstance(v, str) and len(v) <= 200 for k, v in form.tags.items()):
        raise BadRequest("tags: short strings only.")
    projects.check_role(session, person.id, project=name, role=Role.RESEARCHER)
    return projects.open_project(session, name)


def _check_engine(form: Form, vetted: Vetted) -> None:
    version = vetted.manifest.engine_version
    if form.workflow_type.upper() not in TYPES:
        raise BadRequest("workflow_type: SMK (Snakemake) runs here.")
    if form.workflow_type_version not in (version, version.split(".")[0]):
        raise BadRequest(f"workflow_type_version: this workflow is for {version}.")
    if form.workflow_engine not in (None, "", vetted.manifest.engine):
        raise BadRequest(f"workflow_engine: {vetted.manifest.engine} runs this workflow; leave it out or say so.")
    if form.workflow_engine_version not in (None, "", version):
        raise BadRequest(f"workflow_engine_version: {version} runs this workflow; leave it out or say so.")
    if form.workflow_engine_version and not form.workflow_engine:
        raise BadRequest("workflow_engine: name the engine whose version you ask for.")
    if form.workflow_engine_parameters:
        unknown = sorted(str(k)[:40] for k in form.workflow_engine_parameters)[0]
        raise BadRequest(f"workflow_engine_parameters: {unknown!r} is not allowed; this service allows none.")


def _inputs(
    session: orm.Session, project: Project, vetted: Vetted, asked: Any
) -> tuple[list[Chosen], list[archive_datasets.Usable]]:
    slots = {slot.name: slot for slot in vetted.manifest.slots}
    if not isinstance(asked, dict) or set(asked) != set(slots):
        raise BadRequest(f"workflow_params.inputs: name a dataset for each of: {', '.join(slots) or 'nothing'}.")
    chosen: list[Chosen] = []
    datasets: dict[str, archive_datasets.Usable] = {}
    for name, slot in slots.items():
        dataset, names = _wanted(name, asked[name])
        usable = archive_datasets.usable(session, dataset, project=project.id)
        datasets[usable.id] = usable
        chosen.extend(_fill(slot, usable, names))
    return chosen, list(datasets.values())


def _inboxes(
    session: orm.Session, project: Project, vetted: Vetted, settings: Settings
) -> list[archive_datasets.Usable]:
    """Return the datasets that take what other sites release to this run; the project must be able to use them."""
    sites = {one.site for one in vetted.manifest.remote.values()}
    names = {site_of(settings, site).inbox for site in sites}
    return [archive_datasets.usable(session, name, project=project.id) for name in sorted(names)]


def _wanted(slot: str, asked: Any) -> tuple[str, list[str] | None]:
    if isinstance(asked, str):
        return asked, None
    if isinstance(asked, dict) and set(asked) <= {"dataset", "files"} and isinstance(asked.get("dataset"), str):
        files = asked.get("files")
        if files is None or (isinstance(files, list) and files and all(isinstance(f, str) for f in files)):
            return asked["dataset"], files
    raise BadRequest(f"workflow_params.inputs.{slot}: a dataset's name, or an object with dataset and files.")


def _fill(slot: Slot, usable: archive_datasets.Usable, names: list[str] | None) -> list[Chosen]:
    files = {f.name: f for f in usable.files}
    if names is not None and (not set(names) <= set(files) or len(set(names)) != len(names)):
        raise BadRequest(f"workflow_params.inputs.{slot.name}: a file that this dataset does not have.")
    fitting = slot.chosen(names if names is not None else list(files))
    if names is not None and len(fitting) != len(names):
        raise BadRequest(f"workflow_params.inputs.{slot.name}: files here match {slot.pattern}.")
    if not slot.least <= len(fitting) <= slot.most:
        raise BadRequest(f"workflow_params.inputs.{slot.name}: from {slot.least} to {slot.most} files.")
    return [Chosen(slot.name, n, files[n].object, files[n].size, clear=False) for n in fitting]


def _record_files(session: orm.Session, run: Run, chosen: list[Chosen]) -> None:
    born = int(run.created.timestamp()) * 1_000_000_000
    for place, file in enumerate(chosen):
        session.add(
            RunFile(
                run=run.id,
                path=file.path,
                object=file.object,
                stub_size=file.size if file.clear else rounded(file.size),
                mtime_ns=born + place * 1_000_000,
            )
        )


def _decision(run: Run, vetted: Vetted, settings: Settings) -> dict[str, Any]:
    return {
        "run": run.id,
        "person": run.person,
        "project": run.project,
        "workflow": run.workflow,
        "version": run.version,
        "workflow_digest": run.digest,
        "envelope": vetted.envelope,
        "images": dict(vetted.statement.images),
        "datasets": run.datasets,
        "policy_version": run.policy_version,
        "seconds": settings.wes.run_seconds,
    }


def _echo(form: Form, vetted: Vetted) -> dict[str, Any]:
    return {
        "workflow_params": form.workflow_params,
        "workflow_type": "SMK",
        "workflow_type_version": vetted.manifest.engine_version,
        "tags": form.tags,
        "workflow_engine": vetted.manifest.engine,
        "workflow_engine_version": vetted.manifest.engine_version,
        "workflow_engine_parameters": {},
        "workflow_url": form.workflow_url,
    }
