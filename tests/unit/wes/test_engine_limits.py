"""What counts as more than an engine's share, and how often it was refused (T30)."""

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from strongroom.audit import AuditEvent, Entry, Event, append
from strongroom.database import reading, transaction
from wes import engine_limits, gateway, gateway_door, tes_door
from wes.engine_limits import MOST_REFUSALS, Beyond, Bounds, Place, check

sys.path.append(str(Path(__file__).parent))
from test_gateway_follow import RUN, border, engine

__all__ = ["engine"]
MIB = 1 << 20
BOUNDS = Bounds(memory=1 << 40, disk=MIB, largest=MIB)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A tree and a log; the engine's processes are ours, of which there are none."""
    (tmp_path / "work").mkdir()
    (tmp_path / "log").touch()
    return Place(os.getpid(), tmp_path / "work", tmp_path / "log")


def test_what_an_engine_may_have_is_within_its_share(place: Place) -> None:
    (place.work / "stub").touch()
    os.truncate(place.work / "stub", 1 << 40)  # of holes
    assert check(place, BOUNDS, known=0)


def test_t30_bytes_on_disk_count_and_grow_with_what_the_gateway_knows(place: Place) -> None:
    (place.work / "file").write_bytes(bytes(2 * MIB))
    with pytest.raises(Beyond, match="more to disk"):
        check(place, BOUNDS, known=0)
    assert check(place, BOUNDS, known=200)


def test_t30_a_log_at_its_bound_ends_the_run_and_the_next_launch_finds_it_cut(place: Place) -> None:
    os.truncate(place.log, MIB)
    with pytest.raises(Beyond, match="printed more"):
        check(place, BOUNDS, known=0)
    engine_limits.cut(place.log, BOUNDS)
    assert place.log.read_text() == engine_limits.CUT
    assert check(place, BOUNDS, known=0)


def test_t30_a_tree_deeper_than_paths_are_is_hidden_and_can_be_removed(place: Place) -> None:
    folder = os.open(place.work, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=folder)
        below = os.open("deep", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    with pytest.raises(Beyond, match="hid"):
        check(place, BOUNDS, known=0)
    engine_limits.remove(place.work)
    assert not place.work.exists()


def test_t30_refusals_are_written_down_up_to_the_last_also_by_the_next_gateway(
    engine: sa.Engine, tmp_path: Path
) -> None:
    async def asked(made: gateway.Gateway, times: int) -> list[int]:
        door = httpx.ASGITransport(gateway_door.application(made))
        async with httpx.AsyncClient(transport=door, base_url="http://gateway") as asking:
            answers = [asking.post(f"{tes_door.BASE}/tasks", json=[]) for _ in range(times)]
            return [answer.status_code for answer in await asyncio.gather(*answers)]

    async def story() -> None:
        async with border(engine, tmp_path) as first:
            assert set(await asked(first, MOST_REFUSALS - 2)) == {400}
            assert not first.refused_enough.is_set()
        async with border(engine, tmp_path) as second:
            await asked(second, 50)
            assert second.refused_enough.is_set()
            assert await asked(second, 50) == [403] * 50
        assert len(await asyncio.to_thread(refusals, engine)) == MOST_REFUSALS
        async with border(engine, tmp_path) as third:  # its supervisor died before it ended the run
            assert third.refused_enough.is_set()
        await asyncio.to_thread(resumed, engine)
        async with border(engine, tmp_path) as fourth:
            assert not fourth.refused_enough.is_set()
            assert await asked(fourth, 1) == [400]

    asyncio.run(story())


def refusals(engine: sa.Engine) -> list[str]:
    with reading(engine) as session:
        query = sa.select(AuditEvent.subject).where(AuditEvent.event == Event.RUN_TASK_REFUSED.value)
        return list(session.scalars(query))


def resumed(engine: sa.Engine) -> None:
    with transaction(engine) as session:
        append(session, Entry(Event.RUN_RESUMED, "ruth", RUN, "cohort", {}))
