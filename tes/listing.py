"""Decides which tasks a list shows, and in which order: filters add up, newest first (TES 1.1, GET /tasks)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from strongroom.errors import BadRequest
from tes.store import Task, TaskTag
from tes.tasks import TaskState

MOST_TAGS = 16


@dataclass(frozen=True)
class Filter:
    """What is asked for; a tag with an empty value has any value."""

    person: str | None  # None: one of our services, which sees all
    name_prefix: str
    state: TaskState | None
    tags: tuple[tuple[str, str], ...]
    own_tags: bool = False  # a federated client's tags are its own words, and nothing of ours

    def described(self) -> dict[str, Any]:
        """Return the filter as a page token remembers it."""
        tags = [list(tag) for tag in self.tags]
        return {"person": self.person or "", "prefix": self.name_prefix, "state": self.state or "", "tags": tags}


def zipped(keys: Sequence[str], values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the tags of `tag_key` and `tag_value`, or raise `BadRequest` when they do not fit together."""
    if len(values) > len(keys):
        raise BadRequest("tag_value: more values than tag_key has keys.")
    if len(keys) > MOST_TAGS or len(set(keys)) != len(keys):
        raise BadRequest(f"tag_key: each key once, and at most {MOST_TAGS}.")
    return tuple(zip(keys, [*values, *[""] * (len(keys) - len(values))], strict=True))


def query(wanted: Filter, *, before: int | None, most: int) -> sa.Select[Task]:
    """Return the query for the first `most` tasks with a number below `before`."""
    found = sa.select(Task).order_by(Task.number.desc()).limit(most)
    if before is not None:
        found = found.where(Task.number < before)
    if wanted.person is not None:
        found = found.where(Task.person == wanted.person)
    if wanted.name_prefix:
        found = found.where(Task.name.startswith(wanted.name_prefix, autoescape=True))
    if wanted.state is not None:
        found = found.where(Task.state == wanted.state.value)
    if wanted.tags and wanted.person is not None and not wanted.own_tags:
        found = found.where(Task.coarse.is_(False))  # T4: their tags are not shown, so no list answers guesses
    for key, value in wanted.tags:
        tag = sa.select(TaskTag.number).where(TaskTag.number == Task.number, TaskTag.key == key)
        found = found.where((tag.where(TaskTag.value == value) if value else tag).exists())
    return found
