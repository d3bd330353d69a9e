"""Two tasks that run at the same time know nothing of each other, of the host, or of who holds keys."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hostile import children, processes, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import WES

# Ends with 0 only if every attack fails; else with 10 and the number of the first that works.
SPIES = """
rule all:
    input: "done.txt"
rule spy:
    input: config["inputs"]["calls"]
    output: "done.txt"
    params: mark=config["mark"], other="red" if config["mark"] == "blue" else "blue", reachable=config["reachable"]
    resources: mem_mb=200, disk_mb=50
    script: "spy.py"
"""
SPY = """
import glob, os, socket, sys, time

FACTS = @FACTS@
mark, other = snakemake.params.mark, snakemake.params.other
own = set(snakemake.input)

def reads(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""

def lists(path):
    try:
        return os.listdir(path)
    except OSError:
        return []

def connects(family, address, kind=socket.SOCK_STREAM):
    try:
        with socket.socket(family, kind) as one:
            one.settimeout(2)
            one.connect(address)
        return True
    except OSError:
        return False

def writes(path):
    try:
        with open(path, "ab") as file:
            file.write(b"owned")
        return True
    except OSError:
        return False

def signals(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False

# Each spy leaves its mark wherever another could meet it, and is there for three seconds.
os.environ["MARK"] = f"mark-of-{mark}"
for folder in ("/tmp", "/dev/shm", "/run/work"):
    with open(f"{folder}/mark-of-{mark}", "w") as file:
        file.write(f"mark-of-{mark}")
abstract = socket.socket(socket.AF_UNIX)
abstract.bind(f"\\0mark-of-{mark}")
abstract.listen()
if os.fork() == 0:
    os.execve("/bin/sleep", [f"mark-of-{mark}", "4"], dict(os.environ))
time.sleep(1.5)

def everywhere():
    yield from glob.glob("/proc/[0-9]*/cmdline")
    yield from glob.glob("/proc/[0-9]*/environ")
    for top in ("/tmp", "/dev/shm", "/run"):
        for folder, _, files in os.walk(top):
            yield from (os.path.join(folder, name) for name in files)

marks = b"".join(reads(path) for path in everywhere())
seen = {os.path.relpath(os.path.join(folder, name), "/run/work") for folder, _, files in os.walk("/run/work")
    for name in files} - {f"mark-of-{mark}"}
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
ATTACKS = [
    f"mark-of-{mark}".encode() not in marks,  # 0: the search finds our own
    f"mark-of-{other}".encode() in marks,
    connects(socket.AF_UNIX, f"\\0mark-of-{other}"),
    any(other in name for top in ("/", "/run", "/run/work", "/tmp", "/dev/shm") for name in lists(top)),
    not own <= seen or any(not name.startswith(".snakemake/scripts/") for name in seen - own),  # 4: least data
    len(pids) > 6,
    any(signals(pid) for pid in FACTS["pids"] if pid not in pids),
    any(reads(f"/proc/1/{name}") for name in ("environ", "mem")),
    set(os.listdir("/run")) != {"work", "workflow"},
    any(lists(f"/{name}") for name in ("home", "media", "srv", "mnt")),  # empty in the image
    any(os.path.exists(path) for path in FACTS["paths"]),  # 10: nothing of the home, nor of the other run
    any(reads(path) for path in FACTS["paths"]),
    any(connects(socket.AF_UNIX, path) for path in FACTS["sockets"]),
    any(connects(socket.AF_UNIX, path, socket.SOCK_DGRAM) for path in FACTS["sockets"]),
    any(connects(socket.AF_UNIX, path) for path in ("/run/tes.sock", "/run/broker.sock", "/run/work/tes.sock")),
    connects(socket.AF_INET, ("127.0.0.1", FACTS["port"])),  # 15: the API
    connects(socket.AF_INET, ("192.0.2.1", 80)),
    [name for _, name in socket.if_nameindex()] != ["lo"],
    any(writes(path) for path in ("/run/workflow/spy.py", "/run/x", "/bin/x", "/etc/passwd", "/proc/sys/kernel/"
        "core_pattern", "/sys/fs/cgroup/x", "/dev/mem")),
    any("STRONGROOM" in name for name in os.environ),
    any(os.path.exists(f"/proc/self/fd/{fd}") for fd in range(4, 64) if fd != abstract.fileno()),  # 20
    os.getuid() == 0 or b"CapEff:\\t0000000000000000" not in reads("/proc/self/status"),
    any(word in reads("/proc/self/mountinfo") for word in (b"strongroom", b"objects", b"sockets")),
    b"NoNewPrivs:\\t1" not in reads("/proc/self/status") or b"Seccomp:\\t2" not in reads("/proc/self/status"),
    snakemake.params.reachable,  # 24: what shows that an attack that works is told
]
works = [number for number, worked in enumerate(ATTACKS) if worked]
if works:
    sys.exit(10 + works[0])
with open(snakemake.output[0], "w") as file:
    file.write("nothing")
"""
SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 1}]
PARAMETERS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"mark": {"enum": ["red", "blue"]}, "reachable": {"type": "boolean", "default": False}},
}


@pytest.fixture(scope="module")
def spies(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A workflow whose one task knows all of the host that an attacker could know."""
    home = site.stage.home
    assert site.stage.process is not None
    (broker,) = processes(site, "broker")
    facts: dict[str, Any] = {
        "pids": [site.stage.process.pid, broker],
        "paths": [str(home), *map(str, home.iterdir()), f"{home}/broker", f"{home}/keys/links", str(Path(__file__))],
        "sockets": [str(path) for path in (home / "sockets").iterdir()],
        "port": site.stage.settings.http.port,
    }
    folder = tmp_path_factory.mktemp("w") / "w"
    folder.mkdir()
    source = SPY.replace("@FACTS@", repr(facts))
    return vetted(site, folder / "w", "spies", SPIES, inputs=SLOT, parameters=PARAMETERS, files={"spy.py": source})


def submit(site: Site, spies: str, mark: str, person: int, **more: Any) -> str:
    (name,) = rows(site, "select name from dataset_files where dataset = 'hapmap' order by name")[person]
    calls = {"dataset": "hapmap", "files": [name]}
    return site.submit(spies, {"inputs": {"calls": calls}, "mark": mark, **more})


def ends(site: Site, run: str) -> list[Any]:
    return rows(site, "select a.report from attempts a join tasks t on t.id = a.task where t.run = ?", run)


def living(site: Site) -> dict[int, int]:
    """Return the kernel users of all processes in walls of ours, with how many namespaces they are in."""
    (dispatcher,) = processes(site, "dispatcher")
    found: dict[int, set[str]] = {}
    for supervisor in [one for zygote in children(dispatcher) for one in children(zygote)]:
        for pid in _below(supervisor):
            try:
                uid = os.stat(f"/proc/{pid}").st_uid
                found.setdefault(uid, set()).update(
                    os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "ipc", "user")
                )
            except OSError:
                continue
    return {uid: len(spaces) for uid, spaces in found.items() if uid}


def _below(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *_below(child))]


