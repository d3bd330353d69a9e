"""Decides which of a task's `backend_parameters` reach SLURM."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from strongroom.settings import Settings

_WORD: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_GRES: Final = rf"{_WORD}(:{_WORD}){{0,2}}"
_TIME: Final = re.compile(r"(?:(\d{1,2})-)?(\d{1,3}):(\d{2}):(\d{2})|(\d{1,5})")
# The words on the left are sbatch's. No dash in front, no space and no shell's character gets through.
PATTERNS: Final = {
    "partition": re.compile(_WORD),
    "account": re.compile(_WORD),
    "qos": re.compile(_WORD),
    "constraint": re.compile(rf"{_WORD}(,{_WORD}){{0,7}}"),
    "gres": re.compile(rf"{_GRES}(,{_GRES}){{0,7}}"),
    "time": _TIME,
}


def of_tasks(settings: Settings) -> Mapping[str, re.Pattern[str]]:
    """Return the options that a task may name at this site, and what their values look like."""
    allowed = settings.slurm.options if settings.tes.backend == "slurm" else ()
    return {name: PATTERNS[name] for name in allowed}


@dataclass(frozen=True)
class Options:
    """Where and for how many minutes a job may run; None leaves it to the site."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gres: str | None = None
    minutes: int | None = None

    def __post_init__(self) -> None:
        """Hold settings of the site to the same patterns as a task's wishes."""
        for name, pattern in PATTERNS.items():
            value = getattr(self, name, None)
            if value is not None and not pattern.fullmatch(value):
                raise ValueError(f"SLURM's option {name} has a value that it may not have")
        if self.minutes is not None and self.minutes < 1:
            raise ValueError("a job needs a minute at least")


def options(parameters: Mapping[str, str], allowed: Collection[str]) -> tuple[Options, list[str]]:
    """Return the options that count, and the names of those that are unsupported (TES 1.1, `backend_parameters`)."""
    taken: dict[str, Any] = {}
    unsupported = []
    for name, value in parameters.items():
        pattern = PATTERNS.get(name) if name in allowed else None
        if pattern is None or pattern.fullmatch(value) is None:
            unsupported.append(name)
        elif name != "time":
            taken[name] = value
        elif (minutes := _minutes(value)) > 0:
            taken["minutes"] = minutes
        else:
            unsupported.append(name)
    return Options(**taken), unsupported


def _minutes(value: str) -> int:
    """Return sbatch's `minutes`, `h:m:s` or `days-h:m:s` in whole minutes, rounded up."""
    found = _TIME.fullmatch(value)
    if found is None:
        return 0
    days, hours, minutes, seconds, alone = (int(part or 0) for part in found.groups())
    return alone + days * 1440 + hours * 60 + minutes + (seconds > 0)
