"""Holds what a contract promises of one file, as the jail gets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .patterns import PatternRefused, matches


class PromiseRefused(Exception):
    """The promise in the request is not of the shape that `Promise.as_json` writes."""


class Promised(Enum):
    """The formats that a contract may promise; nothing else can leave in this version."""

    TSV = "tsv"
    CSV = "csv"
    VCF = "vcf"
    PNG = "png"
    JSON = "json"
    LOG = "log"


class Kind(Enum):
    """What a column holds."""

    KEY = "key"
    COUNT = "count"
    INTEGER = "integer"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a promised table; a key has either a closed vocabulary or a pattern."""

    name: str
    kind: Kind
    decimals: int = 0
    values: tuple[str, ...] = ()
    pattern: str = ""

    def allows(self, cell: str) -> bool:
        """Return whether a key's cell is in the vocabulary or of the pattern."""
        return cell in self.values if self.values else matches(self.pattern, cell)


@dataclass(frozen=True, slots=True)
class Promise:
    """What one file keeps to; `min_allele_count` None means the policy's own threshold.

    The columns of JSON are its leaves, named by their path with dots; `lines` are the templates of a log.
    """

    format: Promised
    unit: str = "person"
    columns: tuple[Column, ...] = ()
    max_rows: int = 0
    max_sites: int = 0
    min_allele_count: int | None = None
    frequencies: bool = True
    needs: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for request.json."""
        return {
            "format": self.format.value,
            "unit": self.unit,
            "columns": [
                {
                    "name": column.name,
                    "kind": column.kind.value,
                    "decimals": column.decimals,
                    "values": list(column.values),
                    "pattern": column.pattern,
                }
                for column in self.columns
            ],
            "max_rows": self.max_rows,
            "max_sites": self.max_sites,
            "min_allele_count": self.min_allele_count,
            "frequencies": self.frequencies,
            "needs": list(self.needs),
            **({"lines": list(self.lines)} if self.lines else {}),
        }


def parse_promise(raw: Mapping[str, Any]) -> Promise:
    """Return the promise that `as_json` wrote; raises `PromiseRefused` for anything else."""
    try:
        columns = tuple(
            Column(
                name=one["name"],
                kind=Kind(one["kind"]),
                decimals=one["decimals"],
                values=tuple(one["values"]),
                pattern=one["pattern"],
            )
            for one in raw["columns"]
        )
        promise = Promise(
            format=Promised(raw["format"]),
            unit=raw["unit"],
            columns=columns,
            max_rows=raw["max_rows"],
            max_sites=raw["max_sites"],
            min_allele_count=raw["min_allele_count"],
            frequencies=raw["frequencies"],
            needs=tuple(raw["needs"]),
            lines=tuple(raw.get("lines", ())),
        )
        for pattern in promise.lines:
            matches(pattern, "")
        for column in columns:
            if column.kind is Kind.KEY and not column.values:
                column.allows("")
    except (KeyError, TypeError, ValueError, PatternRefused) as broken:
        raise PromiseRefused("The request's rule is not a promise that this version knows.") from broken
    if promise.as_json() != dict(raw):
        raise PromiseRefused("The request's rule holds fields that this version does not know.")
    return promise
