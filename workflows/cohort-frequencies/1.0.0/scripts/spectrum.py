"""Bins sites by minor allele frequency; neighbouring bins are joined until each holds at least k sites."""

import gzip
import sys


def main(sites: str, bins: str, least: str) -> None:
    """Print the bins and how many sites each holds."""
    with gzip.open(sites, "rt") as file:
        frequencies = [minor(line) for line in file if not line.startswith("#")]
    print("minor_allele_frequency\tsites")
    for low, high, count in joined(counted(frequencies, int(bins)), int(least)):
        print(f"{low:.3f}-{high:.3f}\t{count}")


def minor(line: str) -> float:
    """Return the frequency of the rarer allele of a site."""
    info = dict(field.split("=") for field in line.rstrip("\n").split("\t")[7].split(";"))
    frequency = int(info["AC"]) / int(info["AN"])
    return min(frequency, 1 - frequency)


def counted(frequencies: list[float], bins: int) -> list[tuple[float, float, int]]:
    """Return equal bins from 0 to 0.5 with their counts."""
    width = 0.5 / bins
    counts = [0] * bins
    for frequency in frequencies:
        counts[min(int(frequency / width), bins - 1)] += 1
    return [(n * width, (n + 1) * width, count) for n, count in enumerate(counts)]


def joined(rows: list[tuple[float, float, int]], least: int) -> list[tuple[float, float, int]]:
    """Return the bins with small ones joined to the next, and a small last one to the one before it."""
    kept: list[tuple[float, float, int]] = []
    low, count = 0.0, 0
    for _, high, more in rows:
        count += more
        if count >= least:
            kept.append((low, high, count))
            low, count = high, 0
    if low < 0.5 and kept:
        last_low, _, last = kept.pop()
        kept.append((last_low, 0.5, last + count))
    return kept


main(*sys.argv[1:])
