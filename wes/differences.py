"""Says what a workflow version changes against another: files, manifest, commands, contract, images."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from strongroom.folders import listing

MOST_LINES, LONGEST_LINE = 400, 300
OWN = ("commands", "outputs", "images")  # sections that are told by themselves


@dataclass(frozen=True)
class Version:
    """One side of a comparison: its folder and the digests of its images."""

    folder: Path
    images: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """One thing that differs; `lines` are a unified diff, of text that an author wrote."""

    section: str
    what: str
    lines: tuple[str, ...] = ()


def differences(old: Version, new: Version) -> list[Change]:
    """Return what `new` changes, in the order in which a vetter reads it."""
    before, after = _manifest(old.folder), _manifest(new.folder)
    return [
        *_named("images", old.images, new.images),
        *_named("manifest", _rest(before), _rest(after)),
        *_named("commands", _rules(before), _rules(after)),
        *_named("contract", _contract(before), _contract(after)),
        *_files(old.folder, new.folder),
    ]


def _named(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield Change(section, f"added: {name}", _lines("", _text(new[name])))
        elif name not in new:
            yield Change(section, f"removed: {name}", _lines(_text(old[name]), ""))
        elif old[name] != new[name]:
            yield Change(section, f"changed: {name}", _lines(_text(old[name]), _text(new[name])))


def _files(old: Path, new: Path) -> Iterator[Change]:
    before = {str(row["path"]): row for row in listing(old)}
    after = {str(row["path"]): row for row in listing(new)}
    for path in sorted({*before, *after} - {"manifest.yaml"}):
        if before.get(path) == after.get(path):
            continue
        word = "added" if path not in before else "removed" if path not in after else "changed"
        yield Change("files", f"{word}: {path}", _lines(_content(old / path), _content(new / path)))


def _lines(old: str, new: str) -> tuple[str, ...]:
    told = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))[2:]
    rest = len(told) - MOST_LINES
    kept = [line[:LONGEST_LINE] for line in told[:MOST_LINES]]
    return (*kept, f"… {rest} more lines") if rest > 0 else tuple(kept)


def _content(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        return "(not a text)"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=True, width=110)


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / "manifest.yaml"
    found = yaml.safe_load(file.read_text()) if file.is_file() else {}
    return found if isinstance(found, dict) else {}


def _rest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in manifest.items() if name not in OWN}


def _rules(manifest: Mapping[str, Any]) -> dict[str, Any]:
    commands = manifest.get("commands") or {}
    return dict(commands) if isinstance(commands, dict) else {"*": {"free": True}}


def _contract(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contract's lines by what they are about; their order counts too."""
    lines = [line for line in manifest.get("outputs") or [] if isinstance(line, dict)]
    named = {str(line.get("match", "all else")): line for line in lines}
    return {**named, "order": [str(line.get("match", "all else")) for line in lines]}
