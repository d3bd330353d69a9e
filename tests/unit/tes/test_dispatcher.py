"""What the dispatcher hears is written down once, in few transactions, before whoever told it may forget it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dispatcher_scene import WELL, Scene

from strongroom.database import transaction
from tes import chronicle
from tes.dispatcher import RUNNING_AFTER
from tes.reports import report
from tes.store import Task
from tes.tasks import Cause


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    one = Scene(tmp_path / "home", cores=2)
    yield one
    one.close()


def test_who_tells_an_end_is_let_go_only_when_it_is_written_down(scene: Scene, monkeypatch: Any) -> None:
    task = scene.task()
    tell, writable = scene.tell(), threading.Event()

    def write(*given: Any, **more: Any) -> frozenset[str]:
        if not writable.is_set():
            raise sa.exc.OperationalError("a full disk", None, Exception())
        return original(*given, **more)

    original = chronicle.write
    monkeypatch.setattr(chronicle, "write", write)
    telling = threading.Thread(target=tell.ended, args=(WELL,), daemon=True)
    telling.start()
    telling.join(1.5)
    assert telling.is_alive()
    assert scene.state(task) == "INITIALIZING"
    writable.set()
    telling.join(20)
    assert not telling.is_alive()
    assert scene.state(task) == "COMPLETE"


def test_a_short_task_is_written_down_as_one_that_ran_and_ended(scene: Scene) -> None:
    task = scene.task()
    tell = scene.tell()
    tell.started()
    tell.ended(WELL)
    assert scene.moves(task) == ["INITIALIZING", "RUNNING", "COMPLETE"]


def test_a_long_task_is_seen_running(scene: Scene) -> None:
    task = scene.task()
    began = time.monotonic()
    scene.tell().started()
    assert scene.becomes(task, "RUNNING")
    assert time.monotonic() - began >= RUNNING_AFTER
    scene.tell().ended(WELL)
    assert scene.moves(task) == ["INITIALIZING", "RUNNING", "COMPLETE"]


def test_an_attempt_that_its_backend_does_not_take_is_lost_and_another_one_made(scene: Scene) -> None:
    scene.backend.fails = 1
    task = scene.task()
    scene.tell().ended(WELL)
    first, second = scene.attempts(task)
    assert first.report is not None
    assert first.report["cause"] == "lost"
    assert second.report == WELL
    assert scene.state(task) == "COMPLETE"


def test_a_task_that_cannot_be_prepared_takes_nothing_of_the_node(scene: Scene) -> None:
    refused = [scene.task(image=f"sha256:{'0' * 64}"), scene.task(run="x" * 32)]
    assert all(scene.becomes(task, "SYSTEM_ERROR") for task in refused)
    reasons = [(row.report or {})["reason"] for task in refused for row in scene.attempts(task)]
    assert reasons == [
        "Its image is not here as it was imported.",
        "This run has ended or its permission has expired; submit it again.",
    ]
    for number in (1, 2):
        scene.task()
        scene.tell(number)


def test_what_does_not_fit_waits_in_order(scene: Scene) -> None:
    tasks = [scene.task() for _ in range(5)]
    scene.tell(2)
    time.sleep(0.3)
    assert len(scene.backend.told) == 2
    for number in range(1, 6):
        scene.tell(number).ended(WELL)
    assert [scene.attempts(task)[0].id for task in tasks] == list(scene.backend.told)


def test_a_task_that_is_canceled_while_it_is_prepared_is_not_started(scene: Scene, monkeypatch: Any) -> None:
    original, task = chronicle.write, list[str]()

    def canceled_first(session: Any, news: Any, *given: Any, **more: Any) -> frozenset[str]:
        for one in news.prepared:
            session.execute(sa.update(Task).where(Task.id == one.task).values(state="CANCELED"))
            task.append(one.task)
        return original(session, news, *given, **more)

    monkeypatch.setattr(chronicle, "write", canceled_first)
    canceled = scene.task()
    assert scene.until(lambda: task)
    monkeypatch.setattr(chronicle, "write", original)
    assert scene.becomes(canceled, "CANCELED")  # once what was written is there for others
    assert scene.attempts(canceled) == []
    for _ in range(2):  # the node has all its room
        scene.task()
    scene.tell(2)


def test_canceling_kills_what_lives_and_ends_what_does_not(scene: Scene) -> None:
    alive, gone = scene.task(), scene.task()
    scene.tell(2)
    scene.dispatcher._running.pop(gone)  # its process died with its backend
    with transaction(scene.engine) as session:
        session.execute(sa.update(Task).values(state="CANCELING"))
    assert scene.becomes(gone, "CANCELED")
    attempt = scene.attempts(alive)[0].id
    assert scene.until(lambda: attempt in scene.backend.canceled)
    scene.backend.told[attempt].ended(report(Cause.CANCELED))
    assert scene.state(alive) == "CANCELED"
