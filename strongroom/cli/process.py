"""Is one of the processes of `strongroom serve`: `python -m strongroom.cli.process NAME`."""

import gc
import logging
import socket
import sys
from importlib import import_module
from typing import Literal, assert_never, get_args

import structlog

from strongroom.doors import listen
from strongroom.settings import Settings, load

# They register their jobs when they load:
JOBS = (
    "airlock.taking",
    "airlock.release",
    "airlock.delivery",
    "airlock.drawing",
    "airlock.emptying",
    "strongroom.notices",
    "wes.supervisor",
    "wes.federated_ends",
    "wes.remote_jobs",
    "wes.retention",
)
Name = Literal["broker", "signer", "dispatcher", "worker", "api"]


def main(name: Name) -> None:
    """Be the process of this name until told to stop."""
    _log_lines()
    # A request makes thousands of objects and few circles; looking for them as often as Python does costs a fifth.
    gc.set_threshold(50_000, 20, 50)
    settings = load()
    match name:
        case "broker":
            from archive.keys import broker

            broker.main(settings)
        case "signer":
            from archive.keys import signer

            signer.main(settings)
        case "dispatcher":
            from tes import app

            app.main(settings)
        case "worker":
            _work(settings)
        case "api":
            _serve(settings)
        case _:
            assert_never(name)


def _work(settings: Settings) -> None:
    from strongroom import queue

    for module in JOBS:
        import_module(module)
    queue.configure(settings)
    queue.clean(settings)
    processes = settings.wes.runs_at_once + settings.airlock.jobs_at_once
    queue.app.worker_main(
        ["worker", "--concurrency", str(processes), "--loglevel", "WARNING", "--without-mingle", "--without-gossip"]
    )


def _serve(settings: Settings) -> None:
    from strongroom import http
    from strongroom.cli.application import application

    tcp = socket.create_server((settings.http.host, settings.http.port), backlog=256)
    # Connections inherit it; without it each small answer waits 40 ms for the client's delayed ACK.
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    http.run(application(settings), [tcp, listen(settings.sockets / "api.sock")])


def _log_lines() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    if sys.argv[1] not in get_args(Name):
        sys.exit("strongroom.cli.process: one of " + ", ".join(get_args(Name)))
    main(sys.argv[1])  # type: ignore[arg-type]
