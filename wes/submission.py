"""Accepts a run: everything is checked, then recorded with its decision and its audit event, then queued."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import orm

from airlock import intake
from airlock.contract import Release
from archive import datasets as archive_datasets
from archive import decisions, queries
from strongroom import audit, projects
from strongroom.audit import Entry, Event
from strongroom.database import now
from strongroom.errors import BadRequest, NotAllowed
from strongroom.identity import Person
from strongroom.projects import Project, Role
from strongroom.settings import Settings
from wes import catalogue
from wes.catalogue import Vetted
from wes.engines import open_engine
from wes.manifest import Slot, check_parameters
from wes.options import check_options, is_whole
from wes.parameters import resolve
from wes.placing import check_places
from wes.remote_jobs import site_of
from wes.rules import WORK
from wes.runs import RunState
from wes.schemas import Form
from wes.store import Run, RunFile, RunTag, open_runs
from wes.stubs import rounded
from wes.turns import Limits, check_room
from wes.vetting import parse_url

MOST_TAGS = 100


@dataclass(frozen=True)
class Chosen:
    """One input file of a run."""

    slot: str
    dataset: str
    name: str
    object: str
    size: int
    clear: bool
    path: str  # where engine and tasks see it, relative to /run/work


@dataclass(frozen=True)
class Admitted:
    """What was decided about an asking: the same for a new run and for one that is resumed (T19)."""

    project: Project
    vetted: Vetted
    chosen: tuple[Chosen, ...]
    datasets: tuple[archive_datasets.Usable, ...]
    config: dict[str, Any]
    options: dict[str, str]
    asked: tuple[queries.Population, ...] = ()
    few: bool = False  # one population is smaller than what may leave must be about

    @property
    def coarse(self) -> bool:
        """Whether one dataset of the run is coarse: then all of the run is."""
        return any(one.observability != "open" for one in self.datasets)

    @property
    def quiet(self) -> bool:
        """Whether its person is not told how it ends (T6): few persons, whose data is not open."""
        return self.few and self.coarse

    @property
    def leaves(self) -> bool:
        """Whether outputs of the run may leave by its contract."""
        return is_whole(self.options) and any(
            rule.release is Release.AIRLOCK for rule in self.vetted.manifest.contract.rules
        )


def submit(session: orm.Session, person: Person, form: Form, *, settings: Settings, hosts: frozenset[str]) -> Run:
    """Record a run of a vetted workflow for `person`, or raise what is wrong with the asking."""
    name, version = parse_url(form.workflow_url, hosts=hosts)
    admitted = admit(session, person, form, workflow=(name, version), settings=settings)
    project, vetted = admitted.project, admitted.vetted
    run = Run(
        id=uuid.uuid4().hex,
        state=RunState.QUEUED.value,
        project=project.id,
        person=person.id,
        name=(form.tags.get("name") or f"{name}/{version}")[:200],
        tags=form.tags,
        coarse=admitted.coarse,
        quiet=admitted.quiet,
        workflow=name,
        version=version,
        digest=vetted.statement.digest,
        contract_schema=vetted.manifest.contract.version,
        policy_version=project.policy_version,
        request=_echo(form, admitted),
        config=admitted.config,
        datasets=sorted({d.id for d in admitted.datasets}),
        created=now(),
        launches=0,
        resumed=0,
    )
    session.add(run)
    session.flush()
    session.add_all(
        RunTag(number=run.number, key=key, value=value, person=run.person) for key, value in form.tags.items()
    )
    _record_files(session, run, admitted.chosen)
    queries.record(
        session,
        admitted.asked,
        run=run.id,
        person=run.person,
        project=run.project,
        workflow=f"{name}/{version}",
        parameters={key: value for key, value in run.config.items() if key != "inputs"},
        leaves=admitted.leaves,
    )
    decision = decisions.record(session, **_decision(run, vetted, settings))
    if run.quiet:
        decisions.keep_quiet(session, run.id)
    facts = {
        "workflow": f"{name}/{version}",
        "digest": run.digest,
        "datasets": run.datasets,
        "files": len(admitted.chosen),
        "free_commands": vetted.manifest.free(),  # T18
        "quiet": run.quiet,
    }
    audit.append(session, Entry(Event.RUN_SUBMITTED, person.id, run.id, project.id, facts), *decision)
    return run


def admit(
    session: orm.Session, person: Person, form: Form, *, workflow: tuple[str, str], settings: Settings
) -> Admitted:
    """Return what a run of `workflow` would be made of; raise if the person may not have it now."""
    project = _project(session, person, form)
    vetted = catalogue.load(settings, *workflow)
    _check_engine(form, vetted)
    options = check_options(vetted.manifest, form.workflow_engine_parameters)
    asked = dict(form.workflow_params)
    chosen, datasets = _inputs(session, project, vetted, asked.pop("inputs", {}))
    datasets += _inboxes(session, project, vetted, settings)
    _check_marked(vetted, chosen)
    check_places(vetted.manifest, chosen, vetted.folder)
    files = {slot.name: [c.path for c in chosen if c.slot == slot.name] for slot in vetted.manifest.slots}
    properties = vetted.manifest.parameters.get("properties") or {}
    policy = intake.policy_of(session, project, settings, datasets=[one.id for one in datasets])
    config = {
        **resolve(
            properties,
            check_parameters(vetted.manifest, asked),
            files,
            vetted.manifest.single(),
            # Nextflow takes a text for the path of an input if it begins at the root.
            WORK if vetted.manifest.engine == "nextflow" else "",
        ),
        "inputs": files,
        "policy": {"min_count": policy.min_count},
    }
    _check_room(session, person, project, settings)
    admitted = Admitted(project, vetted, tuple(chosen), tuple(datasets), config, options)
    asked_about = _asked(session, admitted, settings)
    few = queries.are_few(session, asked_about, settings=settings)
    return replace(admitted, asked=tuple(asked_about), few=few)


def _asked(session: orm.Session, admitted: Admitted, settings: Settings) -> list[queries.Population]:
    # T6: a run whose outputs may leave is a question about persons; what stays inside is written down too.
    by_dataset: dict[str, list[str]] = {}
    for one in admitted.chosen:
        by_dataset.setdefault(one.dataset, []).append(one.object)
    asked = queries.populations(session, by_dataset)
    return queries.check(session, asked, project=admitted.project.id, settings=settings) if admitted.leaves else asked


def _check_room(session: orm.Session, person: Person, project: Project, settings: Settings) -> None:
    # T30: what waits and works at the same time is bounded, a person and a project.
    of_project, of_person = open_runs(session, project=project.id, person=person.id)
    most = Limits(settings.wes.project_runs_open, settings.wes.person_runs_open)
    check_room(project=of_project, person=of_person, most=most)


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
    tags = form.tags.items()
    if len(tags) > MOST_TAGS or not all(isinstance(v, str) and len(v) <= 200 and 0 < len(k) <= 200 for k, v in tags):
        raise BadRequest(
            f"tags: at most {MOST_TAGS}, with short strings only: 200 characters for each key and value."
        )
    projects.check_role(session, person.id, project=name, role=Role.RESEARCHER)
    return projects.open_project(session, name)


def _check_engine(form: Form, vetted: Vetted) -> None:
    version = vetted.manifest.engine_version
    types = open_engine(vetted.manifest.engine).types
    if form.workflow_type.upper() not in types:
        raise BadRequest(f"workflow_type: this workflow is {types[0]} ({vetted.manifest.engine}).")
    if form.workflow_type_version not in (version, version.split(".")[0]):
        raise BadRequest(f"workflow_type_version: this workflow is for {version}.")
    if form.workflow_engine not in (None, "", vetted.manifest.engine):
        raise BadRequest(f"workflow_engine: {vetted.manifest.engine} runs this workflow; leave it out or say so.")
    if form.workflow_engine_version not in (None, "", version):
        raise BadRequest(f"workflow_engine_version: {version} runs this workflow; leave it out or say so.")
    if form.workflow_engine_version and not form.workflow_engine:
        raise BadRequest("workflow_engine: name the engine whose version you ask for.")


def _inputs(
    session: orm.Session, project: Project, vetted: Vetted, asked: Any
) -> tuple[list[Chosen], list[archive_datasets.Usable]]:
    slots = {slot.name: slot for slot in vetted.manifest.slots}
    needed = {slot.name for slot in slots.values() if slot.least > 0}
    if not isinstance(asked, dict) or not needed <= set(asked) <= set(slots):
        raise BadRequest(f"workflow_params.inputs: name a dataset for each of: {', '.join(slots) or 'nothing'}.")
    chosen: list[Chosen] = []
    datasets: dict[str, archive_datasets.Usable] = {}
    for name, slot in slots.items():
        if name not in asked:
            continue
        dataset, names = _wanted(name, asked[name])
        usable = archive_datasets.usable(session, dataset, project=project.id)
        datasets[usable.id] = usable
        chosen.extend(_fill(slot, usable, names))
    return chosen, list(datasets.values())


def _check_marked(vetted: Vetted, chosen: Sequence[Chosen]) -> None:
    # T17: told here so that nobody waits for it; what counts is the mark that the broker signed.
    granted = {one.path for one in vetted.manifest.glimpses.clear}
    for one in chosen:
        if one.path in granted and not one.clear:
            raise NotAllowed(
                f"workflow_params.inputs.{one.slot}: the engine reads {one.name}, which its owner did not mark as "
                "clear; ask them to add it so (`strongroom dataset add --clear`)."
            )


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
    return [
        Chosen(slot.name, usable.id, n, files[n].object, files[n].size, clear=files[n].clear, path=slot.path(n))
        for n in fitting
    ]


def _record_files(session: orm.Session, run: Run, chosen: Sequence[Chosen]) -> None:
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


def _echo(form: Form, admitted: Admitted) -> dict[str, Any]:
    vetted = admitted.vetted
    return {
        "workflow_params": form.workflow_params,
        "workflow_type": open_engine(vetted.manifest.engine).types[0],
        "workflow_type_version": vetted.manifest.engine_version,
        "tags": form.tags,
        "workflow_engine": vetted.manifest.engine,
        "workflow_engine_version": vetted.manifest.engine_version,
        "workflow_engine_parameters": admitted.options,
        "workflow_url": form.workflow_url,
    }
