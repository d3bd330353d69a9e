"""Finds the files of its own folder that a workflow names literally, as it finds them where it is run by others."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST, MOST_BYTES = 200, 1 << 20  # as the house lays them into a work folder
PLAIN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+=,-]*/)*[A-Za-z0-9_][A-Za-z0-9._+=,-]*")
BETWEEN = re.compile(r"[\s;|&()<>'\"`$=]+")


def named(folder: Path, found: dict[str, Any]) -> list[str]:
    """Return the small texts of the folder that calls at parse time or rules' inputs name; no rule makes them."""
    said = [call["first"] for call in found["calls"] if call["where"] == "parse" and call["first"] is not None]
    said += [one for rule in found["rules"] for one in rule["directives"].get("input", ())]
    made = {path for rule in found["rules"] for one in rule["directives"].get("output", ()) for path in _paths(one)}
    paths = dict.fromkeys(path for one in said for path in _paths(one) if path not in made)
    return [path for path in paths if not path.startswith("inputs/") and _is_text(folder / path)][:MOST]


def words(folder: Path, rule: dict[str, Any]) -> list[str]:
    """Return the words of a rule's command that are files of the folder, by a path or with a suffix."""
    shell = [str(one["value"]) for one in rule["directives"].get("shell", ())[:1] if one["kind"] == "text"]
    found = dict.fromkeys(os.path.normpath(word) for text in shell for word in BETWEEN.split(text) if word)
    told = [path for path in found if len(path) < MOST and PLAIN.fullmatch(path) and re.search("[./]", path)]
    return [path for path in told if (folder / path).is_file()][:MOST]


def _paths(argument: dict[str, Any]) -> Iterator[str]:
    if argument["kind"] in ("text", "texts"):
        texts = argument["value"] if argument["kind"] == "texts" else [argument["value"]]
        paths = [os.path.normpath(one) for one in texts if isinstance(one, str) and 0 < len(one) < MOST]
        yield from (path for path in paths if PLAIN.fullmatch(path))


def _is_text(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        return False
    try:
        file.read_bytes().decode()
    except ValueError:
        return False
    return True
