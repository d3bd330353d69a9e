"""Measures TES on a running Strongroom: creates, five hundred `true` tasks to their end, pages of long lists."""

import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from bench.measure import Figure
from demo.people import genomics_image
from demo.stage import Stage, fresh_home
from strongroom.database import now, open_database
from strongroom.projects import Role
from strongroom.settings import SOURCE
from tes.store import Task
from wes import catalogue

TASKS = "/ga4gh/tes/v1/tasks"
TINY = SOURCE / "demo" / "tiny" / "1.0.0"
CREATES, AT_ONCE, TRUE_TASKS = 200, 8, 500
SHORT, LONG = 1_000, 1_000_000
# Funnel 2026-05-04, local executor without any sandbox, on this kind of machine but in another run.
FUNNEL = {"p50": 13.1, "p99": 41.0, "p50 of 8": 106.0, "per s of 8": 76.0, "500": 8.95}


def measure(_folder: Path) -> list[Figure]:
    """Return all figures; the server lives as long as this takes."""
    with Stage(fresh_home("bench-tes"), environment={"STRONGROOM_TES__LOG_BYTES": "65536"}) as stage:
        stage.import_image("genomics", genomics_image())
        stage.token("ruth", Role.RESEARCHER, "bench")
        stage.vet(TINY, "vera", "viktor")
        client = Client(stage)
        client.create(8)
        client.all_ended()
        alone = client.create(CREATES)
        begun = time.monotonic()
        together = client.create(CREATES, at_once=AT_ONCE)
        rate = CREATES / (time.monotonic() - begun)
        client.all_ended()
        return [
            _against_funnel("create, 1 client, p50", statistics.median(alone) * 1e3, "p50", unit="ms", aim="< 10 ms"),
            _against_funnel("create, 1 client, p99", _p99(alone) * 1e3, "p99", unit="ms"),
            _against_funnel("create, 8 clients, p50", statistics.median(together) * 1e3, "p50 of 8", unit="ms"),
            _against_funnel("create, 8 clients", rate, "per s of 8", unit="a second", aim=">= 150 a second"),
            _against_funnel("500 true tasks to COMPLETE", client.five_hundred(), "500", unit="s", aim="< 6 s"),
            *_lists(stage, client),
        ]


class Client:
    """A run's gateway: it alone creates tasks, over the private socket."""

    def __init__(self, stage: Stage) -> None:
        self._socket = os.fspath(stage.settings.sockets / "api.sock")
        self._image = catalogue.load(stage.settings, "tiny", "1.0.0").statement.images["genomics"]
        self._run = stage.decide("tiny", "1.0.0", person="ruth@development", project="bench")
        self.http = self._connect()

    def create(self, count: int, *, at_once: int = 1) -> list[float]:
        """Create tasks and return the seconds that each took to be answered."""
        clients = [self._connect() for _ in range(at_once)]
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda n: self._one(clients[n % at_once]), range(count)))

    def five_hundred(self) -> float:
        """Return the seconds from the first create to the last task's end."""
        begun = time.monotonic()
        self.create(TRUE_TASKS, at_once=AT_ONCE)
        self.all_ended()
        return time.monotonic() - begun

    def all_ended(self) -> None:
        """Wait until no task waits or runs."""
        while any(self._has(state) for state in ("QUEUED", "INITIALIZING", "RUNNING")):
            time.sleep(0.05)
        if any(self._has(state) for state in ("EXECUTOR_ERROR", "SYSTEM_ERROR")):
            raise SystemExit("a task of the benchmark failed")

    def page(self, view: str, size: int) -> float:
        """Return the seconds that one page of the list takes."""
        begun = time.monotonic()
        answer = self.http.get(TASKS, params={"view": view, "page_size": size})
        spent = time.monotonic() - begun
        assert len(answer.raise_for_status().json()["tasks"]) == size
        return spent

    def _connect(self) -> httpx.Client:
        return httpx.Client(transport=httpx.HTTPTransport(uds=self._socket), base_url="http://tes", timeout=60)

    def _one(self, http: httpx.Client) -> float:
        task = {"name": "true", "executors": [{"image": self._image, "command": ["/bin/true"]}]}
        headers = {"Strongroom-Run": self._run, "Strongroom-Coarse": "no"}
        begun = time.monotonic()
        http.post(TASKS, json=task, headers=headers).raise_for_status()
        return time.monotonic() - begun

    def _has(self, state: str) -> bool:
        found = self.http.get(TASKS, params={"state": state, "page_size": 1}).raise_for_status()
        return bool(found.json()["tasks"])


def _lists(stage: Stage, client: Client) -> list[Figure]:
    medians = []
    for rows in (SHORT, LONG):
        _fill(stage, rows)
        medians.append(1e3 * statistics.median(client.page("MINIMAL", 256) for _ in range(20)))
    short, long = medians
    whole = 1e3 * statistics.median(client.page("MINIMAL", 1000) for _ in range(10))
    return [
        Figure("page of 256 at 1M tasks : at 1k", long, short, "ms", long / short, "constant"),
        _figure("page of 1000, MINIMAL, at 1M tasks : Funnel at 1k", whole, 38.0, unit="ms", aim="< 30 ms"),
    ]


def _fill(stage: Stage, rows: int) -> None:
    """Make up ended tasks until there are so many."""
    engine, table = open_database(stage.settings.database), Task.metadata.tables["tasks"]
    with engine.begin() as connection:
        model = dict(connection.execute(sa.select(table).limit(1)).one()._mapping)
        there = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        top = connection.scalar(sa.select(sa.func.max(table.c.number))) or 0
        for first in range(there, rows, 10_000):
            numbers = range(top + first + 1, top + min(first + 10_000, rows) + 1)
            connection.execute(sa.insert(table), [_made_up(model, number) for number in numbers])
    engine.dispose()


def _made_up(model: dict[str, Any], number: int) -> dict[str, Any]:
    facts = {"number": number, "id": f"{number:032x}", "seq": number, "idempotency_key": f"made up {number}"}
    return {**model, **facts, "state": "COMPLETE", "created": now()}


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[-1]


def _against_funnel(name: str, ours: float, key: str, *, unit: str, aim: str = "") -> Figure:
    return _figure(f"{name} : Funnel, another run", ours, FUNNEL[key], unit=unit, aim=aim)


def _figure(name: str, ours: float, other: float, *, unit: str, aim: str) -> Figure:
    return Figure(name, ours, other, unit, ours / other, aim)
