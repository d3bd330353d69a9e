"""Sums quality over all people and sites; a sum below k is left out."""

import csv
import gzip
import sys
from pathlib import Path


def main(counts: str, sites: str, least: str, *checked: str) -> None:
    """Print metric and value, one row each."""
    with open(counts, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with gzip.open(sites, "rt") as file:
        released = sum(not line.startswith("#") for line in file)
    values = {
        "people": sum(has_calls(Path(path).read_text()) for path in checked),
        "sites_seen": len(rows),
        "sites_released": released,
        "genotypes_called": total(rows, "called"),
        "genotypes_missing": total(rows, "missing"),
        "genotypes_heterozygous": total(rows, "het"),
        "genotypes_homozygous_alternative": total(rows, "hom_alt"),
    }
    print("metric\tvalue")
    for metric, value in values.items():
        if value == 0 or value >= int(least):
            print(f"{metric}\t{value}")


def total(rows: list[dict[str, str]], column: str) -> int:
    """Return the sum of a column."""
    return sum(int(row[column]) for row in rows)


def has_calls(statistics: str) -> bool:
    """Say whether `bcftools stats` found records of this person."""
    fields = (line.split("\t") for line in statistics.splitlines() if line.startswith("SN\t"))
    return any(field[2].startswith("number of records") and int(field[3]) > 0 for field in fields)


main(*sys.argv[1:])
