"""Sketches which places of the genome a file tells of, so that those of all releases can be counted together (T7)."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from .disclosure.variant_tables import is_of_variants
from .subject import Model, Sites, Table

MOST = 1024  # smallest hashes that are kept: fewer places are counted exactly, more to some three percent
_SPACE = 1 << 64
_CHROMOSOME = frozenset({"chrom", "#chrom", "chr", "#chr", "chromosome"})
_POSITION = frozenset({"pos", "position", "bp", "base_pair_location", "base_pair_position", "genpos"})
_NAMED = ("rsid", "rs_id", "snp", "snpid", "variant", "variant_id", "marker", "markername")
_PLACE = re.compile(r"(?:chr)?([0-9]{1,2}|x|y|xy|mt?)[:_-]([0-9]{1,10})(?:[:_-].*)?")


@dataclass(frozen=True, slots=True)
class Sketch:
    """The smallest hashes (64 bits) of distinct places, in order: two can be put together without the places."""

    smallest: tuple[int, ...]

    def __or__(self, other: "Sketch") -> "Sketch":
        """Return the sketch of all places of both."""
        return Sketch(tuple(sorted({*self.smallest, *other.smallest})[:MOST]))

    @property
    def places(self) -> int:
        """Return how many distinct places there are."""
        kept = len(self.smallest)
        return kept if kept < MOST else (MOST - 1) * _SPACE // self.smallest[-1]


NONE = Sketch(())


def sketch_of(model: Model) -> Sketch | None:
    """Return the places of a VCF or of a table of variants; None for anything else."""
    match model:
        case Sites():
            return _sketch(f"{_chromosome(site.chrom)}:{site.pos}" for site in model.sites)
        case Table() if is_of_variants(model):
            names = [name.strip().lower() for name in model.header]
            return _sketch(places) if (places := _places(model, names)) is not None else None
        case _:
            return None


def _places(table: Table, names: Sequence[str]) -> Iterator[str] | None:
    chromosome, position = (
        next((at for at, name in enumerate(names) if name in known), None) for known in (_CHROMOSOME, _POSITION)
    )
    if chromosome is not None and position is not None:
        pairs = zip(table.column(chromosome), table.column(position), strict=True)
        return (f"{_chromosome(one)}:{other.strip()}" for one, other in pairs)
    named = next((at for known in _NAMED for at, name in enumerate(names) if name == known), None)
    return None if named is None else map(_place, table.column(named))


def _place(name: str) -> str:
    plain = name.strip().lower()
    found = _PLACE.fullmatch(plain)
    return f"{found[1]}:{found[2]}" if found else plain


def _chromosome(name: str) -> str:
    return name.strip().lower().removeprefix("chr")


def _sketch(places: Iterable[str]) -> Sketch:
    kept, bound = set[int](), _SPACE
    for place in places:
        number = int.from_bytes(hashlib.blake2b(place.encode(), digest_size=8).digest())
        if number < bound:
            kept.add(number)
            if len(kept) == 4 * MOST:
                kept = set(nsmallest(MOST, kept))
                bound = max(kept)
    return Sketch(tuple(sorted(kept)[:MOST]))
