"""Shows a vetter what a workflow version changes against the last one that was vetted."""

from typing import Any

from rich.markup import escape
from rich.text import Text

from strongroom.cli.client import out
from strongroom.errors import BadRequest
from strongroom.settings import Settings
from wes import catalogue
from wes.differences import Change, Version, differences


def against_last(settings: Settings, name: str, number: str, *, than: str = "") -> tuple[str, list[Change]] | None:
    """Return a version to compare with, the last vetted one or `than`, and what changed; None if there is none."""
    statement, folder = catalogue.stored(settings, name, number)
    if than:
        old, before = catalogue.stored(settings, name, than)
        known = Version(before, old.images)
    else:
        last = catalogue.last_vetted(settings, name, number)
        if last is None:
            return None
        than, known = last.statement.version, Version(last.folder, last.statement.images)
    return than, differences(known, Version(folder, statement.images))


def show(settings: Settings, name: str, number: str) -> None:
    """Print the changes against the last vetted version, if there is one."""
    found = against_last(settings, name, number)
    if found is None:
        out.print("There is no vetted version before this one: read all of it.")
    else:
        print_changes(*found)


def print_changes(than: str, changes: list[Change]) -> None:
    """Print changes as a unified diff, section by section."""
    out.print(f"Against {than}, the version before: {len(changes)} changes." if changes else f"Nothing but {than}.")
    for one in changes:
        out.print(f"[bold]{one.section}[/] {plain(one.what)}")
        for line in one.lines:
            colour = {"+": "green", "-": "red"}.get(line[:1], "dim")
            out.print(Text(f"  {printable(line)}", style=colour))


def facts(than: str, changes: list[Change]) -> dict[str, Any]:
    """Return the changes as JSON."""
    return {"against": than, "changes": [vars(one) for one in changes]}


def plain(text: str) -> str:
    """Return an author's text without anything that a terminal or rich would obey."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Return a text without anything that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def parts(version: str) -> tuple[str, str]:
    """Return NAME and VERSION of NAME/VERSION."""
    name, slash, number = version.partition("/")
    if not slash or "/" in number or ".." in version:
        raise BadRequest("A version is named NAME/VERSION, such as cohort-frequencies/1.0.0.")
    return name, number
