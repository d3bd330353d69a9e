"""Signed workflow code that forks, fills disk or memory, prints, hides or sleeps ends its own run alone."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import GATEWAY, events, eventually, in_state, rows, vetted
from site_of_tests import Site

from demo import people
from strongroom.cli.run import WES
from wes import engine_limits, lifetimes

PROCESSES, DISK_GB = 100, 0.05
LONG, SHORT = 45, 3  # seconds
DISK = int(DISK_GB * (1 << 30))
ACTS = "import os, time\n"
FORKS = """
import json
found = {"written": []}
for path in ("/owned", "/run/owned", "/dev/owned"):
    try:
        open(path, "w").close()
        found["written"].append(path)
    except OSError:
        pass
for folder in ("/dev/shm", "/tmp"):
    try:
        with open(folder + "/filled", "wb") as file:
            for n in range(100):
                file.write(bytes(1 << 20))
                file.flush()
    except OSError:
        pass
    found[folder] = os.path.getsize(folder + "/filled")
    os.unlink(folder + "/filled")
libc = __import__("ctypes").CDLL(None)
found["ownerless"] = [libc.shmget(0, 1 << 20, 0o1600), libc.msgget(0, 0o1600)]
found["forked"], found["refused"] = 0, ""
try:
    for n in range(3000):
        os.posix_spawn("/usr/bin/sleep", ["sleep", "600"], {})
        found["forked"] += 1
except OSError as error:
    found["refused"] = type(error).__name__
try:
    __import__("resource").setrlimit(__import__("resource").RLIMIT_NPROC, (3000, 3000))
    found["raised"] = True
except (ValueError, OSError):
    found["raised"] = False
with open("findings.json", "w") as file:
    json.dump(found, file)
os.kill(-1, 9)
"""
ONE_FILE = """
with open("large", "wb") as file:
    try:
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    except OSError as error:
        print("no larger:", error.errno, flush=True)
time.sleep(600)
"""
MANY_BYTES = """
for n in range(1000):
    with open(f"part{n}", "wb") as file:
        file.write(bytes(10 << 20))
    time.sleep(0.01)
time.sleep(600)
"""
WITHOUT_NAMES = """
kept = [open(f"part{n}", "wb") for n in range(50)]
for n, file in enumerate(kept):
    os.unlink(f"part{n}")
    file.write(bytes(10 << 20))
    file.flush()
time.sleep(600)
"""
IN_MEMORY_FILES = """
kept = [os.memfd_create("x") for n in range(50)]
for file in kept:
    os.write(file, bytes(10 << 20))
time.sleep(600)
"""
MANY_FILES = """
for folder in range(1000):
    os.mkdir(str(folder))
    for n in range(1000):
        os.close(os.open(f"{folder}/{n}", os.O_CREAT))
time.sleep(600)
"""
SHUT = """
os.mkdir("hidden")
os.chmod("hidden", 0)
time.sleep(600)
"""
DEEP = """
for n in range(3000):
    os.mkdir("deep")
    os.chdir("deep")
time.sleep(600)
"""
UNSEEN = """
import ctypes
if os.fork() == 0:
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    time.sleep(600)
time.sleep(600)
"""
TOGETHER = """
for n in range(12):
    if os.fork() == 0:
        kept = b"x" * (250 << 20)
        time.sleep(600)
time.sleep(600)
"""
SHARED = """
import mmap
for n in range(12):
    if os.fork() == 0:
        kept = mmap.mmap(-1, 250 << 20)
        kept.write(b"x" * len(kept))
        time.sleep(600)
time.sleep(600)
"""
PRINTS = """
while True:
    print("x" * 100000)
"""
ASKS = """
for n in range(3000):
    send(job("true", inputs=["/etc/shadow"]))
time.sleep(600)
"""
ASKS_NONSENSE = """
for n in range(3000):
    send(b"{")
time.sleep(600)
"""
SLEEPS = """
send(job("sleep 600", ["/run/work/done.txt"], rule="one"))
time.sleep(600)
"""
RULE = """
rule one:
    output: "done.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo done > {output}"
