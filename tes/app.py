"""Wires the dispatcher process: the backend, what it recovers, and the doors of nodes and of the airlock."""

import threading
from typing import assert_never

import sqlalchemy as sa

from strongroom.database import open_database
from strongroom.settings import Settings
from tes import body_door, inspections
from tes.backends.local import Local
from tes.backends.remote import Remote
from tes.backends.schedulers import Scheduler
from tes.dispatcher import Dispatcher
from tes.node_door import NodeDoor
from tes.pledges import Pledges


def main(settings: Settings) -> None:
    """Be the dispatcher process; what the airlock inspects is inspected on this host, wherever tasks run."""
    engine = open_database(settings.database, joined=settings.joined)
    local = Local(settings.sockets / "signer.sock", afar=settings.objects.store != "folder")
    inspector = Dispatcher(settings, engine, local)
    if body_door.is_needed(settings):
        threading.Thread(target=body_door.serve, args=(settings, local.launch_of), daemon=True).start()
    if settings.tes.backend == "local":
        dispatcher = inspector
        dispatcher.recover()
    else:
        local.sweep()
        dispatcher = _on_a_cluster(settings, engine)
    threading.Thread(target=inspections.serve, args=(inspector,), daemon=True).start()
    dispatcher.run()


def _on_a_cluster(settings: Settings, engine: sa.Engine) -> Dispatcher:
    pledges = Pledges(engine)
    remote = Remote(
        _scheduler(settings, pledges),
        pledges,
        settings.sockets / "signer.sock",
        stuck_seconds=settings.tes.stuck_seconds,
    )
    dispatcher = Dispatcher(settings, engine, remote)
    dispatcher.recover()
    NodeDoor(settings, remote, pledges).open()  # last: before, nodes would be told that their attempts are over
    return dispatcher


def _scheduler(settings: Settings, pledges: Pledges) -> Scheduler:
    match settings.tes.backend:
        case "slurm":
            from tes.backends.slurm.jobs import open_jobs

            return open_jobs(settings, pledges.owners)
        case "kubernetes":
            from tes.backends.kubernetes.pods import open_pods

            return open_pods(settings)
        case "local":
            raise ValueError("tasks of the local backend have no scheduler")
        case _:
            assert_never(settings.tes.backend)
