"""Tells a run's progress as server-sent events, each the whole of what is known, so that none can be missed."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool

from strongroom.database import reading
from strongroom.errors import TooMany
from wes import views
from wes.runs import TERMINAL, RunState
from wes.store import find

PAUSE, HEARTBEAT, LONGEST = 0.5, 15.0, 600.0  # seconds; a client comes back with a token that is good by then
RETRY = b"retry: 1000\n\n"
_open: Counter[str] = Counter()


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    run_id: str
    state: str
    tasks_done: int
    tasks_planned: int | None
    resumed: int

    @property
    def id(self) -> str:
        """Name what is told: the same name is the same news."""
        return f"{self.resumed}.{self.state}.{self.tasks_done}.{self.tasks_planned or 0}"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes, unless the owner resumes the run."""
        return RunState(self.state) in TERMINAL

    def event(self) -> bytes:
        """Return the event, as text/event-stream has it."""
        told = {key: value for key, value in asdict(self).items() if key != "resumed"}
        return f"id: {self.id}\nevent: {'end' if self.ended else 'progress'}\ndata: {json.dumps(told)}\n\n".encode()


def progress(engine: sa.Engine, run_id: str) -> Progress:
    """Return how far a run is now; coarse runs tell their tasks by the minute (T4)."""
    with reading(engine) as session:
        run = find(session, run_id)
        assert run is not None  # runs are never deleted, and the caller found it
        return Progress(run.id, views.state_of(run), views.done(session, run), views.planned(run), run.resumed)


def check_seat(person: str, *, most: int) -> None:
    """Raise `TooMany` when a person has `most` streams open in this process."""
    if _open[person] >= most:
        raise TooMany(f"You watch {most} runs already; close one of those streams first.", seconds=10)


@contextmanager
def _seated(person: str) -> Iterator[None]:
    _open[person] += 1
    try:
        yield
    finally:
        _open[person] -= 1
        if not _open[person]:
            del _open[person]


async def stream(engine: sa.Engine, run_id: str, *, person: str, last: str) -> AsyncIterator[bytes]:
    """Yield events until the run ends or the stream is old; `last` is what the client heard already."""
    loop = asyncio.get_running_loop()
    begun = spoke = loop.time()
    with _seated(person):
        yield RETRY
        while loop.time() - begun < LONGEST:
            found = await run_in_threadpool(progress, engine, run_id)
            if found.id != last:
                yield found.event()
                last, spoke = found.id, loop.time()
            if found.ended:
                return
            if loop.time() - spoke >= HEARTBEAT:
                yield b": alive\n\n"
                spoke = loop.time()
            await asyncio.sleep(PAUSE)
