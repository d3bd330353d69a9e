"""A string in one file of one dataset, and everywhere that it must never be."""

import base64
import contextlib
import io
import os
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hostile import children, eventually
from searching import files_with
from site_of_tests import Site

from archive import ingest

# The task spreads what it reads over everything that it can reach, and then waits to be looked at: see `let_end`.
SPREADS = """
rule all:
    input: "copy.txt"
rule spread:
    input: config["inputs"]["notes"]
    output: "copy.txt"
    resources: mem_mb=200, disk_mb=50
    shell:
        "export SECRET=$(head -n 1 {input}); cp {input} {output}; cp {input} /tmp/x; cp {input} /dev/shm/x; "
        "cat {input}; cat {input} >&2; (exec -a $SECRET sleep 1800) & grep -c $SECRET {output}; "
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


def new_canary(site: Site) -> Canary:
    """Return a new one, sealed on the owner's side from a pipe: its plaintext never was a file."""
    found = Canary(secrets.token_hex(16), f"canary-{secrets.token_hex(4)}")
    text = f"{found.text}\n".encode() * 3000
    with site.stage.client(site.cast.operator) as client:
        made = {"id": found.dataset, "title": "notes", "observability": "open"}
        client.post("/api/archive/v1/datasets", made)
        ingest.add(client, found.dataset, io.BytesIO(text), name="notes.txt", person="somebody")
        client.post(f"/api/archive/v1/datasets/{found.dataset}:share", {"project": "cohort"})
    return found


def on_disk(site: Site, canary: Canary) -> list[str]:
    """Return the files that hold the canary."""
    return files_with(canary.forms, site.stage.home, *FOLDERS)


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


def let_end(canary: Canary) -> None:
    """Have the task go on: it waits for as long as a search takes, which no clock knows before."""
    eventually(lambda: spreading(canary), "the task never read its input")
    for pid in spreading(canary):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)


def assert_nowhere(site: Site, canary: Canary) -> None:
    assert in_processes(canary) == []
    assert on_disk(site, canary) == []
