"""Finds pseudonyms of persons or samples in running text: several keys of one shape that no public catalogue has."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..findings import Code, Finding, found
from ..subject import Prose, Subject, Table
from .column_names import has_public_keys

_KEY = re.compile(r"(?<![A-Za-z0-9_.:/+-])([A-Z]{1,5}[-_]?)(\d{5,9})(?![A-Za-z0-9_]|\.\d)")
_IN_A_PATH = re.compile(r"(?<=[A-Za-z0-9_.-]/)([A-Z]{1,5}[-_]?)(\d{5,9})(?=[/.,;:_\s-]|$)")
_PUBLIC = frozenset(
    {"NM_", "NR_", "NP_", "XM_", "XR_", "XP_", "NC_", "NG_", "NT_", "NW_", "HGNC", "COSM", "COSV", "PMID", "ISO"}
    | {"CVE-", "SRR", "ERR", "DRR", "GSE", "GO", "HP", "MONDO", "ORPHA", "OMIM", "MIM", "CHR", "UTF-", "CP", "EPSG"}
)
_FEW = 2
_LONGEST_LINE = 20_000


def check(subject: Subject) -> Iterator[Finding]:
    """Gather keys by shape; two of a shape are a list of persons, wherever they stand."""
    model = subject.model
    lines: Iterable[tuple[int, str]]
    if isinstance(model, Prose):
        lines = enumerate(model.lines, start=1)
    elif isinstance(model, Table):
        lines = _beside_others(model)
    else:
        return
    shapes: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for row, line in lines:
        plain = line[:_LONGEST_LINE]
        for match in (*_KEY.finditer(plain), *_IN_A_PATH.finditer(plain)):
            shape = (match[1], len(match[2]))
            if match[1] in _PUBLIC:
                continue
            shapes[shape].add(match[2])
            if len(shapes[shape]) == _FEW:
                yield found(Code.IDENTIFIER, row=row)


def is_key(word: str) -> bool:
    """Return whether a word is a key of that shape."""
    match = _KEY.fullmatch(word)
    return match is not None and match[1] not in _PUBLIC


def _beside_others(table: Table) -> Iterator[tuple[int, str]]:
    """Yield cells that hold more than one word: a key alone in its cell is a matter of its column."""
    named = [not has_public_keys(name) for name in table.header]
    for row, cells in enumerate(table.rows, start=1):
        for cell, judged in zip(cells, named, strict=False):
            if judged and not _KEY.fullmatch(cell.strip()):
                yield row, cell
