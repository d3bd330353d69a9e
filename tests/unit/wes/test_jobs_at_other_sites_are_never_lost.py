"""A job at another site is canceled here only when the site has heard so, also if its first answer was lost."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import sqlalchemy as sa
from other_site import OtherSite, says
from runs_scene import RUTH, a_run, add

from strongroom import identity
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.queue import Context
from strongroom.settings import Settings
from wes import remote_jobs
from wes.store import RemoteJob

RUN, TASK = f"{1:032x}", f"{2:032x}"


class TesOfSite(OtherSite):
    """A TES that takes tasks and may lose its answers on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.losing = 0
        self.tasks: dict[str, str] = {}  # what it made of each key
        self.canceled: list[str] = []
        self.habits = {"/tasks": self._create, "/tasks/theirs-0:cancel": self._cancel}

    def _create(self, request: BaseHTTPRequestHandler) -> None:
        task = self.tasks.setdefault(request.headers["Idempotency-Key"], f"theirs-{len(self.tasks)}")
        if self.losing:
            self.losing -= 1
        else:
            says(200, json.dumps({"id": task}).encode())(request)

    def _cancel(self, request: BaseHTTPRequestHandler) -> None:
        self.canceled.append("theirs-0")
        says(200, b"{}")(request)


@pytest.fixture
def site() -> Iterator[TesOfSite]:
    one = TesOfSite()
    yield one
    one.close()


@pytest.fixture
def context(tmp_path: Path, site: TesOfSite) -> Iterator[Context]:
    there = {"name": "there", "url": site.url(""), "audience": "there", "inbox": "from-there"}
    settings = Settings(home=tmp_path, federation={"sites": [there], "unsafe_hosts": [site.host]})
    identity.make_federation_issuer(settings)
    engine = open_database(f"sqlite:///{tmp_path / 'site.db'}")
    Base.metadata.create_all(engine)
    with transaction(engine) as session:
        add(session, a_run(1, person=RUTH, state="RUNNING"))
        session.add(
            RemoteJob(
                task=TASK, run=RUN, key="k", rule="R", site="there", request={}, tickets={}, theirs=None,
                state="QUEUED", canceled=False, outputs=[], trouble=None, next_try=now(), created=now(), ended=None,
            )
        )  # fmt: skip
    yield Context(settings, engine)
    engine.dispose()


def advanced(context: Context, times: int = 1) -> str:
    """Advance the job as often, without its pauses; return its state."""
    for _ in range(times):
        with transaction(context.engine) as session:
            session.execute(sa.update(RemoteJob).values(next_try=now()))
        remote_jobs.advance(context, TASK)
    with reading(context.engine) as session:
        return session.get_one(RemoteJob, TASK).state


def cancel(context: Context) -> None:
    with transaction(context.engine) as session:
        remote_jobs.cancel(session, run=RUN)


def test_what_the_site_may_have_heard_is_canceled_there(context: Context, site: TesOfSite) -> None:
    site.losing = 1
    assert advanced(context) == "INITIALIZING"
    assert site.tasks == {TASK: "theirs-0"}
    cancel(context)
    assert advanced(context, 2) == "CANCELED"
    assert (site.tasks, site.canceled) == ({TASK: "theirs-0"}, ["theirs-0"])


def test_while_the_site_is_silent_a_job_is_not_canceled(context: Context, site: TesOfSite) -> None:
    site.losing = 3
    advanced(context)
    cancel(context)
    assert advanced(context, 2) == "INITIALIZING"
    assert advanced(context, 2) == "CANCELED"
    assert site.canceled == ["theirs-0"]


def test_what_the_site_never_heard_of_is_canceled_at_once(context: Context, site: TesOfSite) -> None:
    cancel(context)
    assert advanced(context) == "CANCELED"
    assert site.seen == []
