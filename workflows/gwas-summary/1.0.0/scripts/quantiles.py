"""Compares what was found with what chance alone would give, quantile by quantile."""

import csv
import math

GROWTH = 0.06


def main(safe: str, out: str, k: int) -> None:
    """Write -log10(p) as expected and as found, in groups of k variants or more, the strongest last."""
    with open(safe, newline="") as table:
        found = sorted((float(row["minus_log10_p"]) for row in csv.DictReader(table, delimiter="\t")), reverse=True)
    expected = [-math.log10((at + 0.5) / len(found)) for at in range(len(found))]
    with open(out, "w") as table:
        table.write("expected\tobserved\tvariants\n")
        for first, last in reversed(parts(len(found), k)):
            size = last - first
            means = sum(expected[first:last]) / size, sum(found[first:last]) / size
            table.write(f"{means[0]:.3f}\t{means[1]:.3f}\t{size}\n")


def parts(total: int, k: int) -> "list[tuple[int, int]]":
    """Return where each group begins and ends: small ones for the strongest, larger and larger ones after them."""
    found: list[tuple[int, int]] = []
    first = 0
    while total - first >= k:
        last = first + max(k, math.ceil(first * GROWTH))
        found.append((first, last if total - last >= k else total))
        first = found[-1][1]
    return found


main(snakemake.input[0], snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
