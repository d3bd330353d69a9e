"""Fills and reads the form that sorts a request's files into groups, and those that never leave (pure)."""

from typing import Any

from airlock import schemas
from airlock.groups import ALL, MOST_GROUPS
from strongroom.pages import Sent


def slots(groups: list[schemas.ShownGroup]) -> list[schemas.ShownGroup]:
    """Return the groups that a form offers: those there are, and some to fill in."""
    named = [one for one in groups if one.name != ALL]
    empty = schemas.ShownGroup(name="", context="", controls="", files=[])
    return [*named, *([empty] * min(max(3 - len(named), 1), MOST_GROUPS - len(named)))]


def stood(shown: schemas.ShownRequest) -> dict[str, str]:
    """Return where the form has each file now: the number of its group, or that it never leaves."""
    named = [one.name for one in shown.groups if one.name != ALL]
    return {
        file.path: "never" if file.supporting else str(named.index(file.group) + 1 if file.group in named else 1)
        for file in shown.files
    }


def read(sent: Sent) -> dict[str, Any]:
    """Return groups and supporting files as the form has them; nothing if it does not have them at all."""
    if not sent.all("as"):
        return {}
    places = {path: place for place, _, path in (one.partition("/") for one in sent.all("as"))}
    chosen = [(path, places.get(path, "1")) for path in sent.all("files")]
    numbers = sorted({place for _, place in chosen if place != "never"})
    fields = ("name", "context", "controls")
    groups = [
        {field: written(sent, f"{field}-{number}").strip() for field in fields}
        | {"files": [path for path, place in chosen if place == number]}
        for number in numbers
    ]
    plain = numbers == ["1"] and not any(groups[0][field] for field in fields)
    return {"groups": [] if plain else groups, "supporting": [path for path, place in chosen if place == "never"]}


def written(sent: Sent, name: str) -> str:
    """Return a text field with lines as we keep them; a browser sends them as HTTP has them."""
    return sent.one(name).replace("\r\n", "\n")
