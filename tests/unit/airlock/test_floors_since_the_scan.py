"""Floors that rose since a scan: the request is scanned again, under the strictest of policy and floors."""

from collections.abc import Iterator

import pytest
from airlock_scene import API, FINGERPRINT, TSV, Scene, scene

from strongroom.audit import Event
from strongroom.database import now, transaction
from strongroom.floors import DatasetFloors
from strongroom.thresholds import FLOOR, unsigned


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


def sign(stage: Scene, dataset: str, **limits: int) -> None:
    """Put floors of a dataset in force."""
    signed = {"proposed_by": "dan@x", "proposed": now(), "signed_by": "dora@x", "signed": now()}
    with transaction(stage.engine) as session:
        session.add(DatasetFloors(dataset=dataset, version=1, thresholds=limits, sha256="0" * 64, **signed))


def test_floors_of_its_data_signed_since_the_scan_ask_for_another_scan(stage: Scene) -> None:
    request = stage.ready(stage.complete_run({TSV: "count"}), TSV)
    where, key = f"{API}/requests/{request['id']}", {"key": FINGERPRINT}
    sign(stage, "hapmap", min_count=9)
    sign(stage, "elsewhere", max_rows=1)
    refused = stage.ask("ruth").post(f"{where}:submit", key)
    assert (refused.status_code, "scanned again" in refused.text) == (409, True)
    assert stage.ask("ruth").post(f"{where}:edit", {}).status_code == 200
    stage.work()
    assert stage.inspector.asked[-1]["request"]["policy"]["min_count"] == 9
    assert stage.ask("ruth").post(f"{where}:submit", key).status_code == 200
    (frozen,) = [e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED"]
    assert frozen["facts"]["policy"] == {**unsigned(FLOOR), "min_count": 9, "version": 1}


def test_a_run_and_its_fixed_copies_are_taken_under_floors_that_stand(stage: Scene) -> None:
    sign(stage, "hapmap", min_count=9)
    run = stage.complete_run({TSV: "count"})
    given = stage.files(run)[TSV]
    answer = stage.ask("ruth").post(f"{API}/outputs/{given.id}:fix", {"kind": "round-to-5"})
    assert answer.status_code == 200, answer.text
    assert [file.policy["min_count"] for file in stage.files(run).values()] == [9, 9]
