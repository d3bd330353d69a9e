"""The spec of an attempt says what the plan, the image and the operator say, and the sandbox can read it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive.bodies import BodyFacts
from sandbox.images import Image, ImageRecord
from sandbox.spec import ScratchSpace, Spec, Stored, parse_spec
from strongroom.settings import Settings, Tes
from tes.admission import plan
from tes.launch import Keys, Place, task_spec
from tes.schemas import NewTask

IMAGE, OTHER = "sha256:" + "b" * 64, "sha256:" + "d" * 64
OBJECT = "1" * 32
FACTS = {OBJECT: BodyFacts(Path("/objects/one"), 5, 1, 33, "0" * 64, datetime(2026, 1, 1, tzinfo=UTC))}
KEYS = Keys(Path("/sockets/broker.sock"), "A" * 43 + "=")


def place(workdir: str | None = None, sensitivity: str = "standard") -> Place:
    image = ImageRecord(IMAGE, env={"A": "image", "B": "image"}, workdir=workdir, entrypoint=(), command=())
    found = {
        IMAGE: Image(Path("/images/one/rootfs"), image, "sha256:1"),
        OTHER: Image(
            Path("/images/two/rootfs"), replace(image, digest=OTHER, env={"C": "other"}, workdir="/two"), ""
        ),
    }
    return Place(uid=100_001, sensitivity=sensitivity, images=found, code={})


def launched(
    *,
    image_workdir: str | None = None,
    sensitivity: str = "standard",
    tes: dict[str, Any] | None = None,
    **changes: Any,
) -> Spec:
    settings = Settings(home=Path("/srv/home"), tes=Tes(memory_gb=4, scratch_disk_gb=100, **(tes or {})))
    executor = {"image": IMAGE, "command": ["true"], **changes.pop("executor", {})}
    made = plan(NewTask.model_validate({"executors": [executor], **changes}), run="a" * 32, limits=settings.tes)
    where = place(image_workdir, sensitivity)
    return parse_spec(task_spec(made, attempt="a1", facts=FACTS, place=where, keys=KEYS, settings=settings))


@pytest.mark.parametrize(
    ("task", "image", "folder"),
    [
        (None, None, "/run/work"),
        (None, "/opt/tool", "/opt/tool"),  # TES 1.1, tesExecutor.workdir
        ("/run/work/a", "/opt/tool", "/run/work/a"),
        ("/", "/opt/tool", "/"),
    ],
)
def test_a_command_starts_where_the_task_says_else_where_the_image_says(
    task: str | None, image: str | None, folder: str
) -> None:
    assert launched(image_workdir=image, executor={"workdir": task}).executors[0].workdir == folder


def test_the_tasks_environment_wins_over_the_images() -> None:
    assert dict(launched(executor={"env": {"B": "task"}}).executors[0].env) == {"A": "image", "B": "task"}


def test_each_executor_has_the_root_environment_and_folder_of_its_own_image() -> None:
    executors = [{"image": IMAGE, "command": ["true"]}, {"image": OTHER, "command": ["true"]}]
    found = launched(image_workdir="/one", executors=executors, volumes=["/vol"])
    assert found.roots == (Path("/images/one/rootfs"), Path("/images/two/rootfs"))
    first, second = found.executors
    assert (first.root, first.workdir, second.root, second.workdir) == (0, "/one", 1, "/two")
    assert (dict(first.env), dict(second.env)) == ({"A": "image", "B": "image"}, {"C": "other"})
    assert found.volumes == ("/vol",)


@pytest.mark.parametrize(
    ("asked", "driver", "space"),
    [
        (1, "gocryptfs", ScratchSpace()),
        (1, "fscrypt", ScratchSpace()),
        (50, "gocryptfs", ScratchSpace("gocryptfs", Path("/var/scratch"))),
        (50, "fscrypt", ScratchSpace("fscrypt", Path("/var/scratch"))),
    ],
)
def test_the_operator_chooses_what_encrypts_scratch_that_memory_cannot_hold(
    asked: int, driver: str, space: ScratchSpace
) -> None:
    tes = {"scratch_driver": driver, "scratch_folder": Path("/var/scratch")}
    assert launched(tes=tes, resources={"disk_gb": asked}).scratch == space


@pytest.mark.parametrize(("asked", "given"), [("true", True), ("false", False)])
def test_a_writable_root_is_what_the_task_asked_for(asked: str, given: bool) -> None:
    assert launched(resources={"backend_parameters": {"writable_root": asked}}).writable_root is given


@pytest.mark.parametrize(
    ("sensitivity", "everywhere", "whole"),
    [("standard", False, False), ("standard", True, True), ("high", False, True), ("unheard of", False, True)],
)
def test_t32_data_of_high_sensitivity_is_read_whole(sensitivity: str, everywhere: bool, whole: bool) -> None:
    inputs = [
        {"path": "/run/work/a", "url": f"strongroom://object/{OBJECT}"},
        {"path": "/run/work/b", "content": "clear"},
    ]
    found = launched(sensitivity=sensitivity, tes={"read_whole": everywhere}, inputs=inputs)
    assert [given.read_whole for given in found.inputs if isinstance(given, Stored)] == [whole]


@pytest.mark.parametrize(("sensitivity", "walls"), [("standard", "crun"), ("high", "runsc"), ("unheard of", "runsc")])
def test_the_walls_are_those_of_the_data(sensitivity: str, walls: str) -> None:
    assert launched(sensitivity=sensitivity, tes={"walls": "crun", "walls_of_high": "runsc"}).walls == walls