"""


@pytest.fixture(scope="module")
def small() -> Iterator[Site]:
    """A Strongroom where engines may have little, and one at a time."""
    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    bounds = {"PROCESSES": PROCESSES, "DISK_GB": DISK_GB, "MEMORY_GB": 1.0}
    site = Site(
        home,
        STRONGROOM_WES__RUNS_AT_ONCE="1",
        **{f"STRONGROOM_WES__ENGINE_{name}": str(value) for name, value in bounds.items()},
    )
    try:
        site.stage.import_image("genomics", people.genomics_image())
        site.stage.start()
        site.cast = people.cast(site.stage)
        yield site
    finally:
        site.stage.stop()
        engine_limits.remove(home)  # one of its trees is too deep for shutil


def submitted(site: Site, folder: Path, name: str, text: str) -> str:
    """Submit a run whose Snakefile does this when it is read."""
    return site.submit(vetted(site, folder / "w", name, GATEWAY + ACTS + text + RULE), {"inputs": {}})


def reason(site: Site, run: str) -> str:
    """Return why a run ended, by the table and by the log alike."""
    ((told,),) = rows(site, "select reason from runs where id = ?", run)
    assert events(site, "run.state", run)[-1]["facts"]["reason"] == told
    assert len(events(site, "decision.closed", run)) == 1
    return str(told)


def test_t30_an_engine_forks_no_more_than_it_may_and_fills_no_memory_of_its_walls(
    small: Site, tmp_path: Path
) -> None:
    run = submitted(small, tmp_path, "forks", FORKS)
    small.ended(run)
    found: dict[str, Any] = json.loads((small.stage.home / "runs" / run / "work" / "findings.json").read_text())
    assert found["written"] == []
    assert 0 < found["/dev/shm"] <= 64 << 20
    assert 0 < found["/tmp"] <= 64 << 20
    assert found["ownerless"] == [-1, -1]
    assert 0 < found["forked"] < PROCESSES
    assert (found["refused"], found["raised"]) == ("BlockingIOError", False)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("one-file", ONE_FILE, engine_limits.BYTES),
        ("many-bytes", MANY_BYTES, engine_limits.BYTES),
        ("without-names", WITHOUT_NAMES, engine_limits.BYTES),
        ("in-memory-files", IN_MEMORY_FILES, engine_limits.BYTES),
        ("many-files", MANY_FILES, engine_limits.FILES),
        ("shut", SHUT, engine_limits.HIDDEN),
        ("deep", DEEP, engine_limits.HIDDEN),
        ("unseen", UNSEEN, engine_limits.HIDDEN),
        ("together", TOGETHER, engine_limits.MEMORY),
        ("shared", SHARED, engine_limits.MEMORY),
        ("prints", PRINTS, engine_limits.PRINTED),
        ("asks", ASKS, engine_limits.REFUSED),
        ("asks-nonsense", ASKS_NONSENSE, engine_limits.REFUSED),
    ],
)
def test_t30_an_engine_that_takes_more_than_its_share_ends_its_run(
    small: Site, tmp_path: Path, name: str, text: str, expected: str
) -> None:
    run = submitted(small, tmp_path, name, text)
    assert small.ended(run) == "EXECUTOR_ERROR"
    assert reason(small, run) == expected
    log = small.stage.home / "runs" / run / "engine.log"
    assert log.stat().st_size <= DISK
    if name == "one-file":
        assert "no larger: 27" in log.read_text()
        assert (small.stage.home / "runs" / run / "work" / "large").stat().st_size <= DISK
    if expected == engine_limits.REFUSED:
        refusals = [event["facts"]["reason"] for event in events(small, "run.task_refused", run)]
        assert len(refusals) == engine_limits.MOST_REFUSALS
        assert refusals.count(expected) == 1
        assert refusals[-1] == expected


def test_t30_a_run_ends_with_its_time_at_work_or_waiting_whoever_died_meanwhile(small: Site, tmp_path: Path) -> None:
    stage = small.stage
    again(small, life=LONG)
    sleeping = submitted(small, tmp_path / "one", "sleeps", SLEEPS)
    eventually(lambda: in_state(small, sleeping, "RUNNING"), small.engine_log(sleeping), within=LONG)
    again(small, life=SHORT)
    waiting = submitted(small, tmp_path / "two", "waits", SLEEPS)
    assert small.ended(waiting) == "SYSTEM_ERROR"
    assert reason(small, waiting) == lifetimes.OVER
    # It never had the one place, which the other has still.
    assert rows(small, "select launches from runs where id = ?", waiting) == [(0,)]
    assert rows(small, "select state from runs where id = ?", sleeping) == [("RUNNING",)], "this host is too slow"
    again(small)
    assert small.ended(sleeping) == "SYSTEM_ERROR"
    assert reason(small, sleeping) == lifetimes.OVER
    assert rows(small, "select distinct state from tasks where run = ?", sleeping) == [("CANCELED",)]
    # The place is free again, and the owner of a run whose time was over may resume it.
    honest = submitted(small, tmp_path / "three", "honest", "")
    assert small.ended(honest) == "COMPLETE", small.engine_log(honest)
    with stage.client(small.cast.researcher) as client:
        client.post(f"{WES}/runs/{waiting}/resume")
        eventually(lambda: in_state(small, waiting, "RUNNING"), small.engine_log(waiting), within=60)
        client.post(f"{WES}/runs/{waiting}/cancel")
    assert small.ended(waiting) == "CANCELED"


def again(site: Site, *, life: int = 0) -> None:
    """Kill all of it and start it again, with this longest life of runs."""
    site.stage.kill()
    site.stage.environment.pop("STRONGROOM_WES__RUN_SECONDS", None)
    if life:
        site.stage.environment["STRONGROOM_WES__RUN_SECONDS"] = str(life)
    site.stage.start()
