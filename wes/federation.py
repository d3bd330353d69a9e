"""Makes a run of one task out of what a federated client asks for: only what a signed profile describes (T3, T29)."""

import re
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import delivery
from airlock.delivery import client_of
from archive import datasets as archive_datasets
from archive import decisions, queries
from strongroom import audit, outside, projects
from strongroom.audit import Entry, Event
from strongroom.canonical import digest
from strongroom.database import transaction
from strongroom.errors import BadRequest, NotAllowed, NotFound, TooMany
from strongroom.identity import Person
from strongroom.networks import FederatedClient
from strongroom.projects import Role
from strongroom.settings import Settings
from tes import federation as tasks
from tes import outside_inputs
from tes.federation import Admitted, Delivered, NewTask
from tes.profiles import Fit, Given, Misfit, Template, fit
from wes import catalogue
from wes.catalogue import VettedProfile
from wes.profiles import needed_with, releasable

_DRS = re.compile(r"drs://([a-z0-9.:-]{1,260})/([0-9a-f]{32})")
_NAMED = re.compile(r"strongroom://dataset/([a-z0-9][a-z0-9-]{0,63})/([A-Za-z0-9_][A-Za-z0-9._+=/-]{0,299})")


@dataclass(frozen=True)
class Granted:
    """A file of a dataset that a client's tasks may read."""

    dataset: str
    name: str
    object: str


