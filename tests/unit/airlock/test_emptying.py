"""What was brought in and not let in is deleted some days after the end of its last request, and nothing else is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import API, Scene, scene
from ingress_scene import NAME, approved, bring, named, opened, requested, shared, submitted, waits

from airlock import emptying
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest
from archive.store import Dataset, StoredObject
from strongroom.audit import Event
from strongroom.database import reading, transaction

DAY = timedelta(days=1)
DAYS, APPEAL, IDLE = 30, 30, 90  # the settings' own


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        made.broker.dataset = NAME
        yield made


def older(stage: Scene, days: int) -> None:
    """Let so many days go by since all that happened."""
    with transaction(stage.engine) as session:
        for column in (ReleaseRequest.changed, IntakeRun.created, IntakeFile.created):
            for row in session.query(column.class_):
                setattr(row, column.key, getattr(row, column.key) - days * DAY)


def bodies(stage: Scene) -> dict[str, bool]:
    """Return the objects that are sealed to a quarantine's key, and whether their bodies are there."""
    with reading(stage.engine) as session:
        ids = session.scalars(sa.select(StoredObject.id).where(StoredObject.purpose == "quarantine")).all()
    return {one: stage.inspector.store.path(one).exists() for one in ids}


def emptied(stage: Scene) -> list[dict[str, Any]]:
    """Return what the log says of emptied quarantines."""
    return stage.events(Event.INGRESS_EMPTIED)


def withdrawn(stage: Scene, *names: str) -> dict[str, Any]:
    request = requested(stage, *names)
    assert stage.ask("ruth").post(f"{API}/requests/{request['id']}:withdraw").status_code == 200
    return request


def test_bytes_of_a_withdrawn_request_go_after_the_days_that_are_set(stage: Scene) -> None:
    request = withdrawn(stage, "genes.tsv", "notes.tsv")
    older(stage, DAYS - 1)
    stage.work()
    assert set(bodies(stage).values()) == {True}
    older(stage, 1)
    stage.work()
    assert list(bodies(stage).values()) == [False, False]
    assert stage.broker.asked == [{"verb": "destroy", "purpose": "quarantine", "owner": request["run"]}]
    (told,) = emptied(stage)
    assert (told["subject"], told["facts"]) == (request["run"], {"dataset": NAME, "objects": sorted(bodies(stage))})
    assert [one["facts"] for one in stage.events(Event.INGRESS_CLOSED)] == [{"dataset": NAME}]
    stage.work()
    assert len(emptied(stage)) == 1


def test_no_days_are_at_once(stage: Scene) -> None:
    airlock = stage.settings.airlock.model_copy(update={"quarantine_days": 0})
    at_once = replace(stage, settings=stage.settings.model_copy(update={"airlock": airlock}))
    withdrawn(at_once)
    at_once.work()
    assert list(bodies(stage).values()) == [False]


@pytest.mark.parametrize("outcome", ["reject", "return"])
def test_a_refused_file_waits_for_its_appeal_or_its_mending_first(stage: Scene, outcome: str) -> None:
    request = approved(stage, outcome=outcome, **{"genes.tsv": "unclear"})
    first = APPEAL if outcome == "reject" else IDLE
    assert request["state"] == ("REJECTED" if outcome == "reject" else "RETURNED")
    older(stage, DAYS + first - 1 if outcome == "reject" else first)
    stage.work()  # what was left lying expires
    assert list(bodies(stage).values()) == [True]
    older(stage, 1 if outcome == "reject" else DAYS)
    stage.work()
    assert list(bodies(stage).values()) == [False]


def test_what_is_still_open_keeps_all_of_its_quarantine(stage: Scene) -> None:
    request = withdrawn(stage)
    bring(stage, request["run"], name="mended.tsv")
    stage.work()
    stage.ask("ruth").post(f"{API}/requests", {"run": request["run"], "files": ["mended.tsv"], "purpose": "A panel."})
    older(stage, DAYS)
    stage.work()
    assert set(bodies(stage).values()) == {True}
    assert stage.broker.asked == []


def test_what_was_let_in_stays_and_only_the_rest_goes(stage: Scene) -> None:
    approved(stage, "genes.tsv", "notes.tsv", outcome="split", **{"notes.tsv": "unclear"})
    (let_in,) = named(stage).values()
    with transaction(stage.engine) as session:  # as the broker's `admit` does
        row = session.get_one(StoredObject, let_in)
        row.purpose, row.owner = "store", NAME
    older(stage, IDLE)
    stage.work()
    older(stage, DAYS)
    stage.work()
    assert list(bodies(stage).values()) == [False]
    assert stage.inspector.store.path(let_in).exists()
    assert shared(stage) != []
    with reading(stage.engine) as session:
        assert session.get_one(Dataset, NAME).deleted_at is None


