"""A SLURM cluster keeps nothing of what a task reads, prints or writes, and nothing that opens it."""

import json
import pwd
import secrets
from pathlib import Path

import pytest
from canaries import SLOT, SPREADS, Canary, assert_nowhere, in_memory, in_processes, let_end, new_canary, spreading
from hostile import eventually, rows, vetted
from searching import files_with
from services.slurm import USERS, Slurm
from site_of_tests import Site


@pytest.fixture
def canary(on_slurm: Site) -> Canary:
    """A new one, in a dataset of the site whose tasks run on the cluster."""
    return new_canary(on_slurm)


@pytest.fixture(scope="module")
def spreads(on_slurm: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    return vetted(on_slurm, tmp_path_factory.mktemp("w") / "w", "spreads", SPREADS, inputs=SLOT)


def holding(folder: Path, *secrets_: str) -> list[str]:
    """Return the files below a folder that hold one of these."""
    return files_with([one.encode() for one in secrets_], folder)


def parts(paths: list[str]) -> set[str]:
    """Return which of the cluster's two memories these are in."""
    return {part for path in paths for part in ("ctld", "database") if f"/{part}/" in path}


def stubs(cluster: Slurm) -> list[Path]:
    """Return the processes of the job user in this cluster: all that a job is."""
    number = pwd.getpwnam(USERS[0]).pw_uid
    processes = [Path(f"/proc/{pid}") for pid in cluster.processes()]
    return [process for process in processes if process.stat().st_uid == number]


def test_a_canary_is_nowhere_on_the_cluster(on_slurm: Site, site_slurm: Slurm, spreads: str, canary: Canary) -> None:
    run = on_slurm.submit(spreads, {"inputs": {"notes": canary.dataset}})
    eventually(lambda: spreading(canary), "the task never read its input")
    query = (
        "select a.id, json_extract(a.launch, '$.spec') from attempts a join tasks t on t.id = a.task where t.run = ?"
    )
    ((attempt, raw),) = rows(on_slurm, query, run)
    spec = json.loads(raw)
    inside = [spec["bodies"], spec["keys"]["broker_public_key"], "export SECRET", canary.dataset]
    (stub,) = stubs(site_slurm)
    told = (stub / "environ").read_bytes() + (stub / "cmdline").read_bytes()
    assert attempt.encode() in told
    assert not [word for word in inside if word.encode() in told]
    names = {line.partition(b"=")[0] for line in (stub / "environ").read_bytes().split(b"\0") if line}
    plain = {b"PATH", b"PWD", b"HOSTNAME", b"ENVIRONMENT", b"TMPDIR", b"LC_ALL", b"TZ", b"HOME", b"USER", b"LOGNAME"}
    assert not [name for name in names - plain if not name.startswith((b"SLURM_", b"SLURMD_"))]
    agents = [site_slurm.pid(f"agent-{node}") for node in site_slurm.nodes]
    assert [pid for pid in [*agents, int(stub.name)] if in_memory(pid, canary)] == []
    # What the cluster has of it: a name, and a script of two lines.
    known = holding(site_slurm.home, attempt)
    assert any("/ctld/" in path for path in known)
    assert any("/spool/" in path for path in known)
    assert holding(site_slurm.home, *inside) == []
    assert_nowhere(on_slurm, canary)  # the cluster's home lies below /tmp: spools, state, accounting, agents' folders
    assert spreading(canary)  # it was there all the time
    let_end(canary)
    assert on_slurm.ended(run) == "COMPLETE", on_slurm.engine_log(run)
    assert_nowhere(on_slurm, canary)
    assert in_processes(canary) == []


def test_the_search_finds_what_lies_in_a_cluster(site_slurm: Slurm) -> None:
    planted = secrets.token_hex(16)
    argv = [
        "sbatch",
        "--parsable",
        "-p",
        "down",
        "--comment",
        planted,
        "-o",
        "/dev/null",
        "-D",
        "/",
        "--uid",
        USERS[0],
    ]
    job = site_slurm.run(*argv, "--uid", USERS[0], "--wrap", f": {planted}").strip()
    eventually(lambda: parts(holding(site_slurm.home, planted)) == {"ctld", "database"}, "SLURM keeps it elsewhere")
    site_slurm.run("scancel", job)
