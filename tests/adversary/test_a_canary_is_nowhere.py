"""What is inside a dataset is nowhere outside a task's walls: not during a run, not after it, not after kill -9."""

import base64
import io
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile import children, eventually, processes, rows, vetted
from site_of_tests import Site

from archive import ingest
from strongroom.cli.run import WES

# The task spreads what it reads over everything that it can reach, and then waits to be looked at.
SPREADS = """
rule all:
    input: "copy.txt"
rule spread:
    input: config["inputs"]["notes"]
    output: "copy.txt"
    resources: mem_mb=200, disk_mb=50
    shell:
        "export SECRET=$(head -n 1 {input}); cp {input} {output}; cp {input} /tmp/x; cp {input} /dev/shm/x; "
        "cat {input}; cat {input} >&2; (exec -a $SECRET sleep 12) & grep -c $SECRET {output}; "
        "mkdir ready; wait; test -n $SECRET"
"""
SLOT = [{"name": "notes", "pattern": "*.txt", "min_files": 1, "max_files": 1}]
FOLDERS = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/media", "/mnt", "/srv", "/opt", "/var/log", "/var/spool")


@dataclass(frozen=True)
class Canary:
    """A string that only one file of one dataset holds."""

    text: str
    dataset: str

    @property
    def forms(self) -> list[bytes]:
        """As it is, in hexadecimal, and in base64 wherever it begins."""
        raw = self.text.encode()
        encoded = [base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
        return [raw, raw.hex().encode(), *encoded]


@pytest.fixture
def canary(site: Site) -> Canary:
    """A new one, sealed on the owner's side from a pipe: its plaintext never was a file."""
    found = Canary(secrets.token_hex(16), f"canary-{secrets.token_hex(4)}")
    text = f"{found.text}\n".encode() * 3000
    with site.stage.client(site.cast.operator) as client:
        made = {"id": found.dataset, "title": "notes", "observability": "open"}
        client.post("/api/archive/v1/datasets", made)
        ingest.add(client, found.dataset, io.BytesIO(text), name="notes.txt", person="somebody")
        client.post(f"/api/archive/v1/datasets/{found.dataset}:share", {"project": "cohort"})
    return found


@pytest.fixture(scope="module")
def spreads(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    return vetted(site, tmp_path_factory.mktemp("w") / "w", "spreads", SPREADS, inputs=SLOT)


def on_disk(site: Site, canary: Canary) -> list[str]:
    """Return the files that hold the canary; grep has it by a pipe, or its own command line would show it."""
    words = ["grep", "-rlsaF", "--devices=skip", "-f", "/dev/stdin", str(site.stage.home), *FOLDERS]
    done = subprocess.run(words, input=b"\n".join(canary.forms), check=False, capture_output=True)
    assert done.returncode in (0, 1, 2), done.stderr
    return sorted(set(done.stdout.decode().splitlines()))


def outside() -> Iterator[Path]:
    """Yield the processes outside of all walls: those in our own namespace of processes."""
    ours = os.readlink("/proc/self/ns/pid")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "ns" / "pid") == ours:
                yield process
        except OSError:
            continue


def in_processes(canary: Canary) -> list[str]:
    """Return what shows the canary of a process outside the walls: its environment or its command line."""
    found = []
    for process in outside():
        for name in ("environ", "cmdline", "comm"):
            try:
                held = (process / name).read_bytes()
            except OSError:
                continue
            found += [str(process / name) for form in canary.forms if form in held]
    return found


def in_memory(pid: int, canary: Canary) -> bool:
    """Say whether a process's writable memory holds the canary."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            places, rights, *_ = line.split()
            start, end = (int(place, 16) for place in places.split("-"))
            if "rw" not in rights or "[v" in line:
                continue
            try:
                memory.seek(start)
                held = memory.read(end - start)
            except (OSError, OverflowError):
                continue
            if canary.text.encode() in held:
                return True
    return False


def supervisors(site: Site) -> list[int]:
    """Return the processes that the zygote forked and that have a task: one that waits has a first process alone."""
    (dispatcher,) = processes(site, "dispatcher")
    return [pid for zygote in children(dispatcher) for pid in children(zygote) if len(family(pid)) > 2]


def family(pid: int) -> list[int]:
    """Return a process with all its descendants: a supervisor's are all processes of its attempt."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def born(pid: int) -> str:
    """Return when a process began, so that a number that is used again is another process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "gone"


def spreading(canary: Canary) -> list[str]:
    """Return the processes inside walls that show the canary on their command line: the task has read it by now."""
    found, ours = [], {process.name for process in outside()}
    for words in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words.parent.name not in ours and canary.text.encode() in words.read_bytes():
                found.append(words.parent.name)
        except OSError:
            continue
    return found


def assert_nowhere(site: Site, canary: Canary) -> None:
    assert in_processes(canary) == []
    assert on_disk(site, canary) == []


def test_the_search_can_find_it(site: Site, canary: Canary) -> None:
    planted = [site.stage.home / "runs" / f"planted-{number}" for number in range(len(canary.forms))]
    for path, form in zip(planted, canary.forms, strict=True):
        path.write_bytes(b"before " + form + b" after")
    assert on_disk(site, canary) == [str(path) for path in planted]
    for path in planted:
        path.unlink()
    for name, environment in (("sleep", {"SECRET": canary.text}), (canary.text, {})):
        planted_one = subprocess.Popen([name, "60"], executable="/bin/sleep", env=environment)
        try:
            assert eventually(lambda: in_processes(canary), "the search finds no process")
        finally:
            planted_one.kill()
            planted_one.wait()
    assert in_memory(os.getpid(), canary)
    assert_nowhere(site, canary)


def test_a_canary_in_the_data_is_nowhere_during_a_run_and_after_it(site: Site, spreads: str, canary: Canary) -> None:
    run = site.submit(spreads, {"inputs": {"notes": canary.dataset}})
    eventually(lambda: spreading(canary), "the task never read its input")
    assert_nowhere(site, canary)
    assert spreading(canary), "the search took longer than the task"
    ours = [pid for name in ("api", "worker", "broker", "signer", "dispatcher") for pid in processes(site, name)]
    assert len(ours) >= 5
    assert [pid for pid in ours if in_memory(pid, canary)] == []  # not even in what our own services think
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert_nowhere(site, canary)
    with site.stage.client(site.cast.researcher) as client:
        told = [client.http.get(f"{WES}/runs/{run}").text, client.http.get(f"{WES}/runs/{run}/tasks").text]
        tasks = client.get("/ga4gh/tes/v1/tasks", view="FULL")
    assert canary.text not in str([told, tasks])
    assert eventually(lambda: not supervisors(site), "a supervisor is left")
    assert spreading(canary) == []


def test_t1_kill_9_of_a_supervisor_leaves_nothing_and_the_task_is_done_again(
    site: Site, spreads: str, canary: Canary
) -> None:
    run = site.submit(spreads, {"inputs": {"notes": canary.dataset}})
    eventually(lambda: spreading(canary), "the task never read its input")
    (supervisor,) = supervisors(site)
    dead = {pid: born(pid) for pid in family(supervisor)}
    assert len(dead) >= 3
    os.kill(supervisor, signal.SIGKILL)
    # Its mounts are in a namespace that goes with the last process that is in it.
    eventually(lambda: not [pid for pid in dead if born(pid) == dead[pid]], "a process of the dead attempt lives")
    assert in_processes(canary) == []
    assert "fuse.view" not in Path("/proc/mounts").read_text()
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    ((task,),) = rows(site, "select id from tasks where run = ?", run)
    reports = rows(site, "select json_extract(report, '$.cause') from attempts where task = ? order by number", task)
    assert reports == [("lost",), ("exited",)]
    assert_nowhere(site, canary)
    assert eventually(lambda: not supervisors(site), "a supervisor is left")
    kept = rows(site, "select count(*) from claims where attempt in (select id from attempts where task = ?)", task)
    assert kept == [(2,)]  # each attempt was claimed once, by itself
