"""Which ends of an engine count as killed by somebody else, and a gateway that waits for a server that died."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import sqlalchemy as sa

from strongroom.database import reading
from tes.store import Task
from wes import engines, gateway_door, tes_door
from wes.tes_door import TesDoor

sys.path.append(str(Path(__file__).parent))
from test_gateway_follow import JOB, border, engine

__all__ = ["engine"]


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, None), (1, None), (2, None), (127, None), (128, None), (255, None),
        (-signal.SIGKILL, "SIGKILL"),  # bubblewrap itself
        (128 + signal.SIGKILL, "SIGKILL"), (128 + signal.SIGTERM, "SIGTERM"), (128 + signal.SIGSEGV, "SIGSEGV"),
        # The walls did it, and would do it again.
        (128 + signal.SIGSYS, None), (128 + signal.SIGXCPU, None), (-signal.SIGSYS, None),
    ],
)  # fmt: skip
def test_which_ends_are_kills(code: int, name: str | None) -> None:
    assert engines.killed_by(code) == name


class Dying(TesDoor):
    """TES as its server dies: before a request reached it, after that, and while it starts."""

    def __init__(self, living: TesDoor, ends: list[str]) -> None:
        self.living, self.ends = living, ends

    async def say(self, method: str, path: str, **how: Any) -> tuple[int, bytes]:
        end = self.ends.pop(0) if method == "POST" and self.ends else ""
        if end == "before":
            raise ConnectionRefusedError("nobody listens")
        if end == "starting":
            return 503, b""
        answer = await self.living.say(method, path, **how)
        if end == "after":
            raise aiohttp.ServerDisconnectedError("reset")
        return answer


def test_a_job_is_created_once_however_often_the_server_dies(engine: sa.Engine, tmp_path: Path) -> None:
    async def story() -> None:
        async with border(engine, tmp_path) as made:
            made.tes = Dying(made.tes, ["before", "after", "starting", "after"])
            task = await made.create(JOB)
            with reading(engine) as session:
                assert list(session.scalars(sa.select(Task.id))) == [task] == list(made.jobs)

    asyncio.run(story())


def test_a_server_that_does_not_come_back_is_told_to_the_engine(
    engine: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tes_door, "PATIENCE", 0.5)
    told: list[Any] = []

    async def story() -> None:
        async with border(engine, tmp_path) as made:
            made.tes = Dying(made.tes, ["before"] * 1000)
            door = httpx.ASGITransport(gateway_door.application(made))
            async with httpx.AsyncClient(transport=door, base_url="http://gateway") as asking:
                told.append(await asking.post(f"{tes_door.BASE}/tasks", json=JOB))
            assert made.jobs == {}

    asyncio.run(story())
    assert (told[0].status_code, told[0].json()["msg"]) == (503, "TES does not answer.")
