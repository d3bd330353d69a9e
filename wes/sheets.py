"""Finds the input files that a workflow's own code reads while its engine plans: what `clear` has to grant (T17)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wes.glimpses import MOST_CLEAR, MOST_CLEAR_BYTES
from wes.manifest import Manifest
from wes.nextflow_outline import NextflowOutline, Noted
from wes.outline import Call, Outline

READING = re.compile(
    r"open|.*\.(open|read|read_text|read_bytes|readlines|read_csv|read_table|read_excel|load|loads|listdir|glob|rglob)"
)
_READERS = "splitCsv|splitFasta|splitFastq|splitText|splitJson|countLines|countFasta|countFastq|countText|countJson"
_FILE_READERS = "getText|getBytes|readLines|eachLine|withReader|withInputStream|newReader|newInputStream|eachByte"
READS = re.compile(
    rf"(?:.*\.)?(?:{_READERS})|.*\.(?:{_FILE_READERS})|\.(?:text|bytes)|"
    r"new (?:java\.\w+\.)?(?:FileReader|FileInputStream|Scanner|RandomAccessFile)|"
    r"(?:java\.nio\.file\.)?Files\.(?:read|lines|newBufferedReader|newInputStream).*",
    re.DOTALL,
)
# Of what reads, the calls that read a text by its path: who reads from a handle was given it by one of these.
_PATHS = frozenset({"open", "read_text", "read_csv", "read_table"})
_PACKED = frozenset({"gzip", "bz2", "lzma", "zipfile", "tarfile", "pysam"})
_TEXTS = frozenset({"splitCsv", "splitText", "countLines", "text", "getText", "readLines", "eachLine", "withReader"})
_COMMAS, _TABS = frozenset({"read_csv", "splitCsv"}), frozenset({"read_table"})
_SEPARATORS = {",": ",", "\t": "\t", "\\t": "\t", " ": " "}
# A table of samples: a heading, and a line for each file of other slots. Its author narrows it, vetters sign it.
LINES, LONGEST, LETTERS = 500, 200, "A-Za-z0-9._/"


@dataclass(frozen=True)
class Look:
    """A call on what an input slot holds; `reads` if by it the engine opens the file."""

    file: str
    line: int
    slots: tuple[str, ...]
    separators: tuple[str, ...]
    reads: bool


def looks(outline: Outline | NextflowOutline) -> list[Look]:
    """Return every call of the engine's own code on a file of an input slot."""
    found: list[tuple[Call | Noted, bool]] = []
    if isinstance(outline, Outline):
        found += [(one, _by_path(one.name)) for one in outline.calls if one.where == "parse"]
    else:
        places = ("workflow", "function", "lib")
        found += [(one, opens(one.name)) for one in outline.calls if one.where in places]
    return [
        Look(one.file, one.line, tuple(one.slots), (*one.separators, *_usual(one.name, one.separators)), reads)
        for one, reads in found
        if one.slots
    ]


def opens(name: str) -> bool:
    """Say whether by a call of this name Nextflow opens the file that it stands on."""
    return _last(name) in _TEXTS


def _by_path(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] not in _PACKED and _last(name) in _PATHS


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _usual(name: str, said: Sequence[str]) -> tuple[str, ...]:
    """Return what separates columns for a call that does not say it."""
    last = _last(name)
    return () if said else (",",) if last in _COMMAS else ("\t",) if last in _TABS else ()


def ungranted(outline: Outline | NextflowOutline, manifest: Manifest | None) -> Iterator[tuple[str, int, str]]:
    """Yield file, line and slot where the engine reads an input that no manifest grants."""
    granted = {one.slot for one in manifest.glimpses.clear} if manifest is not None else set()
    for look in looks(outline):
        if look.reads:
            yield from ((look.file, look.line, f"input {slot}") for slot in look.slots if slot not in granted)


def draft(
    outline: Outline | NextflowOutline,
    inputs: Iterable[Mapping[str, Any]],
    said: Iterable[Mapping[str, Any]] = (),
    *,
    opened: Iterable[str] = (),
) -> list[dict[str, Any]]:
    """Return the `clear` section: what `said` grants, and an entry for each other slot that the engine reads.

    `opened` are the slots of which a dry run opened files, by whatever way its code came to them.
    """
    kept = [dict(one) for one in said]
    known = {str(one.get("input")) for one in kept}
    found, slots = looks(outline), {str(one.get("name")): one for one in inputs}
    by_code = (slot for look in found if look.reads for slot in look.slots)
    packed = {slot for one in outline.calls if one.name.split(".", maxsplit=1)[0] in _PACKED for slot in one.slots}
    read = dict.fromkeys(one for one in (*by_code, *(set(opened) - packed)) if one in slots)
    most = _lines(one for name, one in slots.items() if name not in read)
    for slot in [one for one in read if one not in known][: max(0, MOST_CLEAR - len(kept))]:
        said_of = [text for look in found if slot in look.slots for text in look.separators]
        cut = dict.fromkeys(_SEPARATORS[text] for text in said_of if text in _SEPARATORS) or {",": None, "\t": None}
        file = _file(str(slots[slot].get("pattern", "*")), "csv" if "," in cut and "\t" not in cut else "tsv")
        characters = f"{LETTERS}{''.join(cut)}-"
        kept.append({"input": slot, "file": file, "characters": characters, "longest": LONGEST, "most": most})
    return kept


def narrowed(inputs: Iterable[Mapping[str, Any]], clear: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return drafted slots, where one that is granted is the one file that the grant names."""
    files = {one["input"]: one["file"] for one in clear}
    return [
        {**one, **({"pattern": files[one["name"]], "max_files": 1} if one["name"] in files else {})} for one in inputs
    ]


def _lines(others: Iterable[Mapping[str, Any]]) -> int:
    """Return how many lines a sheet about the files of other slots has at most."""
    files = sum(int(one.get("max_files", LINES)) for one in others)
    return min(LINES, files + 1, MOST_CLEAR_BYTES // (LONGEST + 1)) if files else LINES


def _file(pattern: str, suffix: str) -> str:
    """Return the name of one file that fits a slot's pattern."""
    if pattern == "*":
        return f"samples.{suffix}"
    return pattern.replace("*", "samples").replace("?", "x")