def at_once(site: Site, spies: str) -> tuple[list[str], dict[int, int]]:
    """Run two spies until they were there at once, each as a user of its own; return their runs and users."""
    for _ in range(5):  # a loaded host may start the second one when the first has ended
        runs, users = [submit(site, spies, "red", 0), submit(site, spies, "blue", 1)], dict[int, int]()
        while not all(ends(site, run) and ends(site, run)[0][0] for run in runs):
            users = found if len(found := living(site)) == 2 else users
            time.sleep(0.05)
        if users:
            return runs, users
    raise AssertionError("they did not run together")


def test_two_tasks_at_the_same_time_find_nothing_of_each_other(site: Site, spies: str) -> None:
    runs, users = at_once(site, spies)
    assert all(100_000 <= uid < 101_024 for uid in users), users
    for run in runs:
        state = site.ended(run)
        assert state == "COMPLETE", (ends(site, run), site.engine_log(run))
    both = rows(
        site,
        "select max(a.started) < min(a.ended) from attempts a join tasks t on t.id = a.task where t.run in (?, ?)",
        *runs,
    )
    assert both == [(1,)]
    with site.stage.client(site.cast.researcher) as client:
        assert {client.get(f"{WES}/runs/{run}/status")["state"] for run in runs} == {"COMPLETE"}


def test_an_attack_that_works_would_be_told(site: Site, spies: str) -> None:
    run = submit(site, spies, "red", 0, reachable=True)
    assert site.ended(run) == "EXECUTOR_ERROR"
    ((report,),) = ends(site, run)
    assert '"exit_code": 34' in report, report  # the last of them, and no other before it
