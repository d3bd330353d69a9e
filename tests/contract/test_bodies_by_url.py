"""Wherever attempts run, with an object store they read and put bodies by URLs of their own, and believe nobody."""

import hashlib
import json
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from backend_house import eventually, follow, processes_of
from sandbox_lab import MIB, python, shell
from services.s3_store import BUCKET, S3Store

from strongroom.storage import Objects

PLACES = {"local": "backend_local", "slurm": "backend_slurm", "kubernetes": "backend_kubernetes"}
SEGMENT = 65_536 + 28
PLAIN = bytes(range(256)) * 4096 * 3  # three blocks that are fetched together, of 16 segments each


@pytest.fixture(params=PLACES, scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    host = request.getfixturevalue("cluster").place.host if request.param == "kubernetes" else "127.0.0.1"
    with S3Store(host) as server:
        # Small parts and URLs for small bodies only: so both ways of putting are taken.
        objects = Objects(store="s3", s3=server.settings(url_bytes=2 * MIB))
        with import_module(PLACES[request.param]).open_place(request, folder, objects=objects) as one:
            one.server = server
            one.s3 = objects.s3
            yield one


def key_of(place: Any, name: str) -> str:
    return f"{place.s3.prefix}{name[:2]}/{name}"


def replace(place: Any, given: dict[str, Any], body: bytes) -> None:
    place.server.client().put_object(Bucket=BUCKET, Key=key_of(place, given["object"]), Body=body)


def body_of(place: Any, given: dict[str, Any]) -> bytes:
    return bytes(place.server.client().get_object(Bucket=BUCKET, Key=key_of(place, given["object"]))["Body"].read())


def test_inputs_are_read_and_outputs_are_put_by_url(place: Any) -> None:
    small, large = place.house.broker.stored("s.txt", b"abc\n"), place.house.broker.stored("l.bin", PLAIN)
    outputs = [{"path": f"/run/work/{name}", "type": "FILE"} for name in ("small", "large", "empty")]
    script = "cat s.txt > small; cat l.bin l.bin > large; : > empty; echo said"
    told = place.submit(shell(script), inputs=[small, large], outputs=outputs)
    report = told.end(120)
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    found = place.house.opened(report)
    assert found == {"small": b"abc\n", "large": PLAIN * 2, "empty": b"", "stdout.0": b"said\n"}
    assert processes_of(told.launch) == []
    bodies = place.house.lab.bodies
    assert [path for path in bodies.rglob("*") if path.is_file()] == []  # no body took the old way


def test_a_task_may_read_at_random(place: Any) -> None:
    given = place.house.broker.stored("l.bin", PLAIN)
    code = (
        "import os, hashlib; fd = os.open('/run/work/l.bin', os.O_RDONLY); seen = hashlib.sha256()\n"
        f"for n in range(200): seen.update(os.pread(fd, 5000, n * 7919 * 131 % {len(PLAIN)}))\n"
        "print(seen.hexdigest())"
    )
    report = place.submit(python(code), inputs=[given], limits={"stage_bytes": 0}).end(120)
    seen = hashlib.sha256()
    for number in range(200):
        start = number * 7919 * 131 % len(PLAIN)
        seen.update(PLAIN[start : start + 5000])
    assert place.house.opened(report) == {"stdout.0": seen.hexdigest().encode() + b"\n"}, report


@pytest.mark.parametrize("change", ["swapped", "cut", "longer", "flipped", "other", "gone"])
def test_a_body_that_the_store_changed_is_not_believed(place: Any, change: str) -> None:
    given = place.house.broker.stored("l.bin", PLAIN)
    launch = place_launch(place, given)
    body = body_of(place, given)
    changed = {
        "swapped": body[SEGMENT : 2 * SEGMENT] + body[:SEGMENT] + body[2 * SEGMENT :],
        "cut": body[:-SEGMENT],
        "longer": body + body[:SEGMENT],
        "flipped": body[:100] + bytes([body[100] ^ 1]) + body[101:],
        "other": b"something else",
        "gone": b"",
    }[change]
    replace(place, given, changed)
    if change == "gone":
        place.server.client().delete_object(Bucket=BUCKET, Key=key_of(place, given["object"]))
    told = follow(place.backend, launch)
    report = told.end(120)
    assert report["cause"] == "system", report
    assert "stored body is not the one that was registered" in report["reason"]
    assert report["outputs"] == []
    assert_tells_nothing(place, report)


def test_a_store_that_is_away_for_a_while_is_waited_for(place: Any) -> None:
    given = place.house.broker.stored("l.bin", PLAIN)
    outputs = [{"path": "/run/work/out", "type": "FILE"}]
    told = place.submit(
        shell("echo began > began; sleep 2; cat l.bin > out"),
        inputs=[given],
        outputs=outputs,
        limits={"stage_bytes": 0},
    )
    eventually(lambda: processes_of(told.launch), "the task does not run", within=60)
    place.server.stop()
    time.sleep(4)
    place.server.start_again()
    report = told.end(120)
    assert (report["cause"], report["exit_code"]) == ("exited", 0), report
    assert place.house.opened(report)["out"] == PLAIN


def test_no_url_and_no_key_is_told_anywhere(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    given = place.house.broker.stored("s.txt", b"abc\n")
    task = "cat /proc/*/environ /proc/*/cmdline 2>/dev/null; cat s.txt; env"
    told = place.submit(shell(task), inputs=[given])
    report = told.end(120)
    said = place.house.opened(report)["stdout.0"].decode(errors="replace")
    assert "abc" in said
    for text in (said, caplog.text, json.dumps(report), json.dumps(place.house.row(told.attempt).launch)):
        assert "X-Amz" not in text
        assert place.s3.access_key not in text
    assert "X-Amz" not in told.launch.spec.decode()
    assert_tells_nothing(place, report)


def place_launch(place: Any, given: dict[str, Any]) -> Any:
    if place.name == "local":
        return place.house.launch(place.name, place.house.broker.path, shell("cat l.bin > /dev/null"), inputs=[given])
    return place.launch(shell("cat l.bin > /dev/null"), inputs=[given])


def assert_tells_nothing(place: Any, report: dict[str, Any]) -> None:
    said = json.dumps(report)
    for secret in (place.server.host, BUCKET, str(place.server.port), "https:"):
        assert secret not in said
