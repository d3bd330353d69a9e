"""Whoever holds an attempt's key, a node too, makes a result of nothing but what the task declared (T19, T22)."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dispatcher_scene import WELL, Scene
from words_room import Room, until

from tes.reports import UNLIKE
from wes.stubs import Obstructed, make_directory, missing, opened, write_stub

OBJECT, OTHER = "1" * 32, "2" * 32
SPEC = {
    "attempt": "a" * 32,
    "inputs": [{"path": "/run/work/in.txt"}, {"path": "/run/work/parts/in.txt"}],
    "outputs": [
        {"path": "/run/work/out.txt", "type": "FILE"},
        {"path": "/run/work/parts", "type": "DIRECTORY"},
        {"path": "/run/work/by/*/s[0-9].tsv", "type": "FILE", "wildcards": True},
        {"path": "/run/work/all/run?", "type": "DIRECTORY", "wildcards": True},
        {"path": "/run/work/n.txt", "type": "FILE", "tells": {"characters": "0123456789", "longest": 3, "most": 2}},
    ],
    "executors": [{}, {}],
    "limits": {"output_files": 4},
    "answer": None,
}
RESULT = {
    "type": "result",
    "cause": "exited",
    "exit_code": 0,
    "reason": None,
    "executors": [{"exit_code": 0, "start": 1.5, "end": 2.0}],
    "outputs": [],
    "missing": [],
    "answer": None,
    "peak_memory_bytes": None,
    "cpu_seconds": 0.0,
}
SYSTEM = {"cause": "system", "exit_code": None, "reason": UNLIKE}


def output(path: str, **changes: Any) -> dict[str, Any]:
    return {"path": path, "object": OBJECT, "size": 3, "role": "output", **changes}


def told(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the report of an attempt whose node signs a result with these changes."""
    room = Room(folder)
    launch = room.launch(spec=json.dumps(SPEC).encode())
    room.remote.submit(launch, room.tell())
    until(lambda: room.words.placed == [launch.attempt])
    own = room.claimed(launch.attempt)
    room.remote.result(launch.attempt, own.signed({**RESULT, **changes}))
    assert room.ended.wait(10)
    return room.reports[0]


@pytest.mark.parametrize(
    "path",
    [
        "/run/work/out.txt",
        "/run/work/parts/a.txt",
        "/run/work/parts/deeper/b c.txt",
        "/run/work/by/x/s1.tsv",
        "/run/work/all/run1/a/b",
    ],
)
def test_what_a_task_declared_is_taken(tmp_path: Path, path: str) -> None:
    said = {
        **RESULT,
        "outputs": [output(path), output("/run/work/.strongroom/stderr.1", object=OTHER, role="stderr")],
    }
    said["missing"] = ["/run/work/by/*/s[0-9].tsv"]
    assert told(tmp_path, **said) == {name: value for name, value in said.items() if name != "type"}


@pytest.mark.parametrize(
    "path",
    [
        "/run/work/../../../objects",
        "/run/work/..",
        "/run/work/./out.txt",
        "/run/work//out.txt",
        "run/work/out.txt",
        "/run/work/out.txt/",
        "",
        "/",
        "/run/work",
        "/etc/passwd",
        "/run/work/other.txt",
        "/run/work/out.txt/below",
        "/run/work/in.txt",
        "/run/work/parts",
        "/run/work/parts/in.txt",
        "/run/work/parts/..",
        "/run/work/parts/../out.txt",
        "/run/work/parts/'; rm -r x",
        "/run/work/parts/" + "/".join("d" * 40),
        "/run/work/parts/" + "n" * 256,
        "/run/work/parts/\ud800",
        "/run/work/parts/\n",
        "/run/work/by/x/sx.tsv",
        "/run/work/by/*/s1.tsv",
        "/run/work/by/../s1.tsv",
        "/run/work/by/x/y/s1.tsv",
        "/run/work/all/run1",
        "/run/work/all/run12/a",
        "/run/work/.strongroom/stdout.0",
        None,
        3,
        ["/run/work/out.txt"],
    ],
)
def test_t22_a_result_names_only_what_its_task_declared(tmp_path: Path, path: Any) -> None:
    assert told(tmp_path, outputs=[output(path)]) == SYSTEM