class Federation:
    """What the TES interface hands federated creates to; lives as long as the application, and counts how often."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self.settings, self.engine = settings, engine
        self.pace = tasks.Pace(time.monotonic)

    def check_pace(self, person: Person) -> None:
        """Count one attempt of a client to create a task; raise `TooMany` when its minute is full."""
        self.pace.check(_client(self.settings, person))

    def create(self, person: Person, task: NewTask, *, key: str) -> str:
        """Return the id of a task made for this end user, or of the one that this key made; refusals are audited."""
        try:
            try:
                return self._create(person, task, key=key)
            except sa.exc.IntegrityError:  # another create with this key was quicker: it is there now
                return self._create(person, task, key=key)
        except (NotAllowed, BadRequest) as refusal:
            client = _client(self.settings, person)
            facts = {"client": client.name, "issuer": person.issuer, "reason": refusal.sentence[:300]}
            with transaction(self.engine) as session:
                audit.append(session, Entry(Event.TASK_REFUSED, person.id, "task", client.project, facts))
            raise

    def _create(self, person: Person, task: NewTask, *, key: str) -> str:
        profiles = list(catalogue.profiles(self.settings))  # before the transaction: digests take time, and it locks
        with transaction(self.engine) as session:
            return create(session, person, task, key=key, profiles=profiles, settings=self.settings)

    def delivered(self, session: orm.Session, run: str) -> list[Delivered]:
        """Return what of a federated run reached its place."""
        root = tasks.WORK
        return [Delivered(one.url, f"{root}/{one.path}", one.size) for one in delivery.arrived(session, run)]


def create(
    session: orm.Session,
    person: Person,
    task: NewTask,
    *,
    key: str,
    profiles: Sequence[VettedProfile],
    settings: Settings,
) -> str:
    """Record a federated task with a run, decision and run key of its own; raise what is wrong with the asking.

    `profiles` are those that are vetted now; the dispatcher and the broker verify the chosen one again.
    """
    client = _client(settings, person)
    kept_key = tasks.idempotency_key(person.id, key)
    body = digest({"request": task.model_dump(mode="json", exclude_none=True), "person": person.id})
    known = tasks.known(session, client.name, key=kept_key, body=body)
    if known is not None:
        return known.id
    check_rights(session, person, client)
    _check_caps(session, client)
    vetted, found = chosen(task, profiles)
    granted = inputs(session, client, found.inputs, template=vetted.profile.template, settings=settings)
    check_outputs(vetted, found, client=client, settings=settings)
    used = sorted({one.dataset for one in granted if one is not None})
    asked = _asked(session, client, granted, settings=settings)
    run, recorded = _decide(session, person, client, vetted=vetted, datasets=used, settings=settings)
    _note_query(session, person, client, vetted, found, run=run, asked=asked)
    admitted = Admitted(
        run, kept_key, body, vetted.profile.template, tuple(None if one is None else one.object for one in granted)
    )
    made = tasks.admit(session, task, admitted, client=client, limits=settings.tes)
    profile = f"{vetted.statement.workflow}/{vetted.statement.version}"
    signed = vetted.statement.digest
    tasks.remember(
        session, made, run=run, person=person, profile=profile, digest=signed, datasets=used, deliveries=found.outputs
    )
    facts = {
        "profile": profile,
        "digest": signed,
        "datasets": used,
        "client": client.name,
        "issuer": person.issuer,
        "run": run,
        "values": dict(found.values),
        "deliveries": {path: delivery.digest_of(url) for path, url in found.outputs.items()},
        "outside": {
            given.path: delivery.digest_of(given.url)
            for given, one in zip(found.inputs, granted, strict=True)
            if one is None
        },
    }
    audit.append(session, Entry(Event.TASK_FEDERATED, person.id, made, client.project, facts), *recorded)
    return made


def _asked(
    session: orm.Session, client: FederatedClient, granted: Sequence[Granted | None], *, settings: Settings
) -> list[queries.Population]:
    # T6: even a task without outputs is a question about persons, for it tells how it ended (T3).
    by_dataset: dict[str, list[str]] = {}
    for one in granted:
        if one is not None:
            by_dataset.setdefault(one.dataset, []).append(one.object)
    asked = queries.populations(session, by_dataset)
    return queries.check(session, asked, project=client.project, settings=settings)


def _note_query(
    session: orm.Session,
    person: Person,
    client: FederatedClient,
    vetted: VettedProfile,
    found: Fit,
    *,
    run: str,
    asked: Sequence[queries.Population],
) -> None:
    queries.record(
        session,
        asked,
        run=run,
        person=person.id,
        project=client.project,
        workflow=f"{vetted.statement.workflow}/{vetted.statement.version}",
        parameters=dict(found.values),
        leaves=True,
    )


def _decide(
    session: orm.Session,
    person: Person,
    client: FederatedClient,
    *,
    vetted: VettedProfile,
    datasets: Sequence[str],
    settings: Settings,
) -> tuple[str, list[Entry]]:
    """Record that a run of its own may use these datasets by this profile; return the run and its audit entries."""
    run, statement = uuid.uuid4().hex, vetted.statement
    recorded = decisions.record(
        session,
        run=run,
        person=person.id,
        project=client.project,
        workflow=statement.workflow,
        version=statement.version,
        workflow_digest=statement.digest,
        envelope=vetted.envelope,
        images=dict(statement.images),
        datasets=datasets,
        policy_version=projects.open_project(session, client.project).policy_version,
        seconds=settings.wes.run_seconds,
    )
    return run, recorded


def check_rights(session: orm.Session, person: Person, client: FederatedClient) -> None:
    """Raise unless the end user may use the client's project now (T29).

    The seam for passports: their visas are another way to this right, asked at create, at grant and at release alike.
    """
    try:
        projects.open_project(session, client.project)
        projects.check_role(session, person.id, project=client.project, role=Role.RESEARCHER)
    except (NotFound, NotAllowed) as error:
        raise NotAllowed(
            "You are not a researcher of the project that this network's tasks belong to; ask its operator.",
            detail=f"{person.id} in {client.project}",
        ) from error


def chosen(task: NewTask, profiles: Sequence[VettedProfile]) -> tuple[VettedProfile, Fit]:
    """Return the signed profile that describes the task, by its content alone; of versions the newest.

    Raises `NotAllowed` with the field that keeps the task from the profile that it comes nearest to.
    """
    fitting: dict[str, tuple[VettedProfile, Fit]] = {}
    nearest: tuple[int, str, str] | None = None
    for vetted in sorted(profiles, key=_version):
        name = vetted.statement.workflow
        try:
            fitting[name] = (vetted, fit(task, vetted.profile.template))
        except Misfit as misfit:
            if nearest is None or misfit.depth >= nearest[0]:
                nearest = (misfit.depth, f"{name}/{vetted.statement.version}", misfit.sentence)
    if len(fitting) > 1:
        names = ", ".join(sorted(fitting))
        raise NotAllowed(f"Several signed profiles describe this task ({names}); ask the operator.")
    if fitting:
        return next(iter(fitting.values()))
    if nearest is None:
        raise NotAllowed("executors: no task profile is signed here yet; ask the operator.")
    raise NotAllowed(f"{nearest[2]} Only tasks of signed profiles run here; the nearest one is {nearest[1]}.")


def inputs(
    session: orm.Session,
    client: FederatedClient,
    wanted: Sequence[Given],
    *,
    template: Template,
    settings: Settings,
) -> list[Granted | None]:
    """Return the dataset files behind the inputs' URLs, in order; what is not granted is as unknown as none.

    None stands for a file of another site that this client may name, in a role that the profile opens to such files.
    """
    granted: list[Granted] = []
    for name in client.datasets if wanted else ():
        try:
            usable = archive_datasets.usable(session, name, project=client.project)
        except NotFound:
            continue  # not shared with the project any more
        granted += [Granted(usable.id, file.name, file.object) for file in usable.files]
    open_roles = {one.role for one in template.inputs if one.outside}
    ours = {f"{settings.http.host}:{settings.http.port}", *settings.federation.hosts}
    found: list[Granted | None] = []
    for given in wanted:
        if outside_inputs.is_outside(given.url, ours):
            _check_outside(given, client, open_roles, settings=settings)
            found.append(None)
        else:
            found.append(_input(given, granted))
    return found


def _check_outside(given: Given, client: FederatedClient, roles: Collection[str], *, settings: Settings) -> None:
    field = f"inputs[{given.index}].url"
    outside_inputs.check_input(given.url, field, client, settings.federation)
    if given.role not in roles:
        raise BadRequest(f"{field}: in this role the signed profile takes files of this site only.")


def _input(given: Given, granted: Sequence[Granted]) -> Granted:
    field = f"inputs[{given.index}].url"
    if named := _NAMED.fullmatch(given.url):
        found = [one for one in granted if (one.dataset, one.name) == (named[1], named[2])]
    elif drs := _DRS.fullmatch(given.url):
        found = [one for one in granted if one.object == drs[2]]
    else:
        raise BadRequest(
            f"{field}: drs://HOST/OBJECT, https://HOST/PATH, s3://BUCKET/KEY or strongroom://dataset/NAME/FILE; "
            "nothing else is read."
        )
    if not found:
        raise BadRequest(f"{field}: there is no such file among the datasets that this client was granted.")
    if given.path.rpartition("/")[2] != found[0].name.rpartition("/")[2]:
        raise BadRequest(f"inputs[{given.index}].path: its last part is the file's own name.")
    return found[0]


def check_outputs(vetted: VettedProfile, found: Fit, *, client: FederatedClient, settings: Settings) -> None:
    """Raise unless each output that is asked for can leave by its contract, for a host that is listed (T29)."""
    unsafe = settings.federation.unsafe_hosts
    for n, (path, url) in enumerate(found.outputs.items()):
        if not releasable(vetted.profile, path):
            raise BadRequest(f"outputs[{n}].path: the profile's contract keeps this file inside; leave it out.")
        missing = set(needed_with(vetted.profile, path)) - set(found.outputs)
        if missing:
            raise BadRequest(f"outputs[{n}].path: leaves only with {sorted(missing)[0]}, which holds its numbers.")
        place = outside.parse_place(url, f"outputs[{n}].url")
        outside.check_listed(place, allowed=client.output_hosts, unsafe=unsafe, field=f"outputs[{n}].url")


def _check_caps(session: orm.Session, client: FederatedClient) -> None:
    if tasks.open_tasks(session, client.name) >= client.open_tasks:
        raise TooMany(f"At most {client.open_tasks} tasks of this client are open at once; wait for one.", seconds=60)


def _client(settings: Settings, person: Person) -> FederatedClient:
    found = client_of(settings, person.client or "")
    if found is None:
        raise NotAllowed("This client is not served any more.")
    return found


def _version(vetted: VettedProfile) -> tuple[int, ...]:
    return tuple(int(part) for part in vetted.statement.version.split("."))
