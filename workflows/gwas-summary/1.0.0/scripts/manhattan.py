"""Divides the genome into windows of a million bases; windows of fewer than k variants join the one before."""

import csv
from dataclasses import dataclass
from itertools import groupby

WINDOW = 1_000_000


@dataclass
class Window:
    """Variants of neighbouring bases of one chromosome; `strongest` is the highest -log10(p) among them."""

    chrom: int
    megabase: int
    variants: int
    strongest: float


def main(safe: str, out: str, k: int) -> None:
    """Write one row a window, in the order of the genome."""
    with open(safe, newline="") as table:
        rows = [(int(row["chrom"]), int(row["pos"]) // WINDOW, row) for row in csv.DictReader(table, delimiter="\t")]
    windows = []
    for (chrom, megabase), group in groupby(rows, key=lambda one: one[:2]):
        found = [float(row["minus_log10_p"]) for _, _, row in group]
        windows.append(Window(chrom, megabase, len(found), max(found)))
    with open(out, "w") as table:
        table.write("chrom\tmegabase\tvariants\tminus_log10_p\n")
        for one in merged(windows, k):
            table.write(f"{one.chrom}\t{one.megabase}\t{one.variants}\t{one.strongest:.3f}\n")


def merged(windows: "list[Window]", k: int) -> "list[Window]":
    """Return windows of k variants or more: a smaller one joins its neighbour on the same chromosome, or goes."""
    kept: list[Window] = []
    for one in windows:
        last = kept[-1] if kept else None
        if last and last.chrom == one.chrom and min(last.variants, one.variants) < k:
            last.variants += one.variants
            last.strongest = max(last.strongest, one.strongest)
        else:
            kept.append(one)
    return [one for one in kept if one.variants >= k]


main(snakemake.input[0], snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