def test_a_quarantine_of_which_all_came_in_goes_on_taking_files(stage: Scene) -> None:
    request = approved(stage)
    older(stage, 10 * IDLE)
    stage.work()
    assert (emptied(stage), stage.events(Event.INGRESS_CLOSED)) == ([], [])
    assert bring(stage, request["run"], name="more.tsv").status_code == 201


def test_what_nobody_ever_asks_for_counts_as_left_lying(stage: Scene) -> None:
    ingress = opened(stage).json()["id"]
    assert bring(stage, ingress).status_code == 201
    waits(stage, ingress)  # uploaded, and never brought
    stage.work()
    older(stage, IDLE + DAYS - 1)
    stage.work()
    assert list(bodies(stage).values()) == [True, True]
    older(stage, 1)
    stage.work()
    assert list(bodies(stage).values()) == [False, False]


def test_nothing_more_comes_in_by_an_emptied_quarantine(stage: Scene) -> None:
    request = withdrawn(stage)
    older(stage, DAYS)
    stage.work()
    refused = [
        bring(stage, request["run"], name="more.tsv"),
        stage.ask("ruth").post(f"{API}/requests", {"run": request["run"], "purpose": "Once more."}),
    ]
    for answer in refused:
        assert answer.status_code == 409
        assert "has been deleted" in answer.text
    with reading(stage.engine) as session:
        assert session.get_one(Dataset, NAME).deleted_at is not None  # nothing was ever in it
    assert opened(stage).status_code == 409  # an id is of one dataset for ever


DIES = """
import os, signal, sys
from pathlib import Path
from airlock import emptying
from archive import destruction
from strongroom.database import open_database
from strongroom.object_stores.folder import Folder
from strongroom.queue import Context
from strongroom.settings import Settings

home, ingress, at = sys.argv[1:]
ask, delete, left = destruction.ask, Folder.delete, 1 if at == "among the bodies" else 0

def dying(act):
    def acts(*words):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return act(*words)
    return acts

if at == "before the key":
    destruction.ask = dying(ask)
else:
    Folder.delete = dying(delete)
settings = Settings(home=Path(home), identity={"development_issuer": True})
emptying.empty(Context(settings, open_database(settings.database)), ingress)
"""


@pytest.mark.parametrize(("at", "gone"), [("before the key", 0), ("after the key", 0), ("among the bodies", 1)])
def test_a_worker_that_is_killed_is_followed_by_another(stage: Scene, at: str, gone: int) -> None:
    """Wherever it stops, the next sweep finds the quarantine again and ends it; one event tells so."""
    request = withdrawn(stage, "genes.tsv", "notes.tsv")
    older(stage, DAYS)
    words = [sys.executable, "-P", "-c", DIES, str(stage.settings.home), request["run"], at]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert (len(stage.events(Event.INGRESS_CLOSED)), emptied(stage)) == (1, [])
    assert list(bodies(stage).values()).count(False) == gone
    assert list(emptying.over(stage.context)) == [(emptying.EMPTY, request["run"])]
    stage.work()
    assert list(bodies(stage).values()) == [False, False]
    assert (len(stage.events(Event.INGRESS_CLOSED)), len(emptied(stage))) == (1, 1)
    assert list(emptying.over(stage.context)) == []


def test_the_broker_that_does_not_answer_is_asked_again(stage: Scene) -> None:
    withdrawn(stage)
    older(stage, DAYS)
    door = stage.settings.sockets / "broker.sock"
    door.rename(door.with_suffix(".away"))
    stage.work()
    assert (list(bodies(stage).values()), emptied(stage)) == ([True], [])
    door.with_suffix(".away").rename(door)
    stage.work()
    assert list(bodies(stage).values()) == [False]


def test_a_request_in_review_is_never_over(stage: Scene) -> None:
    request = submitted(stage)
    older(stage, 10 * IDLE)
    stage.work()
    assert list(bodies(stage).values()) == [True]
    emptying.empty(stage.context, request["run"])  # a message that came too late, or twice
    assert (list(bodies(stage).values()), stage.events(Event.INGRESS_CLOSED)) == ([True], [])
