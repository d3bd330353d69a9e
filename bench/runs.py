"""Measures WES on a running Strongroom: runs submitted, read and listed."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bench.measure import Figure
from demo.people import genomics_image
from demo.stage import Stage, fresh_home
from strongroom.cli.run import TERMINAL, WES
from strongroom.database import now, open_database
from strongroom.projects import Role
from strongroom.settings import SOURCE
from wes.store import Run

TINY = SOURCE / "demo" / "tiny" / "1.0.0"
POSTS, READS, AT_ONCE, LISTED = 60, 200, 8, 1000
# sapporo 2.4.0 with a small runner and its SQLite index, on this kind of machine but in another run.
SAPPORO = {"post": 16.5, "post of 8": 132.0, "get of 8": 20.0, "get of 8, p99": 140.0, "list": 427.0}


def measure(_folder: Path) -> list[Figure]:
    """Return all figures; the runs that are submitted wait behind one engine, which is not what is measured."""
    limits = {
        "STRONGROOM_WES__RUNS_AT_ONCE": "1",
        "STRONGROOM_WES__PROJECT_RUNS_OPEN": "10000",
        "STRONGROOM_WES__PERSON_RUNS_OPEN": "10000",
    }
    with Stage(fresh_home("bench-runs"), environment=limits) as stage:
        stage.import_image("genomics", genomics_image())
        stage.vet(TINY, "vera", "viktor")
        client = Client(stage, stage.token("ruth", Role.RESEARCHER, "bench"))
        run = client.submit()
        client.ended(run)
        posts, posts_of_8 = client.times(client.submit, POSTS), client.times(client.submit, POSTS, at_once=AT_ONCE)
        client.none_left()
        read = lambda: client.read(run)  # noqa: E731
        reads = client.times(read, READS, at_once=AT_ONCE)
        _fill(stage, LISTED)
        lists = client.times(client.listed, 20)
    return [
        _figure("POST /runs, 1 client, p50", statistics.median(posts), "post"),
        _figure("POST /runs, 8 clients, p50", statistics.median(posts_of_8), "post of 8"),
        _figure("GET /runs/ID, 8 clients, p50", statistics.median(reads), "get of 8"),
        _figure("GET /runs/ID, 8 clients, p99", _p99(reads), "get of 8, p99", aim="< 40 ms"),
        _figure("GET /runs, 1000 of them, p50", statistics.median(lists), "list", aim="< 60 ms"),
    ]


class Client:
    """A researcher who asks in one connection, or in several at once."""

    def __init__(self, stage: Stage, token: str) -> None:
        limits = httpx.Limits(max_keepalive_connections=AT_ONCE)
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=stage.settings.base_url, headers=headers, timeout=60, limits=limits)

    def submit(self) -> str:
        """Submit a run of one job and return its id."""
        form = {
            "workflow_url": "tiny/1.0.0",
            "workflow_type": "SMK",
            "workflow_type_version": "9.27.1",
            "workflow_params": json.dumps({"inputs": {}, "jobs": 1}),
            "tags": json.dumps({"project": "bench"}),
        }
        parts = [(name, (None, value)) for name, value in form.items()]
        return str(self._ok(self.http.post(f"{WES}/runs", files=parts))["run_id"])

    def read(self, run: str) -> None:
        """Read the whole of a run."""
        assert self._ok(self.http.get(f"{WES}/runs/{run}"))["run_id"] == run

    def listed(self) -> None:
        """List a thousand runs, in as few pages as there are."""
        assert sum(self._pages()) == LISTED

    def times(self, act: Callable[[], Any], count: int, *, at_once: int = 1) -> list[float]:
        """Return the milliseconds that each act took."""

        def timed(_number: int) -> float:
            begun = time.monotonic()
            act()
            return 1e3 * (time.monotonic() - begun)

        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(timed, range(count)))

    def ended(self, run: str) -> None:
        """Wait for the end of a run."""
        while (state := self._ok(self.http.get(f"{WES}/runs/{run}/status"))["state"]) not in TERMINAL:
            time.sleep(0.1)
        if state != "COMPLETE":
            raise SystemExit(f"the run of the benchmark ended as {state}")

    def none_left(self) -> None:
        """Cancel what waits, so that the machine is at rest."""
        for run in self._ok(self.http.get(f"{WES}/runs", params={"page_size": 1000}))["runs"]:
            if run["state"] not in TERMINAL:
                self._ok(self.http.post(f"{WES}/runs/{run['run_id']}/cancel"))
        while any(
            self._ok(self.http.get(f"{WES}/runs", params={"state": s}))["runs"] for s in ("RUNNING", "CANCELING")
        ):
            time.sleep(0.1)

    def _pages(self) -> Iterator[int]:
        token, left = "", LISTED
        while left:
            found = self._ok(self.http.get(f"{WES}/runs", params={"page_size": left, "page_token": token}))
            yield len(found["runs"])
            left -= len(found["runs"])
            token = found["next_page_token"]
            if not token:
                return

    @staticmethod
    def _ok(answer: httpx.Response) -> dict[str, Any]:
        told: dict[str, Any] = answer.raise_for_status().json()
        return told


def _fill(stage: Stage, rows: int) -> None:
    """Make up ended runs until there are so many and a few more."""
    engine, table = open_database(stage.settings.database), Run.metadata.tables["runs"]
    with engine.begin() as connection:
        model = dict(connection.execute(sa.select(table).order_by(table.c.number).limit(1)).one()._mapping)
        top = connection.scalar(sa.select(sa.func.max(table.c.number))) or 0
        numbers = range(top + 1, top + rows + 1)
        made_up = [{**model, "number": n, "id": f"{n:032x}", "state": "COMPLETE", "created": now()} for n in numbers]
        connection.execute(sa.insert(table), made_up)
    engine.dispose()


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def _figure(name: str, ours: float, key: str, *, aim: str = "") -> Figure:
    other = SAPPORO[key]
    return Figure(f"{name} : sapporo, another run", ours, other, "ms", ours / other, aim)
