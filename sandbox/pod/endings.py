"""Reads how executors ended from what their launchers left, and says what the attempt's end is."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.pod.places import control_of
from sandbox.results import REASONS, Cause, Result

_LONGEST: Final = 4096
_NUMBERS: Final = ("exit_code", "signal", "start", "end", "cpu_ms", "peak_kib")
_FILE_TOO_LARGE: Final = 25  # SIGXFSZ
_CAUSES: Final[Mapping[str, Cause]] = {
    "exited": "exited",
    "signal": "exited",  # with the code that a shell gives it, as in other walls
    "out_of_memory": "out_of_memory",
    "deadline": "deadline",
    "canceled": "canceled",
    "system": "system",
}


@dataclass(frozen=True)
class Ending:
    """What one launcher told; times in seconds since 1970, None where the command never ran."""

    cause: str  # a launcher's word: `_CAUSES`, or `skipped`
    went_on: bool
    exit_code: int | None = None
    signal: int | None = None
    start: float | None = None
    end: float | None = None
    cpu_seconds: float = 0.0
    peak_bytes: int = 0


def ending_of(executor: int) -> Ending | None:
    """Return how an executor ended, or None while a process of it may live."""
    try:
        fd = os.open(f"{control_of(executor)}/ended", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        plain = stat.S_ISREG(os.fstat(fd).st_mode)
        return parsed(file.read(_LONGEST).decode("ascii", "replace") if plain else "")


def parsed(text: str) -> Ending:
    """Return what the lines of an `ended` say; whatever cannot be read is `system`."""
    lines = text.splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    if not lines or lines[-1] != "end" or found.get("cause") not in (*_CAUSES, "skipped"):
        return Ending("system", went_on=False)
    try:
        numbers = {name: int(found[name]) for name in _NUMBERS if name in found}
    except ValueError:
        return Ending("system", went_on=False)
    return Ending(
        cause=found["cause"],
        went_on=found.get("next") == "run",
        exit_code=numbers.get("exit_code"),
        signal=numbers.get("signal"),
        start=numbers["start"] / 1000 if "start" in numbers else None,
        end=numbers["end"] / 1000 if "end" in numbers else None,
        cpu_seconds=numbers.get("cpu_ms", 0) / 1000,
        peak_bytes=numbers.get("peak_kib", 0) << 10,
    )


def result_of(endings: Sequence[Ending], *, full: bool) -> Result:
    """Return the attempt's end; `full`: no room is left in the volume. Raises nothing."""
    ran = [ending for ending in endings if ending.cause != "skipped"]
    last = ran[-1]
    code = _code(last)
    cause = _CAUSES[last.cause]
    if last.signal == _FILE_TOO_LARGE or (full and cause == "exited" and code and not last.went_on):
        cause = "disk_full"
    result = Result(cause, None if cause == "system" else code, REASONS[cause])
    if last.went_on:
        result.cause, result.exit_code, result.reason = "exited", 0, None
    result.executors = [{"exit_code": _code(one), "start": one.start, "end": one.end} for one in ran if one.start]
    result.cpu_seconds = round(sum(one.cpu_seconds for one in ran), 3)
    result.peak_memory_bytes = max(one.peak_bytes for one in ran) or None
    return result


def _code(ending: Ending) -> int | None:
    """Return an exit code as a shell tells it."""
    return 128 + ending.signal if ending.signal is not None else ending.exit_code


def captured(executors: int) -> list[tuple[str, Path]]:
    """Return the name and place of each captured stream that holds something."""
    found = []
    for name in ("stdout", "stderr"):
        for number in range(executors):
            path = Path(control_of(number)) / name
            if path.is_file() and not path.is_symlink() and path.stat().st_size:
                found.append((f"{name}.{number}", path))
    return found
