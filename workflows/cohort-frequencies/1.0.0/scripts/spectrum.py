"""Bins the released sites by the frequency of their rarer allele; bins of fewer than k sites join a neighbour."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Bin:
    """Sites whose rarer allele's frequency lies above `low` and up to `high`."""

    low: float
    high: float
    sites: int


def main(sites: str, out: str, *, bins: int, k: int) -> None:
    """Write the bins, from rare to common."""
    spectrum = merged(binned(frequencies(sites), bins), k)
    with open(out, "w") as table:
        table.write("frequency_from\tfrequency_to\tsites\n")
        table.writelines(f"{one.low:.3f}\t{one.high:.3f}\t{one.sites}\n" for one in spectrum)


def frequencies(sites: str) -> "list[float]":
    """Return the frequency of the rarer allele of each site."""
    found = []
    with open(sites) as vcf:
        for line in vcf:
            if not line.startswith("#"):
                info = dict(part.split("=") for part in line.rstrip("\n").split("\t")[7].split(";"))
                count, total = int(info["AC"]), int(info["AN"])
                found.append(min(count, total - count) / total)
    return found


def binned(found: "list[float]", bins: int) -> "list[Bin]":
    """Return equal bins from 0 to one half."""
    edges = [round(0.5 * number / bins, 3) for number in range(bins + 1)]
    return [Bin(low, high, sum(low < one <= high for one in found)) for low, high in pairwise(edges)]


def merged(spectrum: "list[Bin]", k: int) -> "list[Bin]":
    """Return the bins from the first with sites on, each of k sites or more: too small a one joins the next."""
    kept: list[Bin] = []
    open_bin = None
    for one in spectrum:
        if open_bin is not None:
            open_bin = Bin(open_bin.low, one.high, open_bin.sites + one.sites)
        elif one.sites:
            open_bin = one
        if open_bin is not None and open_bin.sites >= k:
            kept.append(open_bin)
            open_bin = None
    if open_bin is not None and kept:
        last = kept.pop()
        kept.append(Bin(last.low, open_bin.high, last.sites + open_bin.sites))
    return kept


main(snakemake.input[0], snakemake.output[0], bins=snakemake.params.bins, k=snakemake.params.k)  # noqa: F821 - Snakemake's own
