"""Measures WES on a running Strongroom beside sapporo: runs submitted, read and listed."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bench import sapporo
from bench.measure import Figure
from demo.people import genomics_image
from demo.stage import Stage, fresh_home
from strongroom.cli.run import WES
from strongroom.database import now, open_database
from strongroom.projects import Role
from strongroom.settings import SOURCE
from wes.store import Run

TINY = SOURCE / "demo" / "tiny" / "1.0.0"
ROUNDS, POSTS, READS, AT_ONCE, LISTED = 3, 20, 70, 8, 1000
OURS, THEIRS = "Strongroom", "sapporo"
FORM = {
    "workflow_url": "tiny/1.0.0",
    "workflow_type": "SMK",
    "workflow_type_version": "9.27.1",
    "workflow_params": json.dumps({"inputs": {}, "jobs": 1}),
    "tags": json.dumps({"project": "bench"}),
}


def measure(folder: Path) -> list[Figure]:
    """Return all figures. Engines are not what is measured: ours have no place to run, and the rival's do nothing."""
    limits = {
        "STRONGROOM_WES__RUNS_AT_ONCE": "0",
        "STRONGROOM_WES__PROJECT_RUNS_OPEN": "10000",
        "STRONGROOM_WES__PERSON_RUNS_OPEN": "10000",
    }
    with Stage(fresh_home("bench-runs"), environment=limits) as stage, sapporo.running(folder) as base:
        stage.import_image("genomics", genomics_image())
        stage.vet(TINY, "vera", "viktor")
        token = stage.token("ruth", Role.RESEARCHER, "bench")
        ours = Client(f"{stage.settings.base_url}{WES}", FORM, token=token)
        rivals = {OURS: ours, THEIRS: Client(base, sapporo.FORM)}
        run = {name: client.submit() for name, client in rivals.items()}
        posts = _in_turns(rivals, lambda client, _: client.times(client.submit, POSTS))
        posts_of_8 = _in_turns(rivals, lambda client, _: client.times(client.submit, POSTS, at_once=AT_ONCE))
        reads = _in_turns(
            rivals, lambda client, name: client.times(lambda: client.read(run[name]), READS, at_once=AT_ONCE)
        )
        _fill(stage, LISTED)
        rivals[THEIRS].times(rivals[THEIRS].submit, LISTED, at_once=AT_ONCE)
        lists = _in_turns(rivals, lambda client, _: client.times(client.listed, 7))
    return [
        _figure("POST /runs, 1 client, p50", posts, statistics.median),
        _figure("POST /runs, 8 clients, p50", posts_of_8, statistics.median),
        _figure("GET /runs/ID, 8 clients, p50", reads, statistics.median),
        _figure("GET /runs/ID, 8 clients, p99", reads, _p99, aim="< 40 ms"),
        _figure("GET /runs, 1000 of them, p50", lists, statistics.median, aim="< 60 ms"),
    ]


class Client:
    """A researcher who asks a WES in one connection, or in several at once."""

    def __init__(self, base: str, form: Mapping[str, str], *, token: str = "") -> None:
        limits = httpx.Limits(max_keepalive_connections=AT_ONCE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=base, headers=headers, timeout=60, limits=limits)
        self._form = [(name, (None, value)) for name, value in form.items()]

    def submit(self) -> str:
        """Submit a run of one job and return its id."""
        return str(self._ok(self.http.post("/runs", files=self._form))["run_id"])

    def read(self, run: str) -> None:
        """Read the whole of a run."""
        assert self._ok(self.http.get(f"/runs/{run}"))["run_id"] == run

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

    def _pages(self) -> Iterator[int]:
        token, left = "", LISTED
        while left:
            asked = {"page_size": str(left)} | ({"page_token": token} if token else {})
            found = self._ok(self.http.get("/runs", params=asked))
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


def _in_turns(rivals: Mapping[str, Client], measured: Callable[[Client, str], list[float]]) -> dict[str, list[float]]:
    """Return the milliseconds of each, a part of them every round, so that both meet the same machine."""
    seen: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(ROUNDS):
        for name, client in rivals.items():
            seen[name] += measured(client, name)
    return seen


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def _figure(
    name: str, seen: Mapping[str, list[float]], of: Callable[[list[float]], float], *, aim: str = ""
) -> Figure:
    ours, theirs = of(seen[OURS]), of(seen[THEIRS])
    return Figure(f"{name} : {THEIRS}", ours, theirs, "ms", ours / theirs, aim)
