"""Whoever holds an attempt's key, a node too, makes a result of nothing but what the task declared (T19, T22)."""

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dispatcher_scene import WELL, Scene
from words_room import Room, until

from sandbox.signing import AttemptKey
from tes import chronicle
from tes.reports import UNLIKE, own_words
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


def told(**changes: Any) -> dict[str, Any]:
    """Return what is believed of a result with these changes that is signed with its attempt's own key."""
    own = AttemptKey()
    key = base64.b64encode(own.public_key).decode()
    return own_words(own.signed({**RESULT, **changes}), key, spec=json.dumps(SPEC).encode())


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
def test_what_a_task_declared_is_taken(path: str) -> None:
    said = {
        **RESULT,
        "outputs": [output(path), output("/run/work/.strongroom/stderr.1", object=OTHER, role="stderr")],
    }
    said["missing"] = ["/run/work/by/*/s[0-9].tsv"]
    assert told(**said) == {name: value for name, value in said.items() if name != "type"}


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
def test_t22_a_result_names_only_what_its_task_declared(path: Any) -> None:
    assert told(outputs=[output(path)]) == SYSTEM


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
def test_t22_nothing_else_is_told_by_a_result(changes: dict[str, Any]) -> None:
    assert told(**changes) == SYSTEM


def test_t17_lines_that_were_granted_are_told() -> None:
    assert told(outputs=[LINES])["outputs"] == [LINES]


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


BAD = [
    {"cause": "bogus"},
    {"exit_code": 0},
    {"cause": "exited", "exit_code": 0, "outputs": [{"path": "/run/work/out.txt"}]},
    {"cause": "exited", "exit_code": 0, "outputs": [{"path": None, "object": OBJECT}]},
    {"cause": "exited", "exit_code": 0, "outputs": 3},
    {"cause": "exited", "exit_code": 0, "reason": {1, 2}},
    None,
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_t22_a_result_that_is_none_ends_its_own_task_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, bad: Any
) -> None:
    original, together = chronicle.write, threading.Event()

    def write(session: Any, news: Any, *given: Any, **more: Any) -> frozenset[str]:
        if news.over and not together.is_set():
            raise sa.exc.OperationalError("a full disk", None, Exception())
        return original(session, news, *given, **more)

    tasks = [scene.task(), scene.task()]
    scene.tell(2)
    first, second = (scene.attempts(task)[0].id for task in tasks)
    scene.left(first, OBJECT)  # past the parser, as if it had overlooked something
    monkeypatch.setattr(chronicle, "write", write)
    tellers = [
        threading.Thread(target=scene.backend.told[attempt].ended, args=(said,), daemon=True)
        for attempt, said in ((first, bad), (second, WELL))
    ]
    for teller in tellers:
        teller.start()
    assert scene.until(lambda: len(scene.dispatcher._over) == 2)
    together.set()
    for teller in tellers:
        teller.join(20)
        assert not teller.is_alive()
    assert [scene.state(task) for task in tasks] == ["SYSTEM_ERROR", "COMPLETE"]
    assert scene.attempts(tasks[0])[0].report == SYSTEM
    scene.task()
    scene.tell(3).ended(WELL)  # and it goes on for everybody


WRONG: list[dict[str, Any]] = [
    {"cause": "bogus"},
    {"cause": ["exited"]},
    {"cause": None},
    {"type": "results"},
    {"exit_code": "0"},
    {"exit_code": True},
    {"exit_code": -1},
    {"exit_code": 1 << 80},
    {"reason": 1},
    {"reason": "x" * 5000},
    {"reason": "\ud800"},
    {"reason": "\0"},
    {"outputs": None},
    {"outputs": [None]},
    {"outputs": [{"path": "/run/work/out.txt", "size": 1, "role": "output"}]},
    {"outputs": [output("/run/work/out.txt", size=None)]},
    {"missing": None},
    {"missing": [["/run/work/parts"]]},
    {"executors": [{"exit_code": 0, "start": 1.0}]},
    {"executors": [{"exit_code": 0, "start": None, "end": 2.0}]},
    {"executors": [{"exit_code": 0, "start": 1e300, "end": 2.0}]},
    {"executors": [{"exit_code": 0, "start": 1.0, "end": 2.0}] * 3},
    {"answer": 3},
    {"peak_memory_bytes": 1 << 90},
    {"peak_memory_bytes": "1"},
    {"cpu_seconds": -1},
    {"cpu_seconds": 1e300},
    {"cpu_seconds": None},
    {"more": {}},
]


@pytest.mark.parametrize("changes", WRONG, ids=range(len(WRONG)))
def test_t22_words_that_are_no_result_end_as_a_failure_of_the_system(changes: dict[str, Any]) -> None:
    assert told(**changes) == SYSTEM


def test_t22_a_node_that_says_such_things_ends_its_attempt_for_good(tmp_path: Path) -> None:
    room = Room(tmp_path)
    launch = room.launch(spec=json.dumps(SPEC).encode())
    room.remote.submit(launch, room.tell())
    until(lambda: room.words.placed == [launch.attempt])
    own = room.claimed(launch.attempt)
    for path in ("/run/work/../../../objects", "/run/work/out.txt"):
        room.remote.result(launch.attempt, own.signed({**RESULT, "outputs": [output(path)]}))
    until(lambda: room.words.forgotten == [launch.attempt])
    assert room.reports == [SYSTEM]


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