LINES = output("/run/work/n.txt", told=["12", "345"])


@pytest.mark.parametrize(
    "changes",
    [
        {"missing": ["/run/work/other.txt"]},
        {"missing": ["/run/work/parts/a.txt"]},
        {"missing": ["/run/work/parts", "/run/work/parts"]},
        {"outputs": [output("/run/work/out.txt"), output("/run/work/out.txt", object=OTHER)]},
        {"outputs": [output("/run/work/out.txt"), output("/run/work/parts/a")]},  # one object twice
        {"outputs": [output(f"/run/work/parts/{n}", object=f"{n:032x}") for n in range(9)]},
        {"outputs": [output("/run/work/out.txt", object="../" + OBJECT[3:])]},
        {"outputs": [output("/run/work/out.txt", object=OBJECT.upper() + "A")]},
        {"outputs": [output("/run/work/out.txt", role="stdout")]},
        {"outputs": [output("/run/work/out.txt", role="log")]},
        {"outputs": [output("/run/work/out.txt", told=["1"])]},
        {"outputs": [output("/run/work/out.txt", size=-1)]},
        {"outputs": [output("/run/work/out.txt", more=1)]},
        {"outputs": [output("/run/work/.strongroom/stdout.2", role="stdout")]},
        {"outputs": [output("/run/work/.strongroom/stderr.0", role="stdout")]},
        {"outputs": [{**LINES, "told": ["data"]}]},
        {"outputs": [{**LINES, "told": ["1234"]}]},
        {"outputs": [{**LINES, "told": ["1", "2", "3"]}]},
        {"outputs": [{**LINES, "told": ["1\n2"]}]},
        {"answer": base64.b64encode(b"{}").decode()},
        {"cause": "lost"},  # only we know that; it would give the task another attempt
    ],
)
def test_t22_nothing_else_is_told_by_a_result(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert told(tmp_path, **changes) == SYSTEM


def test_t17_lines_that_were_granted_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, outputs=[LINES])["outputs"] == [LINES]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    one = Scene(tmp_path / "home", cores=2)
    yield one
    one.close()


@pytest.mark.parametrize("foreign", [True, False])
def test_t22_an_object_that_another_attempt_left_ends_the_attempt_that_names_it(scene: Scene, foreign: bool) -> None:
    task, other = scene.task(), scene.task()
    tell = scene.tell(2)
    mine, theirs = (scene.attempts(one)[0].id for one in (task, other))
    scene.left(mine, OBJECT)
    scene.left(theirs, OTHER)
    outputs = [output("/run/work/out.txt"), *([output("/run/work/b.txt", object=OTHER)] if foreign else [])]
    scene.backend.told[mine].ended({**WELL, "outputs": outputs})
    scene.backend.told[theirs].ended({**WELL, "outputs": [output("/run/work/b.txt", object=OTHER)]})
    assert tell is scene.backend.told[theirs]
    assert scene.state(task) == ("SYSTEM_ERROR" if foreign else "COMPLETE")
    assert scene.state(other) == "COMPLETE"


@pytest.mark.parametrize(
    "path", ["../objects", "../../objects", "a/../../objects", "..", ".", "", "a//b", "a/.", "/a"]
)
def test_t19_no_path_leads_a_stub_out_of_the_tree(tmp_path: Path, path: str) -> None:
    tree, precious = tmp_path / "runs" / "tree", tmp_path / "objects"
    tree.mkdir(parents=True)
    for folder in (precious, tmp_path / "runs" / "objects"):
        folder.mkdir()
        (folder / "body").write_text("precious")
    before = sorted(str(one) for one in tmp_path.rglob("*"))
    with opened(tree) as root:
        with pytest.raises(Obstructed):
            write_stub(root, path, size=1, mtime_ns=0)
        with pytest.raises(Obstructed):
            make_directory(root, path)
        assert missing(root, {"one": path}) == {"one"}
    assert sorted(str(one) for one in tmp_path.rglob("*")) == before
