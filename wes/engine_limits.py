"""Ends a run whose engine goes beyond what it may have of this host: memory, disk, print, refusals (T30)."""

import asyncio
import contextlib
import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import orm

from strongroom.audit import AuditEvent, Event
from strongroom.settings import Settings

MOST_REFUSALS = 100
LARGEST_FILE = 256 << 20  # and the longest log
OWN_FILES = 100_000  # beside what the gateway knows of
FILES_OF_ONE, BYTES_OF_ONE = 16, 8 << 10  # that an engine keeps of each file and job, at the very most
DEEPEST = 200  # folders
MOST_OPEN = 20_000  # descriptors of all processes together
PAUSE, SHARE = 0.5, 10  # seconds between two looks; a look takes no more than a tenth of the time
BLIND_LOOKS = 3  # one at which walls go up may be blind
MEMORY = "The engine's processes took more memory than an engine may have together."
BYTES = "The engine wrote more to disk than it may."
FILES = "The engine made more files than it may."
HIDDEN = "The engine hid what it wrote where it cannot be counted."
PRINTED = "The engine printed more than it may."
REFUSED = f"The engine was refused {MOST_REFUSALS} times, which is all that a run may be."
CUT = "What earlier launches printed reached the bound of a log and was cut.\n"
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Bounds:
    """What one engine may have; a process of it is limited by its walls, and this is for all together."""

    memory: int  # bytes
    disk: int  # bytes in its tree, and in files without a name
    largest: int  # bytes of a file, and of what it printed; the kernel holds each process to it (RLIMIT_FSIZE)


class Beyond(Exception):
    """An engine went beyond a bound; the sentence says which."""


def bounds_of(settings: Settings) -> Bounds:
    """Return what an engine may have here."""
    memory, disk = int(settings.wes.engine_memory_gb * (1 << 30)), int(settings.wes.engine_disk_gb * (1 << 30))
    return Bounds(memory, disk, min(LARGEST_FILE, disk))


@dataclass(frozen=True)
class Place:
    """Where an engine is: the process that all of it descends from, its tree, and its log."""

    pid: int
    work: Path
    log: Path


async def beyond(place: Place, bounds: Bounds, *, known: Callable[[], int], refused: asyncio.Event) -> str:
    """Look after an engine for as long as it lives; return what it did too much of.

    `known` says how many files and jobs its run has by now; `refused` is set when its gateway has had enough.
    """
    loop, blind = asyncio.get_running_loop(), 0
    while not refused.is_set():
        begun = loop.time()
        try:
            saw_all = await asyncio.to_thread(check, place, bounds, known=known())
        except Beyond as error:
            return str(error)
        except OSError:
            return HIDDEN
        blind = 0 if saw_all else blind + 1
        if blind >= BLIND_LOOKS:
            return HIDDEN
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(refused.wait(), max(PAUSE, SHARE * (loop.time() - begun)))
    return REFUSED


def check(place: Place, bounds: Bounds, *, known: int) -> bool:
    """Raise `Beyond` if an engine has more than it may; say whether all of it could be seen."""
    most_files, disk = OWN_FILES + FILES_OF_ONE * known, bounds.disk + BYTES_OF_ONE * known
    if is_full(place.log, bounds):
        raise Beyond(PRINTED)
    living = list(processes(place.pid))
    # To count shares takes long, and no share is more than what is resident.
    if sum(map(_resident, living)) > bounds.memory and sum(map(_share, living)) > bounds.memory:
        raise Beyond(MEMORY)
    used, saw_all = _nameless(living[1:])  # the first is of its walls
    if used > disk:
        raise Beyond(BYTES)
    for count, found in enumerate(_tree(str(place.work)), start=1):
        used += found.st_blocks * 512
        if count > most_files:
            raise Beyond(FILES)
        if used > disk:
            raise Beyond(BYTES)
    return saw_all


def processes(pid: int) -> Iterator[int]:
    """Yield what descends from a process: its walls' first process is the parent of whom nobody else is."""
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for thread in _inside(f"/proc/{parent}/task"):
            with contextlib.suppress(OSError):  # it ended
                born = [int(word) for word in (thread / "children").read_text().split()]
                waiting += born
                yield from born


def _inside(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except FileNotFoundError:
        return []


def _resident(pid: int) -> int:
    """Return the bytes in memory of a process; what it shares with others counts in each of them."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    """Return the bytes in memory that are of a process alone, and its share of others; no pages of programs."""
    try:
        lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    except OSError:
        return 0  # it ended, or hides: `_nameless` finds who hides
    return sum(int(line[1]) << 10 for line in lines if line[0] in ("Pss_Anon:", "Pss_Shmem:"))


def _nameless(living: Sequence[int]) -> tuple[int, bool]:
    """Return the bytes of open files that have no name any more, or never had one: memory files are such."""
    used, opened, saw_all, seen = 0, 0, True, set[tuple[int, int]]()
    for pid in living:
        try:
            files = _inside(f"/proc/{pid}/fd")
        except PermissionError:
            saw_all = False
            continue
        opened += len(files)
        if opened > MOST_OPEN:
            raise Beyond(HIDDEN)
        for file in files:
            with contextlib.suppress(OSError):
                found = file.stat()
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    used += found.st_blocks * 512
    return used, saw_all


def _tree(top: str) -> Iterator[os.stat_result]:
    """Yield what is in a tree that its engine changes meanwhile; no link is followed."""
    waiting = [(top, 0)]
    while waiting:
        folder, depth = waiting.pop()
        if depth > DEEPEST:
            raise Beyond(HIDDEN)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append((entry.path, depth + 1))
                    yield found
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed meanwhile
        except OSError as error:  # as without a right for us: no engine of ours needs that
            raise Beyond(HIDDEN) from error


def remove(tree: Path) -> None:
    """Remove a tree that an engine left, however deep it made it: what is recursive here would fail at that."""
    subprocess.run(["/bin/rm", "-rf", "--", str(tree)], env={}, stderr=subprocess.DEVNULL, check=False)


def is_full(log: Path, bounds: Bounds) -> bool:
    """Say whether what an engine printed reached its bound: each process of it that prints more fails."""
    return log.exists() and log.stat().st_size >= bounds.largest


def cut(log: Path, bounds: Bounds) -> None:
    """Make room in a log that earlier launches filled: its engine could print nothing more, and would die of it."""
    if is_full(log, bounds):
        log.write_text(CUT)


def refused_before(session: orm.Session, run: str) -> int:
    """Return how often a run's engine was refused since the run was submitted, or resumed."""
    mine = sa.select(sa.func.count()).where(AuditEvent.subject == run)
    resumed = sa.select(sa.func.max(AuditEvent.seq)).where(
        AuditEvent.subject == run, AuditEvent.event == Event.RUN_RESUMED.value
    )
    since = session.scalar(resumed) or 0
    refusals = mine.where(AuditEvent.event == Event.RUN_TASK_REFUSED.value, AuditEvent.seq >= since)
    return session.scalar(refusals) or 0
