"""A vetted workflow that attacks from inside its engine's walls learns nothing, and asks its gateway in vain."""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hostile import GATEWAY, events, eventually, in_state, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import WES
from wes.stubs import rounded

LEAVES = """
send(job("sleep 60; echo done > done.txt", ["/run/work/done.txt"], rule="one"))
send(job("sleep 60", rule="two"))
send(job("sleep 60", rule="three"))
time.sleep(1)
os._exit(0)
"""
VICTIM = """
rule all:
    input: "done.txt"
rule sleeper:
    input: config["inputs"]["calls"]
    output: "done.txt", "secret.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "sleep 1200; touch {output}"
"""
# Runs when Snakemake parses the workflow: FACTS are of the host, findings go to the one folder that it may write.
ATTACK = """
FACTS = @FACTS@
findings = {}

def tried(act):
    try:
        return act()
    except BaseException as error:
        return type(error).__name__

def connected(family, address):
    with socket.socket(family) as one:
        one.settimeout(3)
        one.connect(address)
    return "connected"

def written(path):
    with open(path, "w") as file:
        file.write("owned")
    return "written"

findings["network"] = {
    "api": tried(lambda: connected(socket.AF_INET, ("127.0.0.1", FACTS["port"]))),
    "outside": tried(lambda: connected(socket.AF_INET, ("192.0.2.1", 80))),
    "name": tried(lambda: socket.getaddrinfo("example.org", 80) and "resolved"),
    "vsock": tried(lambda: connected(40, (2, 1024))),
    "abstract": tried(lambda: connected(socket.AF_UNIX, FACTS["abstract"])),
    **{path: tried(lambda path=path: connected(socket.AF_UNIX, path)) for path in FACTS["sockets"]},
}
findings["read"] = {path: tried(lambda path=path: os.listdir(path) if path.endswith("/") else open(path, "rb").read()
    and "read") for path in FACTS["read"]}
findings["write"] = {path: tried(lambda path=path: written(path)) for path in ("/run/workflow/Snakefile",
    "/run/config.yaml", "/run/workflow/more.py", "/opt/plugins/x.py", "/opt/engine/x", "/usr/bin/x", "/etc/passwd",
    "/proc/sys/kernel/core_pattern", "/run/tes.sock")}
findings["run"] = sorted(os.listdir("/run"))
findings["root"] = sorted(os.listdir("/"))
findings["processes"] = {pid: [tried(lambda: open(f"/proc/{pid}/{name}", "rb").read().decode(errors="replace"))
    for name in ("cmdline", "environ")] for pid in os.listdir("/proc") if pid.isdigit()}
findings["status"] = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines()
    if line.startswith(("Cap", "NoNewPrivs", "Seccomp:")))
findings["kill"] = tried(lambda: os.kill(FACTS["server"], 9) or "killed")
findings["userns"] = tried(lambda: __import__("ctypes").CDLL(None, use_errno=True).unshare(0x10000000))
findings["stubs"] = {str(path): [os.stat(path).st_size, os.stat(path).st_mtime_ns,
    not open(path, "rb").read().strip(b"\\0")] for path in FACTS["inputs"]}

# What the gateway is asked for, and what it says.
answers = findings["answers"] = {}
work, image = "/run/work", FACTS["image"]
good = job("true", ["/run/work/good.txt"])
for name, changes in {
    "an object by url": {"inputs": [{"path": f"{work}/x", "url": "strongroom://object/" + FACTS["object"]}]},
    "a file by url": {"inputs": [{"path": f"{work}/x", "url": "file:///etc/shadow"}]},
    "a path of the host": {"inputs": [{"path": "/etc/shadow"}]},
    "a path with dots": {"inputs": [{"path": f"{work}/../../etc/shadow"}]},
    "a path of another run": {"inputs": [{"path": f"{work}/secret.txt"}]},
    "another run's folder": {"inputs": [{"path": FACTS["home"] + "/runs/" + FACTS["victim"] + "/work/secret.txt"}]},
    "content at an input's place": {"inputs": [{"path": f"{work}/{FACTS['inputs'][0]}", "content": "mine"}]},
    "content over a mebibyte": {"inputs": [{"path": f"{work}/.snakemake/scripts/x.sh", "content": "x" * 1048577}]},
    "an output outside": {"outputs": [{"path": "/etc/x"}]},
    "an output with dots": {"outputs": [{"path": f"{work}/a/../../x"}]},
    "an output over an input": {"outputs": [{"path": f"{work}/{FACTS['inputs'][0]}"}]},
    "an output beside inputs": {"outputs": [{"path": f"{work}/inputs/calls/new.vcf.gz"}]},
    "the folder of inputs": {"outputs": [{"path": f"{work}/inputs", "type": "DIRECTORY"}]},
    "the engine's folder": {"outputs": [{"path": f"{work}/.snakemake", "type": "DIRECTORY"}]},
    "the engine's files": {"outputs": [{"path": f"{work}/.snakemake/x"}]},
    "all of it": {"outputs": [{"path": work, "type": "DIRECTORY"}]},
    "an output's name": {"outputs": [{"path": f"{work}/a;id"}]},
    "an output to a url": {"outputs": [{"path": f"{work}/x", "url": "https://example.org/x"}]},
    "a touch outside": {"touch": ["/run/tes.sock"]},
    "a touch of an input": {"touch": [f"{work}/{FACTS['inputs'][0]}"]},
    "an image by digest": {"executors": [{**good["executors"][0], "image": image}]},
    "an image by name": {"executors": [{**good["executors"][0], "image": "checks"}]},
    "a library": {"executors": [{**good["executors"][0], "env": {"LD_PRELOAD": f"{work}/x.so"}}]},
    "a place": {"executors": [{**good["executors"][0], "workdir": "/"}]},
    "a stream": {"executors": [{**good["executors"][0], "stdout": f"{work}/inputs/x"}]},
    "two executors": {"executors": good["executors"] * 2},
    "no rule": {"tags": {"rule": "$(id)"}},
    "a volume": {"volumes": ["/etc"]},
    "another run": {"run": FACTS["victim"]},
    "all memory": {"resources": {"ram_gb": 1e9}},
    "all cores": {"resources": {"cpu_cores": 1000}},
    "no number": {"resources": {"ram_gb": float("nan")}},
    "no end": {"resources": {"ram_gb": float("inf")}},
    "a backend's own": {"resources": {"backend_parameters": {"uid": "0"}, "backend_parameters_strict": True}},
    "no list of inputs": {"inputs": 5},
    "a list of words": {"inputs": ["x"]},
    "no list of outputs": {"outputs": "x"},
    "no list of touches": {"touch": 5},
    "a touch of nothing": {"touch": [None]},
    "no tags": {"tags": ["x"]},
    "no resources": {"resources": [1]},
    "no executors": {"executors": None},
    "no words": {"executors": [{**good["executors"][0], "command": "id"}]},
    "half a letter": {"executors": [{**good["executors"][0], "command": ["\\ud800"]}]},
}.items():
    answers[name] = send({**good, **changes})
answers["no JSON"] = send(b"{")
answers["no object"] = send(b"[1]")
answers["a deep body"] = send(b"[" * 100000)
answers["a huge body"] = send(b'{"name": "' + b"x" * (9 << 20) + b'"}')
for path in ("/ga4gh/tes/v1/tasks", f"/ga4gh/tes/v1/tasks/{FACTS['task']}", "/ga4gh/tes/v1/changes?since=x",
        f"/ga4gh/wes/v1/runs/{FACTS['victim']}", "/openapi.json", "/"):
    answers["GET " + path] = say("GET", path)
for path in (f"/ga4gh/tes/v1/runs/{FACTS['victim']}:cancel", "/ga4gh/wes/v1/runs", "/api/archive/v1/datasets"):
    answers["POST " + path] = say("POST", path, {})
findings["cancel"] = say("POST", f"/ga4gh/tes/v1/tasks/{FACTS['task']}:cancel", {})
findings["changes of another"] = say("GET", f"/ga4gh/tes/v1/changes?run={FACTS['victim']}&since=0&wait=0")

# Honest jobs by hand: whose run they are in, what comes back of them, and where their stubs go.
other = {"Strongroom-Run": FACTS["victim"], "Strongroom-Coarse": "no", "Idempotency-Key": "mine"}
first, again = (json.loads(send(job("exit 42", rule="failing"), other)[1])["id"] for _ in range(2))
findings["the same"] = first == again
findings["exit 42"] = ended(first)
os.symlink(FACTS["trap"], "trap")
os.symlink(FACTS["trap"] + "/kept.txt", "leaf.txt")
os.makedirs("full/deep")
os.symlink(FACTS["trap"], "full/deep/link")
trapped = job(
    "head -c 1000 /dev/urandom > leaf.txt; mkdir -p trap/a; cp leaf.txt trap/out.txt; cp leaf.txt full; sleep 2",
    [f"{work}/leaf.txt", f"{work}/trap/out.txt", f"{work}/full"], rule="one")
findings["trapped"] = do(trapped)
findings["made"] = {path: [os.path.islink(path), os.stat(path).st_size, os.stat(path).st_mtime_ns,
    not open(path, "rb").read().strip(b"\\0")] for path in ("leaf.txt", "trap/out.txt", "full")}
with open(int(os.environ["STRONGROOM_EVENTS_FD"]), "w", closefd=False) as plan:
    plan.write('{"total": 1000000000}\\n{"total": "$(id)"}\\n[]\\nnonsense\\n{"total": -5}\\n')
with open("findings.json", "w") as file:
    json.dump(findings, file)

rule all:
    input: "done.txt"
rule one:
    output: "done.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo done > {output}"
"""
SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 100}]
FILES_OF = "select name from dataset_files where dataset = ? order by name"
Findings = dict[str, Any]


