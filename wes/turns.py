"""Decides which waiting run comes next: projects take turns, and nobody fills all places while others wait (T30)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.errors import TooMany

NEVER = datetime.min.replace(tzinfo=UTC)
AGAIN_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """A run that waits or runs, and whose it is."""

    run: str
    number: int
    project: str
    person: str


@dataclass(frozen=True)
class Limits:
    """Runs at the same time: of one project, and of one person."""

    project: int
    person: int


def in_order(
    waiting: Collection[Place], running: Iterable[Place], *, last: Mapping[str, datetime], limits: Limits
) -> list[str]:
    """Return the waiting runs that may start, the next one first; those beyond a limit are left out.

    Who has fewest runs at work comes first, then whose `last` turn is longest ago; within a project persons take
    turns the same way, and of one person the oldest run comes first.
    """
    places = list(running)
    projects, persons = Counter(p.project for p in places), Counter(p.person for p in places)
    turns = {project: (0, moment) for project, moment in last.items()}
    left, found = sorted(waiting, key=lambda place: place.number), list[str]()
    while left:
        may = [p for p in left if projects[p.project] < limits.project and persons[p.person] < limits.person]
        if not may:
            break
        chosen = min(
            may,
            key=lambda p: (projects[p.project], turns.get(p.project, (0, NEVER)), persons[p.person], p.number),
        )
        left.remove(chosen)
        found.append(chosen.run)
        projects[chosen.project] += 1
        persons[chosen.person] += 1
        turns[chosen.project] = (len(found), NEVER)
    return found


def check_room(*, project: int, person: int, most: Limits) -> None:
    """Raise `TooMany` when a project or a person has as many runs open, waiting or at work, as one may have."""
    if person >= most.person:
        raise TooMany(
            f"You have {person} runs that have not ended, which is all that one person may have here; "
            "wait for one to end, or cancel one.",
            seconds=AGAIN_SECONDS,
        )
    if project >= most.project:
        raise TooMany(
            f"This project has {project} runs that have not ended, which is all that one may have here; "
            "wait for one to end, or cancel one.",
            seconds=AGAIN_SECONDS,
        )
