"""Takes turns between rivals, so that all meet the same machine, and compares their medians."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Rival = Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """One line of the result: ours against another, as a ratio, with the aim of issue 4 in words."""

    name: str
    ours: float
    other: float
    unit: str
    ratio: float
    aim: str = ""


def take_turns(rivals: Mapping[str, Rival], rounds: int) -> dict[str, float]:
    """Run each rival once a round; return medians. The first round warms caches and does not count."""
    seen: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name, rival in rivals.items():
            value = rival()
            if number:
                seen[name].append(value)
    return {name: statistics.median(values) for name, values in seen.items()}


def against(name: str, medians: Mapping[str, float], pair: tuple[str, str], *, unit: str, aim: str = "") -> Figure:
    """Return the ratio of the first of `pair` to the second."""
    ours, other = (medians[one] for one in pair)
    return Figure(name, ours, other, unit, ours / other, aim)
