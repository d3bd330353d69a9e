"""Workflows of attackers whom two vetters believed, and what the platform remembers of them."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from site_of_tests import Site

# What a hostile Snakefile begins with: a client of its gateway, written by hand.
GATEWAY = '''
import http.client, json, os, socket, time

class Door(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(40)
        self.sock.connect("/run/tes.sock")

def say(method, path, body=None, headers={}):
    """Return status and answer."""
    door = Door("gateway")
    try:
        door.request(method, path, body if isinstance(body, (bytes, type(None))) else json.dumps(body), headers)
        answer = door.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except OSError as error:
        return 0, type(error).__name__
    finally:
        door.close()

def job(command, outputs=(), rule="sneak", inputs=(), **changes):
    whole = {"name": rule, "tags": {"rule": rule}, "outputs": [{"path": path} for path in outputs],
        "inputs": [{"path": path} for path in inputs], "resources": {"ram_gb": 0.1, "disk_gb": 0.05},
        "executors": [{"image": "genomics", "command": ["bash", "-c", command], "workdir": "/run/work"}]}
    return {**whole, **changes}

def send(asked, headers={}):
    return say("POST", "/ga4gh/tes/v1/tasks", asked, headers)

def ended(identifier):
    """Wait until a job of ours ended and return what the gateway tells of it."""
    for _ in range(60):
        told = json.loads(say("GET", "/ga4gh/tes/v1/changes?since=0&wait=0")[1])["tasks"]
        found = [one for one in told if one["id"] == identifier]
        if found:
            return found[-1]
        time.sleep(0.25)

def do(asked):
    return ended(json.loads(send(asked)[1])["id"])
'''


def workflow(folder: Path, name: str, snakefile: str, **manifest: Any) -> Path:
    """Write a workflow's folder; `manifest` adds to the least that a manifest must say."""
    folder.mkdir(parents=True)
    (folder / "Snakefile").write_text('container: "genomics"\n' + snakefile)
    said = {
        "name": name,
        "version": "1.0.0",
        "title": name,
        "engine": {"name": "snakemake", "version": "9.27.1"},
        "entry": "Snakefile",
        "images": ["genomics"],
        "inputs": [],
        "outputs": [],
        # What these workflows attack lies behind the binding of commands, which has attacks of its own.
        "commands": "free",
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said | manifest))
    return folder


def vetted(
    site: Site, folder: Path, name: str, snakefile: str, *, files: dict[str, str] | None = None, **manifest: Any
) -> str:
    """Return NAME/VERSION of a workflow, with these other files in its folder, that vera and viktor signed."""
    workflow(folder, name, snakefile, **manifest)
    for path, text in (files or {}).items():
        (folder / path).write_text(text)
    return site.stage.vet(folder, "vera", "viktor")


def rows(site: Site, query: str, *values: Any) -> list[Any]:
    """Return what the database says, read as its administrator could."""
    base = sqlite3.connect(f"file:{site.stage.home}/database/strongroom.db?mode=ro", uri=True)
    try:
        return base.execute(query, values).fetchall()
    finally:
        base.close()


def events(site: Site, event: str, subject: str = "%") -> list[dict[str, Any]]:
    """Return the audit events of a kind, oldest first."""
    found = rows(
        site, "select body from audit_events where event = ? and subject like ? order by seq", event, subject
    )
    return [json.loads(body) for (body,) in found]


def eventually(found: Callable[[], Any], what: str, *, within: float = 30.0) -> Any:
    """Return what `found` returns once it is true."""
    end = time.monotonic() + within
    while not (value := found()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


def in_state(site: Site, run: str, state: str) -> list[str]:
    """Return the tasks of a run that TES has in this state."""
    return [task for (task,) in rows(site, "select id from tasks where run = ? and state = ?", run, state)]


def processes(site: Site, name: str) -> list[int]:
    """Return the server's process of this name with all its children that are Strongroom's own."""
    assert site.stage.process is not None
    parents = {pid: parent for pid, parent, _ in _processes()}
    words = {pid: found for pid, _, found in _processes()}
    first = [p for p, parent in parents.items() if parent == site.stage.process.pid and name in words.get(p, ())]
    children = [p for p, parent in parents.items() if parent in first and words.get(p, [])[-1:] == [name]]
    return first + children


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    return [child for child, parent, _ in _processes() if parent == pid]


def _processes() -> Iterator[tuple[int, int, list[str]]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = (stat.parent / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        yield int(stat.parent.name), parent, [word for word in words if word]


@contextmanager
def held_still(site: Site, name: str) -> Iterator[None]:
    """Stop a process of the server (SIGSTOP) for a while: what is asked of it waits."""
    stopped = processes(site, name)
    assert stopped, f"there is no process {name}"
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def share_sheets(site: Site, sheets: Mapping[str, tuple[str, bool]], folder: Path, *, prefix: str) -> None:
    """Make a dataset of coarse data of each sample sheet, which its owner marked as clear or not."""
    for name, (text, marked) in sheets.items():
        file = folder / name / "samples.tsv"
        file.parent.mkdir()
        file.write_text(text)
        clear = ["samples.tsv"] if marked else []
        site.add(f"{prefix}{name}", [file], observability="coarse", min_population=0, clear=clear)
