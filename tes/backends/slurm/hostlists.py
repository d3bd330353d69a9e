"""Reads SLURM's short way of writing lists of nodes."""

import itertools
import re
from typing import Final

MOST: Final = 100_000  # nodes; no cluster is larger, and no answer of slurmctld may fill our memory
_PART: Final = re.compile(r"\[([0-9,-]+)\]|([^\[\],]+)")
_NAME: Final = re.compile(r"(?:\[[0-9,-]+\]|[^\[\],])+")
_RANGE: Final = re.compile(r"(\d+)(?:-(\d+))?")


class NotAHostlist(ValueError):
    """This is no list of nodes as SLURM writes it."""


def expand(text: str) -> frozenset[str]:
    """Return the nodes of `n[1-3,07],gpu1`: n1, n2, n3, n07 and gpu1; raises `NotAHostlist`."""
    names = _NAME.findall(text)
    if ",".join(names) != text:
        raise NotAHostlist("brackets and commas do not fit together")
    found = frozenset(itertools.islice(itertools.chain.from_iterable(map(_nodes, names)), MOST + 1))
    if len(found) > MOST:
        raise NotAHostlist("more nodes than a cluster has")
    return found


def _nodes(name: str) -> "itertools.chain[str]":
    parts = [_numbers(ranges) if ranges else [plain] for ranges, plain in _PART.findall(name)]
    return itertools.chain(map("".join, _product(parts)))


def _product(parts: list[list[str]]) -> "itertools.product[tuple[str, ...]]":
    size = 1
    for part in parts:
        size *= len(part)
        if size > MOST:
            raise NotAHostlist("more nodes than a cluster has")
    return itertools.product(*parts)


def _numbers(ranges: str) -> list[str]:
    found: list[str] = []
    for one in ranges.split(","):
        fits = _RANGE.fullmatch(one)
        if fits is None:
            raise NotAHostlist("a range is two numbers")
        first, last = fits[1], fits[2] or fits[1]
        if int(last) - int(first) >= MOST:
            raise NotAHostlist("more nodes than a cluster has")
        found += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return found