@pytest.fixture(scope="module")
def victim(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Another run of the same person, with a task that lives while the attack lasts."""
    url = vetted(site, tmp_path_factory.mktemp("w") / "w", "victim", VICTIM, inputs=SLOT)
    one = {"dataset": "hapmap", "files": [rows(site, FILES_OF, "hapmap")[0][0]]}
    run = site.submit(url, {"inputs": {"calls": one}})
    eventually(lambda: in_state(site, run, "RUNNING"), site.engine_log(run))
    yield run
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    assert site.ended(run) == "CANCELED"


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the host that everybody may write: where an engine's links lead."""
    folder = tmp_path_factory.mktemp("trap")
    for path in (folder, *folder.parents[:3]):
        path.chmod(path.stat().st_mode | 0o755)
    folder.chmod(0o777)
    (folder / "kept.txt").write_text("of the host")
    (folder / "kept.txt").chmod(0o666)
    return folder


@pytest.fixture(scope="module")
def hostile(site: Site, victim: str, trap: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Findings]:
    """The run of the attack and what it found."""
    home, process = site.stage.home, site.stage.process
    assert process is not None
    ((task, image),) = rows(
        site, "select id, json_extract(plan, '$.executors[0].image') from tasks where run = ?", victim
    )
    inputs = [f"inputs/calls/{name}" for (name,) in rows(site, FILES_OF, "hapmap")]
    ((foreign,),) = rows(site, "select object from dataset_files where dataset = 'na18507' limit 1")
    facts = {
        "port": site.stage.settings.http.port,
        "abstract": "\0" + os.fsdecode(home),
        "sockets": [str(path) for path in (home / "sockets").iterdir()] + [f"{home}/runs/{victim}/tes.sock"],
        "read": ["/etc/shadow", "/etc/passwd", "/root/", f"{home}/", f"{home}/runs/", f"{home}/database/",
            f"{home}/keys/links", f"{home}/runs/{victim}/config.yaml", f"{trap}/kept.txt", "/proc/1/root/etc/shadow",
            "/proc/1/mem", "/proc/kcore", "/sys/", "/dev/mem", "/dev/fuse"],
        "home": str(home), "victim": victim, "task": task, "image": image, "object": foreign,
        "server": process.pid, "inputs": inputs, "trap": str(trap),
    }  # fmt: skip
    text = GATEWAY + ATTACK.replace("@FACTS@", repr(facts))
    url = vetted(site, tmp_path_factory.mktemp("h") / "h", "hostile", text, inputs=SLOT)
    run = site.submit(url, {"inputs": {"calls": "hapmap"}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    return run, json.loads((home / "runs" / run / "work" / "findings.json").read_text())


def test_t19_an_engine_reaches_nothing_but_its_gateway(hostile: tuple[str, Findings]) -> None:
    _, found = hostile
    assert len(found["network"]) > 8
    assert not {"connected", "resolved"} & set(found["network"].values()), found["network"]
    assert found["kill"] == "ProcessLookupError"
    assert found["userns"] != 0


def test_t19_an_engine_sees_no_file_of_the_host(hostile: tuple[str, Findings]) -> None:
    _, found = hostile
    refusals = {"FileNotFoundError", "PermissionError", "OSError", "NotADirectoryError"}
    assert set(found["read"].values()) <= refusals, found["read"]
    assert set(found["write"].values()) <= refusals, found["write"]
    assert found["run"] == ["config.yaml", "tes.sock", "work", "workflow"]
    assert not {"etc", "home", "root", "srv", "sys", "var"} & set(found["root"])
    assert {name: value.strip("0\n") for name, value in found["status"].items() if name.startswith("Cap")} == (
        dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "")
    )
    assert (found["status"]["NoNewPrivs"], found["status"]["Seccomp"]) == ("1", "2")


def test_t19_an_engine_sees_no_process_but_its_own(site: Site, hostile: tuple[str, Findings]) -> None:
    _, found = hostile
    assert len(found["processes"]) <= 4
    words = json.dumps(found["processes"])
    assert "STRONGROOM_HOME" not in words
    assert str(site.stage.home) not in words  # nor where on the host it lives


def test_t4_stubs_tell_no_more_than_an_eighth_of_an_octave(site: Site, hostile: tuple[str, Findings]) -> None:
    _, found = hostile
    query = "select f.name, o.size from dataset_files f join stored_objects o on o.id = f.object where f.dataset = ?"
    sizes = {f"inputs/calls/{name}": size for name, size in rows(site, query, "hapmap")}
    stubs = found["stubs"]
    assert {path: size for path, (size, _, _) in stubs.items()} == {p: rounded(s) for p, s in sizes.items()}
    assert any(rounded(size) != size for size in sizes.values())
    assert len({size for size, _, _ in stubs.values()}) < len(set(sizes.values()))
    assert all(empty for _, _, empty in stubs.values())
    ticks = sorted(mtime for _, mtime, _ in stubs.values())
    assert {b - a for a, b in pairwise(ticks)} == {1_000_000}
    assert ticks[0] % 1_000_000_000 == 0


def test_t4_what_comes_back_of_a_task_tells_neither_time_nor_size_nor_code(hostile: tuple[str, Findings]) -> None:
    _, found = hostile
    last = max(mtime for _, mtime, _ in found["stubs"].values())
    for link, size, mtime, empty in found["made"].values():
        assert (link, size, empty) == (False, rounded(1000), True)
        assert 0 < mtime - last < 100_000_000  # our own counter; the task itself took two seconds
    assert (found["exit 42"]["state"], found["exit 42"]["exit_code"]) == ("EXECUTOR_ERROR", 1)
    assert set(found["exit 42"]) == {"id", "state", "exit_code"}


def test_t19_no_link_of_an_engine_leads_the_gateway_out(
    site: Site, trap: Path, hostile: tuple[str, Findings]
) -> None:
    run, found = hostile
    assert found["trapped"]["state"] == "COMPLETE"
    assert [path.name for path in trap.iterdir()] == ["kept.txt"]
    assert (trap / "kept.txt").read_text() == "of the host"
    work = site.stage.home / "runs" / run / "work"
    assert not (work / "trap").is_symlink()
    assert not (work / "leaf.txt").is_symlink()


def test_t19_what_is_not_the_runs_own_is_refused(site: Site, hostile: tuple[str, Findings]) -> None:
    run, found = hostile
    asked = found["answers"]
    assert {name: answer for name, answer in asked.items() if answer[0] not in (400, 403, 404, 405, 409)} == {}
    for name, answer in asked.items():
        if not name.startswith(("GET", "POST")):
            said = json.loads(answer[1])
            assert said["status_code"] == answer[0], name
            assert str(site.stage.home) not in said["msg"], name
    foreign = json.loads(asked["an image by digest"][1])["msg"]
    assert "not among the images that the vetters signed" in foreign
    assert json.loads(asked["a path of another run"][1])["msg"] == "inputs: not a file of this run."
    assert "is not a field that a gateway knows" in json.loads(asked["an object by url"][1])["msg"]
    refusals = [event["facts"]["reason"] for event in events(site, "run.task_refused", run)]
    assert len(refusals) >= 40
    # Nothing of it became a task: there are the three honest jobs, and they are this run's.
    assert rows(site, "select name, state from tasks where run = ? order by number", run) == [
        ("failing-1", "EXECUTOR_ERROR"),
        ("one-1", "COMPLETE"),
        ("one-2", "COMPLETE"),
    ]


def test_t19_the_socket_alone_says_whose_run_it_is(site: Site, victim: str, hostile: tuple[str, Findings]) -> None:
    run, found = hostile
    assert found["the same"]  # a repeated request is the same task
    ((task, state),) = rows(site, "select id, state from tasks where run = ?", victim)
    assert state == "RUNNING"  # nobody of another run canceled it
    assert rows(site, "select count(*) from tasks where run = ? and name like 'failing%'", victim) == [(0,)]
    assert task not in found["changes of another"][1]
    assert json.loads(found["changes of another"][1])["tasks"] == []
    ((planned,),) = rows(site, "select planned_tasks from runs where id = ?", run)
    assert planned == 1  # what it shouted into the stream of its plan was no number of tasks


def test_t16_an_engine_that_ends_before_its_tasks_has_no_complete_run(site: Site, tmp_path: Path) -> None:
    run = site.submit(vetted(site, tmp_path / "w", "leaves", GATEWAY + LEAVES), {"inputs": {}})
    assert site.ended(run) == "EXECUTOR_ERROR"
    # No task outlives its run, whatever the engine said.
    assert rows(site, "select distinct state from tasks where run = ?", run) == [("CANCELED",)]
    assert rows(site, "select count(*) from airlock_runs where run = ?", run) == [(0,)]
    with site.stage.client(site.cast.researcher) as client:
        tasks = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
    assert [task["system_logs"] for task in tasks] == [["CANCELED"]] * 3
