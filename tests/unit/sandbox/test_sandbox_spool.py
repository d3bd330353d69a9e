"""A node keeps each result until somebody has it: whatever the dispatcher answers, or does not."""

import json
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from sandbox.door import Door, DoorClosed, DoorRefused
from sandbox.spool import Spool

ATTEMPT = "a" * 32
RESULT = {"type": "result", "cause": "exited", "exit_code": 0, "signature": "x"}
SAID = {"pass": "0" * 64, "result": RESULT}


class Dispatcher:
    """A door that answers what it is told to."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.answers: list[Exception | None] = []

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.heard.append(message)
        return {"ok": True}


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher()


def spool_of(folder: Path, dispatcher: Dispatcher) -> Spool:
    return Spool(folder / "spool", cast(Door, dispatcher))


def told_for_ever(spool: Spool) -> None:
    threading.Thread(target=spool.run, daemon=True).start()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "spool").iterdir())


def eventually_empty(folder: Path) -> None:
    end = time.monotonic() + 10
    while files(folder):
        assert time.monotonic() < end, files(folder)
        time.sleep(0.01)


def test_a_result_that_is_heard_leaves_nothing(dispatcher: Dispatcher, tmp_path: Path) -> None:
    spool_of(tmp_path, dispatcher).put(ATTEMPT, SAID, more={})
    assert dispatcher.heard == [{"verb": "result", "attempt": ATTEMPT, **SAID}]
    assert files(tmp_path) == []


@pytest.mark.parametrize("silence", [DoorClosed("away"), DoorRefused("Something failed inside.", 500)])
def test_a_result_that_is_not_heard_is_told_again(dispatcher: Dispatcher, tmp_path: Path, silence: Exception) -> None:
    dispatcher.answers = [silence, silence]
    spool = spool_of(tmp_path, dispatcher)
    spool.put(ATTEMPT, SAID, more={})
    assert files(tmp_path) == [f"{ATTEMPT}.json"]
    told_for_ever(spool)
    eventually_empty(tmp_path)
    assert len(dispatcher.heard) == 1


def test_what_an_earlier_life_left_is_told(dispatcher: Dispatcher, tmp_path: Path) -> None:
    dispatcher.answers = [DoorClosed("away")]
    spool_of(tmp_path, dispatcher).put(ATTEMPT, SAID, more={})
    told_for_ever(spool_of(tmp_path, dispatcher))
    eventually_empty(tmp_path)
    assert dispatcher.heard[0]["result"] == RESULT


def test_what_nobody_wants_is_not_told_for_ever(dispatcher: Dispatcher, tmp_path: Path) -> None:
    dispatcher.answers = [DoorRefused("This is not signed with the key that the attempt claimed with.", 403)]
    spool_of(tmp_path, dispatcher).put(ATTEMPT, SAID, more={})
    assert files(tmp_path) == []
    assert dispatcher.heard == []


def test_what_is_no_result_is_put_away_and_drafts_are_not_told(dispatcher: Dispatcher, tmp_path: Path) -> None:
    spool = spool_of(tmp_path, dispatcher)
    (tmp_path / "spool" / f"{ATTEMPT}.json").write_text("{")
    (tmp_path / "spool" / f"{'b' * 32}.json").write_text(json.dumps(SAID))
    (tmp_path / "spool" / f".{'c' * 32}").write_text("{")
    (tmp_path / "spool" / "notes.json").write_text("{}")
    told_for_ever(spool)
    end = time.monotonic() + 10
    while files(tmp_path) != [f".{'c' * 32}", "notes.json"]:
        assert time.monotonic() < end, files(tmp_path)
        time.sleep(0.01)
    assert [message["attempt"] for message in dispatcher.heard] == ["b" * 32]


def test_nobody_else_reads_results(dispatcher: Dispatcher, tmp_path: Path) -> None:
    dispatcher.answers = [DoorClosed("away")]
    spool_of(tmp_path, dispatcher).put(ATTEMPT, SAID, more={})
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "spool" / f"{ATTEMPT}.json").stat().st_mode & 0o777 == 0o600


def test_what_is_asked_for_beside_a_result_is_asked_once(dispatcher: Dispatcher, tmp_path: Path) -> None:
    dispatcher.answers = [DoorClosed("away")]
    spool, more = spool_of(tmp_path, dispatcher), {"more": True, "user": "job1"}
    assert spool.put(ATTEMPT, SAID, more=more) is None
    told_for_ever(spool)
    eventually_empty(tmp_path)
    assert spool.put(ATTEMPT, SAID, more=more) == {"ok": True}
    assert [message.get("more") for message in dispatcher.heard] == [None, True]
