"""Closes the run of a federated task that ended: a COMPLETE one goes to the airlock, as other runs do (T16)."""

from collections.abc import Iterator

import structlog
from sqlalchemy import orm

from airlock import delivery, intake
from archive import datasets, decisions
from strongroom import audit, queue
from strongroom.database import now, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.projects import Project
from strongroom.queue import Context
from tes import federation as tasks
from tes.federation import Finished, TaskState
from wes import catalogue
from wes.profiles import RULE
from wes.vetting import NotVetted

SETTLE = "wes.settle_federated"
MOST_AT_ONCE = 64
log = structlog.get_logger()


@queue.sweep
def ended(context: Context) -> Iterator[tuple[str, str]]:
    """Find federated tasks that ended though their runs are open still."""
    with reading(context.engine) as session:
        waiting = tasks.unsettled(session, most=MOST_AT_ONCE)
    yield from ((SETTLE, task) for task in waiting)


@queue.job(SETTLE)
def settle(context: Context, task: str) -> None:
    """Close the run of one federated task; safe to repeat. What cannot go on stays inside, with the reason."""
    with transaction(context.engine) as session:
        found = tasks.finished(session, task)
        if found is None:
            return
        reason = decisions.COMPLETE if found.state is TaskState.COMPLETE else found.state.value.lower()
        audit.append(session, *decisions.close(session, found.row.run, reason))
        found.row.settled = now()
        if found.state is TaskState.COMPLETE and found.row.deliveries:
            try:
                with session.begin_nested():
                    _hand_over(session, context, found)
            except StrongroomError as error:
                log.warning("federation.stays_inside", task=task, reason=error.sentence, detail=error.detail)
                found.row.trouble = error.sentence[:300]
    with reading(context.engine) as session:
        intake.wake(session, found.row.run)


def _hand_over(session: orm.Session, context: Context, found: Finished) -> None:
    """Offer the task's outputs under the contract that was signed with the profile, and ask for their release."""
    row = found.row
    name, _, version = row.profile.partition("/")
    vetted = catalogue.load_profile(context.settings, name, version)
    if vetted.statement.digest != row.digest:
        raise NotVetted(detail="the profile's content is another one than at create")
    project = session.get_one(Project, found.project)
    intake.offer(
        session,
        run=row.run,
        project=found.project,
        person=found.person,
        workflow=name,
        datasets=row.datasets,
        lineage=datasets.lineage(session, row.datasets),
        coarse=True,  # T3: whatever the dataset is, nothing is told before release
        contract=vetted.profile.contract,
        policy=intake.policy_of(session, project, context.settings, datasets=row.datasets),
        files=[
            intake.OfferedFile(path=one.path, object=one.object, rule=RULE, task=row.task) for one in found.outputs
        ],
    )
    delivery.request(
        session,
        run=row.run,
        person=found.person,
        client=row.client,
        urls={one["path"]: one["url"] for one in row.deliveries},
        purpose=f"Federated task {row.task} of {found.person}, by the signed profile {row.profile}.",
        settings=context.settings,
    )
