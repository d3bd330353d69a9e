"""Some time after a run's end its key is destroyed and what it made is removed; what was released stays (T12)."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from site_of_tests import Site

from strongroom.cli.run import WES

ARCHIVE = "/api/archive/v1"
LONG_AGO = "-91 days"


def rows(site: Site, query: str, *values: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(f"{site.stage.home}/database/strongroom.db", timeout=30)) as base, base:
        return base.execute(query, values).fetchall()


def passes(site: Site, table: str, column: str, run: str, field: str) -> None:
    """Have it be 91 days later to one row of a run."""
    rows(site, f"update {table} set {column} = datetime({column}, '{LONG_AGO}') where {field} = ?", run)


def objects_of(site: Site, run: str) -> list[Any]:
    return rows(site, "select id, header from stored_objects where purpose = 'run' and owner = ?", run)


def bodies_of(site: Site, run: str) -> list[Path]:
    names = {row[0] for row in objects_of(site, run)}
    return [path for path in (site.stage.home / "objects").rglob("*") if path.name.partition(".")[0] in names]


def emptied(site: Site, run: str) -> bool:
    return rows(site, "select emptied from runs where id = ?", run)[0][0] is not None


def test_t12_after_its_time_a_run_opens_for_nobody_and_what_was_released_stays(site: Site, tmp_path: Path) -> None:
    run, other = site.frequencies(), site.calling()
    request = site.requested(run)
    assert bodies_of(site, run)
    passes(site, "runs", "ended", run, "id")
    time.sleep(4)
    assert not emptied(site, run)  # its request is open
    site.approved(request)
    time.sleep(4)
    assert not emptied(site, run)  # and has only just ended
    passes(site, "release_requests", "changed", run, "run")
    end = time.monotonic() + site.patience
    while not emptied(site, run):
        assert time.monotonic() < end, site.what_happened()
        time.sleep(0.2)
    assert {header for _, header in objects_of(site, run)} == {None}
    assert bodies_of(site, run) == []
    keys = rows(site, "select sealed, destroyed_at from keys where purpose = 'run' and owner = ?", run)
    assert keys
    assert all(sealed is None and at is not None for sealed, at in keys)
    assert site.downloaded(request, tmp_path / "released")
    assert bodies_of(site, other)  # another run's are its own
    with site.stage.client(site.cast.researcher) as client:
        made = client.http.post(f"{ARCHIVE}/datasets/from-run", json={"run": run, "dataset": "from-old"})
        assert (made.status_code, "was removed" in made.text) == (409, True)
        rows(site, "update runs set state = 'EXECUTOR_ERROR' where id = ?", run)
        again = client.http.post(f"{WES}/runs/{run}/resume")
        assert (again.status_code, "was removed" in again.text) == (409, True)
        assert client.get(f"{WES}/runs/{run}")["run_id"] == run
