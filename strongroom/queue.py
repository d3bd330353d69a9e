"""Wakes workers: Celery carries the name of a job and an id, and nothing else (decision 5)."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog
from celery import Celery, signals

from strongroom import queue_folder
from strongroom.database import open_database
from strongroom.settings import Settings, load

log = structlog.get_logger()
app = Celery("strongroom")


@dataclass(frozen=True)
class Context:
    """What a job stands on."""

    settings: Settings
    engine: sa.Engine


Job = Callable[[Context, str], None]
Sweep = Callable[[Context], Iterable[tuple[str, str]]]
_jobs: dict[str, Job] = {}
_sweeps: list[Sweep] = []


def job(name: str) -> Callable[[Job], Job]:
    """Register an idempotent, leased job; it is given the id of what it works on."""

    def register(work: Job) -> Job:
        _jobs[name] = work
        return work

    return register


def sweep(find: Sweep) -> Sweep:
    """Register a scan of a table: it yields (job, id) of what waits though its message may be lost."""
    _sweeps.append(find)
    return find


def configure(settings: Settings) -> None:
    """Point the queue at folders of our own; a broker server is not needed (decision 5)."""
    folder = settings.home / "queue"
    for name in ("messages", "control"):
        (folder / name).mkdir(mode=0o770, parents=True, exist_ok=True)
    app.conf.update(
        broker_url=f"{queue_folder.SCHEME}://",
        broker_transport_options={
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "store_processed": False,
            "polling_interval": 0.02,
        },
        broker_connection_retry_on_startup=True,
        task_serializer="json",
        accept_content=["json"],  # T30: JSON-only messages
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_prefetch_multiplier=1,
        task_acks_late=True,
    )


def enqueue(name: str, identifier: str) -> None:
    """Wake a worker for `identifier`; a message that is lost costs one second, because the sweep sees the table."""
    try:
        _work.apply_async((name, identifier), ignore_result=True)
    except OSError as error:
        log.warning("queue.lost", job=name, detail=str(error))


@app.task(name="strongroom.work")
def _work(name: str, identifier: str) -> None:
    _jobs[name](context(), identifier)


_context: Context | None = None


def context() -> Context:
    """Return this process's own context; a forked worker makes its own connections."""
    global _context
    if _context is None:
        settings = load()
        _context = Context(settings, open_database(settings.database, joined=settings.joined))
    return _context


@signals.worker_process_init.connect
def _forget_inherited(**_: object) -> None:
    global _context
    _context = None


@signals.worker_ready.connect
def _start_sweeping(**_: object) -> None:
    threading.Thread(target=_sweep_for_ever, name="sweep", daemon=True).start()


def _sweep_for_ever() -> None:
    while True:
        time.sleep(1)
        for find in _sweeps:
            try:
                for name, identifier in find(context()):
                    enqueue(name, identifier)
            except Exception:
                log.exception("sweep.failure")


def clean(settings: Settings) -> None:
    """Forget the messages of an earlier life; the tables know what waits."""
    for message in Path(settings.home / "queue" / "messages").iterdir():
        message.unlink(missing_ok=True)
