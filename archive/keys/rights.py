"""Decides whether keys may be granted for a work order (pure); every rule says why not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from archive.facts import DatasetFacts, Decision, ObjectFacts
from archive.keys.orders import Asking
from archive.keys.purposes import UPLOAD, Kind, Purpose, Role
from strongroom import projects
from strongroom.errors import NotAllowed


class KeysRefused(NotAllowed):
    """No key is given: what the order asks for is not this attempt's to have."""


@dataclass(frozen=True)
class Standing:
    """What the tables say at this moment about those whom an order names."""

    decision: Decision | None
    project_open: bool
    roles: frozenset[projects.Role]
    ever_researcher: bool
    datasets: Mapping[str, DatasetFacts]  # those of the decision and of the objects, with all ancestors


@dataclass(frozen=True)
class Vetted:
    """What a workflow's envelope says, and which trusted vetters signed it: persons, or keys of nobody named."""

    statement: Mapping[str, Any]
    signed_by: frozenset[str]


def check_rights(asking: Asking, standing: Standing, moment: datetime) -> Decision:
    """Return the decision under which these persons may do this now; raise `KeysRefused` otherwise."""
    decision = standing.decision
    if decision is None or decision.project != asking.project:
        raise KeysRefused("There is no decision that allows this.")
    if not standing.project_open:
        raise KeysRefused("The project has ended; no more keys are given for it.")
    match asking.kind:
        case Kind.TASK:
            if asking.person != decision.person:
                raise KeysRefused("This is another person's run.")
            _check_at_work(decision, standing, moment)
        case Kind.REPACK | Kind.CHECK | Kind.MEMBERS:
            _check_complete(decision)
            if asking.person != decision.person:
                raise KeysRefused("This is another person's run.")
        case Kind.VIEW:
            _check_complete(decision)
            _check_steward(standing)
        case _:
            assert_never(asking.kind)
    return decision


def check_reads(standing: Standing, one: ObjectFacts, vetted: Vetted, moment: datetime) -> None:
    """Raise `KeysRefused` unless a run's engine may read this file now (T17).

    Two keys turn: its owner marked the file when it came, and the vetters signed that this workflow reads it.
    """
    decision = standing.decision
    if decision is None:
        raise KeysRefused("There is no decision that allows this.")
    if not standing.project_open:
        raise KeysRefused("The project has ended; no more keys are given for it.")
    _check_at_work(decision, standing, moment)
    check_usable(one.ancestors, standing.datasets)
    if one.purpose != Purpose.STORE or not _is_readable(Kind.TASK, decision, one):
        raise KeysRefused("This file does not belong to the datasets of this run.")
    if not one.clear:
        raise KeysRefused("The owner of this file did not mark it as clear.")
    granted = [grant for grant in vetted.statement.get("clear", ()) if grant["file"] == one.clear]
    if not granted:
        raise KeysRefused("The vetters signed no clear file of this name for this workflow.")
    if one.size > max(grant["most"] * (grant["longest"] + 1) for grant in granted):
        raise KeysRefused("This file is larger than the vetters signed.")


def _check_at_work(decision: Decision, standing: Standing, moment: datetime) -> None:
    if not decision.is_open(moment):
        raise KeysRefused("The run has ended or its permission has expired.")
    if projects.Role.RESEARCHER not in standing.roles:
        raise KeysRefused("Who started the run is not a researcher of the project any more.")
    check_usable(decision.datasets, standing.datasets)


def _check_complete(decision: Decision) -> None:
    # T16: intake takes files of COMPLETE runs only.
    if not decision.is_complete():
        raise KeysRefused("The run has not come to its good end; nothing of it goes to the airlock.")


def _check_steward(standing: Standing) -> None:
    if projects.Role.STEWARD not in standing.roles:
        raise KeysRefused("Only a data steward of the project looks at files in the airlock.")
    if standing.ever_researcher:
        raise KeysRefused("Who is or was a researcher of this project cannot be its steward.")


def check_usable(wanted: Collection[str], known: Mapping[str, DatasetFacts]) -> None:
    """Raise unless every dataset and every ancestor of it is shared with the project now and not deleted (T21)."""
    waiting, seen = list(wanted), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = known.get(name)
        if found is None or found.deleted:
            raise KeysRefused("A dataset of this run, or one that it was derived from, is deleted.")
        if not found.shared:
            raise KeysRefused("A dataset of this run, or one that it was derived from, is not shared any more.")
        waiting.extend(found.ancestors)


def check_objects(
    asking: Asking, decision: Decision, objects: Collection[ObjectFacts], known: Mapping[str, DatasetFacts]
) -> None:
    """Raise unless each object is this attempt's to read, and all that it comes from is still usable (T11, T21)."""
    if {one.object for one in objects} != set(asking.objects):
        raise KeysRefused("An object of this order is not there.")
    for one in objects:
        if not _is_readable(asking.kind, decision, one):
            raise KeysRefused("An object of this order does not belong to this run.")
    check_usable({name for one in objects for name in one.ancestors}, known)


def _is_readable(kind: Kind, decision: Decision, one: ObjectFacts) -> bool:
    of_this_run = one.run == decision.run and one.project == decision.project
    made_here = one.purpose == Purpose.RUN and one.owner == decision.run and of_this_run
    # What was derived for one project is of no use in another, even if a row of the database says so.
    stored = one.purpose == Purpose.STORE and one.owner in decision.datasets
    stored = stored and one.project in (None, decision.project)
    taken_in = one.purpose == Purpose.AIRLOCK and one.owner == decision.project and of_this_run
    released_form = taken_in and one.kind == Kind.REPACK and one.role == Role.OUTPUT
    # What waits in quarantine is read by checks and stewards' eyes, and by no task.
    waits = one.purpose == Purpose.QUARANTINE and one.owner == decision.run and of_this_run and one.kind == UPLOAD
    match kind:
        case Kind.TASK:
            return (stored or made_here) and one.role == Role.OUTPUT
        case Kind.REPACK:
            return made_here  # what a task printed as well: what comes out is the airlock's own copy
        case Kind.MEMBERS:
            return made_here and one.kind == Kind.TASK and one.role == Role.OUTPUT
        case Kind.CHECK | Kind.VIEW:
            return released_form or waits
        case _:
            assert_never(kind)


def check_images(asking: Asking, *, vetted: Vetted | None, checks_image: str | None) -> None:
    """Raise unless every image was signed for this: images of the workflow, or the one of inspections."""
    match asking.kind:
        case Kind.TASK:
            if vetted is None or not set(asking.images) <= set(dict(vetted.statement["images"]).values()):
                raise KeysRefused("An image of this task is not among those that the vetters signed.")
        case Kind.REPACK | Kind.CHECK | Kind.VIEW | Kind.MEMBERS:
            if checks_image is None or set(asking.images) != {checks_image}:
                raise KeysRefused("Inspections run in the one image that the operator pinned.")
        case _:
            assert_never(asking.kind)


def check_vetted(vetted: Vetted, decision: Decision, *, signatures: int) -> None:
    """Raise unless enough distinct vetters signed exactly the workflow that the decision names (T23)."""
    if len(vetted.signed_by) < signatures:
        raise KeysRefused("The workflow does not carry the signatures of enough vetters.")
    said = (vetted.statement.get("workflow"), vetted.statement.get("version"), vetted.statement.get("digest"))
    if said != (decision.workflow, decision.version, decision.workflow_digest):
        raise KeysRefused("The signatures are for another workflow.")
    if dict(vetted.statement.get("images", {})) != dict(decision.images):
        raise KeysRefused("The signatures are for other images.")
