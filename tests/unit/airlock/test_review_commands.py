"""The commands beside the votes, against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV, VCF, Scene, block, scene
from serving import Desk, served

from strongroom.cli import release, request, review, review_words

ALL = {TSV: "count", PNG: "plot", VCF: "sites"}
assert review_words.app is review.app


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


@pytest.fixture
def desk(stage: Scene) -> Iterator[Desk]:
    with served(stage.app) as server:
        yield Desk(stage, server)


def test_a_request_with_groups_and_supporting_files_is_made_and_answered(
    stage: Scene, desk: Desk, tmp_path: Path
) -> None:
    run = stage.complete_run(ALL)
    file = tmp_path / "groups.json"
    file.write_text(
        json.dumps([{"name": "figure", "files": [TSV, PNG], "context": "All adults.", "controls": "From 5 on."}])
    )
    made = desk.json(request.app, "ruth", "create", run, "--purpose", "p", "--groups", str(file), "--supporting", VCF)
    assert [(f["path"], f["supporting"]) for f in made["files"]] == [(PNG, False), (TSV, False), (VCF, True)]
    assert desk.type(request.app, "ruth", "create", run, "--purpose", "p", "--groups", str(run)).exit_code != 0
    stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {"key": FINGERPRINT})
    desk.json(request.app, "ruth", "comment", made["id"], "They are for the poster.")
    shown = desk.type(review.app, "sam", "show", made["id"])
    for words in ("All adults.", "supporting: never leaves", "They are for the poster.", "Place in the queue: 1"):
        assert words in " ".join(shown.output.split()), shown.output
    # A vote without --file leaves supporting files alone.
    for name in ("sam", "sina"):
        desk.json(review.app, name, "vote", made["id"], "--yes")
    assert desk.json(review.app, "sam", "consolidate", made["id"])["state"] == "APPROVED"


def test_words_step_backs_lifts_and_stops_are_typed(stage: Scene, desk: Desk) -> None:
    stage.inspector.findings[("check", TSV)] = block("small-count")
    made = stage.ready(stage.complete_run(ALL), TSV)
    note = ["--reason", "false-alarm", "--note", "It counts genes and no persons."]
    assert desk.type(review.app, "sam", "lift", made["id"], *note).exit_code == 3
    assert desk.json(review.app, "sena", "lift", made["id"], *note) == {"done": True}
    assert desk.json(request.app, "ruth", "show", made["id"])["state"] == "READY"
    assert [line["reason"] for line in desk.json(review.app, "sam", "register")] == ["false-alarm"]
    stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {"key": FINGERPRINT})
    said = desk.json(review.app, "sam", "comment", made["id"], "--text", "Say who they are.", "--file", TSV)
    assert said["waits"]
    for name in ("sam", "sina"):
        desk.json(review.app, name, "vote", made["id"], "--yes")
    assert not desk.json(review.app, "sina", "confirm", made["id"], said["id"])["waits"]
    assert desk.json(review.app, "sara", "interest", made["id"]) == {"done": True}
    assert desk.type(review.app, "sam", "decline", made["id"]).exit_code == 1
    assert desk.json(review.app, "sam", "consolidate", made["id"], "--outcome", "return")["state"] == "RETURNED"
    assert desk.json(review.app, "sam", "figures")["returned"] == 1
    stop = desk.json(release.app, "sara", "stop", "--reason", "leak")
    assert stop["id"] in desk.type(release.app, "ruth", "stops").output
    assert desk.json(release.app, "sam", "resume", stop["id"])["lifted"] is None
    assert desk.json(release.app, "sina", "resume", stop["id"])["lifted"] is not None
