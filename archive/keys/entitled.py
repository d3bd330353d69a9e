"""Decides whether the log says that a role counted: two operators granted it and its day had come (pure; T28)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from archive.keys.ballots import ExportRefused, Line
from strongroom.persons import Joined

PROPOSED, GRANTED, ENDED = "membership.proposed", "membership.granted", "membership.ended"
TELLING = frozenset({PROPOSED, GRANTED, ENDED})
MayGrant = Callable[[str], bool]


def counts_from(
    lines: Sequence[Line],
    person: str,
    project: str,
    role: str,
    *,
    may_grant: MayGrant,
    wait: timedelta,
    joined: Joined,
) -> datetime | None:
    """Return from when on a role counted, as the log stood at the end of `lines`; None if it did not.

    Granted by one alone, by who may not, or to oneself is as not granted.
    """
    proposed_by: str | None = None
    since: datetime | None = None
    for line in lines:
        if (line.subject, line.project, line.facts.get("role")) != (person, project, role):
            continue
        if line.event == PROPOSED:
            proposed_by = line.actor
        elif line.event == ENDED:
            proposed_by = since = None
        elif line.event == GRANTED:
            words = (proposed_by, line.actor, person)
            by_two = proposed_by is not None and len(joined.persons(one for one in words if one)) == len(words)
            if by_two and line.time is not None and all(may_grant(one) for one in words[:2] if one):
                since = line.time + wait
            proposed_by = None
    return since


def check_granted(
    vote: Line, lines: Sequence[Line], role: str, *, may_grant: MayGrant, wait: timedelta, joined: Joined
) -> None:
    """Raise unless who voted held `role` by the word of two operators; `lines` came before the vote."""
    since = counts_from(lines, vote.actor, vote.project or "", role, may_grant=may_grant, wait=wait, joined=joined)
    if since is None:
        raise ExportRefused("A vote is of a data steward whose role two operators did not grant.")
    if vote.time is None or vote.time < since:
        raise ExportRefused("A vote is of a data steward whose role did not count yet.")
