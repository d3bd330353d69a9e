"""The places of the genome that leave of one dataset are counted together, whatever project asks (T7)."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from airlock_scene import API, TSV, VCF, WITH_MEMBERS, Scene, scene

from airlock.checks.codes import Code
from airlock.checks.sites import MOST
from airlock.site_growth import ReleasedSites
from airlock.store import Release
from strongroom.database import reading

PERSONS = [f"NA{n:05}" for n in range(100)]
FILES = {TSV: "count", VCF: "sites"}


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        yield made


def spread(places: int, *, shift: int = 0) -> list[str]:
    """Return the sketch of so many places: the smallest of hashes that lie evenly, others for each `shift`."""
    step = 2**64 // places
    return [f"{(n + 1) * step - shift:016x}" for n in range(min(places, MOST))]


def codes(stage: Scene, run: str, path: str = VCF) -> dict[str, str]:
    return {finding["code"]: finding["severity"] for finding in stage.files(run)[path].findings}


def run_of(stage: Scene, sketch: list[str], *, lineage: tuple[str, ...] = ("hapmap",)) -> str:
    stage.inspector.sites[VCF] = sketch
    return stage.complete_run(FILES, contract=WITH_MEMBERS, members=PERSONS, lineage=lineage)


def test_t7_places_that_left_before_cost_nothing_and_new_ones_add_up(stage: Scene) -> None:
    first = spread(600_000)
    assert stage.released(run_of(stage, first), VCF)["state"] == "RELEASED"
    assert codes(stage, run_of(stage, first)) == {}
    assert codes(stage, run_of(stage, spread(300_000, shift=1))) == {Code.SITE_BUDGET.value: "warn"}
    assert codes(stage, run_of(stage, spread(600_000, shift=1))) == {Code.SITE_BUDGET.value: "block"}
    assert codes(stage, run_of(stage, spread(600_000, shift=1), lineage=("another",))) == {}
    derived = run_of(stage, spread(600_000, shift=1), lineage=("child", "hapmap"))
    assert codes(stage, derived) == {Code.SITE_BUDGET.value: "block"}


def test_t7_a_requester_learns_nothing_of_places_that_left_for_others(stage: Scene) -> None:
    assert stage.released(run_of(stage, spread(900_000)), VCF)["state"] == "RELEASED"
    request = stage.submitted(run_of(stage, spread(900_000, shift=1)), VCF)
    assert (request["files"][0]["verdict"], request["files"][0]["findings"]) == ("pass", [])
    (shown,) = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()["files"]
    assert [one["code"] for one in shown["findings"]] == [Code.SITE_BUDGET.value]


def test_t7_places_that_left_since_the_review_stop_a_release(stage: Scene) -> None:
    first, second = run_of(stage, spread(600_000)), run_of(stage, spread(600_000, shift=1))
    assert (codes(stage, first), codes(stage, second)) == ({}, {})
    stage.inspector.sites[VCF] = spread(600_000)
    assert stage.released(first, VCF)["state"] == "RELEASED"
    stage.inspector.sites[VCF] = spread(600_000, shift=1)
    waiting = stage.released(second, VCF)
    assert (waiting["state"], "released since the review" in waiting["trouble"]) == ("RETURNED", True)
    with reading(stage.engine) as session:
        assert session.get(Release, waiting["id"]) is None
        (left,) = session.scalars(sa.select(ReleasedSites)).all()
        assert left.smallest == spread(600_000)


def test_t7_two_files_of_one_request_are_counted_together(stage: Scene) -> None:
    stage.inspector.sites[TSV] = spread(600_000, shift=1)
    run = run_of(stage, spread(600_000))
    assert (codes(stage, run), codes(stage, run, TSV)) == ({}, {})
    assert stage.released(run, VCF, TSV)["state"] == "RETURNED"
