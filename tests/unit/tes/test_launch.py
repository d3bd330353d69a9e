"""The spec of an attempt: what its run's data is asked for decides how inputs are read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive.bodies import BodyFacts
from sandbox.spec import Stored, parse_spec
from strongroom.settings import Settings, Tes
from tes.launch import Keys, Place, task_spec

OBJECT = "1" * 32
PLAN: dict[str, Any] = {
    "image": "sha256:" + "b" * 64,
    "executors": [
        {"command": ["true"], "workdir": "/run/work", "env": {}, "stdin": None, "stdout": None, "stderr": None}
    ],
    "inputs": [{"path": "/run/work/a", "object": OBJECT}, {"path": "/run/work/b", "content": "YQ=="}],
    "outputs": [],
    "cores": 1.0,
    "memory": 1 << 30,
    "scratch": 1 << 30,
    "seconds": 60,
    "scratch_on_disk": False,
}


def spec_of(tmp_path: Path, *, sensitivity: str, tes: Tes) -> dict[str, Any]:
    facts = BodyFacts(tmp_path / "body", 5, 1, 33, "0" * 64, datetime(2026, 1, 1, tzinfo=UTC))
    place = Place(uid=100_000, sensitivity=sensitivity, rootfs=tmp_path, code={}, image_env={})
    raw = task_spec(
        PLAN,
        attempt="a" * 32,
        facts={OBJECT: facts},
        place=place,
        keys=Keys(tmp_path / "broker.sock", "A" * 43 + "="),
        settings=Settings(home=tmp_path, tes=tes),
    )
    parse_spec(raw)  # the sandbox accepts what is written here
    found: dict[str, Any] = json.loads(raw)
    return found


@pytest.mark.parametrize(
    ("sensitivity", "everywhere", "whole"),
    [("standard", False, False), ("standard", True, True), ("high", False, True), ("high", True, True)],
)
def test_t32_data_of_high_sensitivity_is_read_whole(
    tmp_path: Path, sensitivity: str, everywhere: bool, whole: bool
) -> None:
    found = parse_spec(
        json.dumps(spec_of(tmp_path, sensitivity=sensitivity, tes=Tes(read_whole=everywhere))).encode()
    )
    assert [given.read_whole for given in found.inputs if isinstance(given, Stored)] == [whole]


@pytest.mark.parametrize(("sensitivity", "walls"), [("standard", "crun"), ("high", "runsc"), ("unheard of", "runsc")])
def test_the_walls_are_those_of_the_data(tmp_path: Path, sensitivity: str, walls: str) -> None:
    tes = Tes(walls="crun", walls_of_high="runsc")
    assert spec_of(tmp_path, sensitivity=sensitivity, tes=tes)["walls"] == walls
