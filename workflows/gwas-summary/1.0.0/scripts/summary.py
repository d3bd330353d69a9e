"""Counts people of each group and variants, and says how far all results are inflated."""

import csv
from statistics import NormalDist, median

# The median of chi-squared with one degree of freedom: what chance alone would give.
BY_CHANCE = 0.454936


def main(safe: str, cases: str, controls: str, out: str, k: int) -> None:
    """Write one row a metric."""
    with open(safe, newline="") as table:
        found = [float(row["minus_log10_p"]) for row in csv.DictReader(table, delimiter="\t")]
    rows = [("cases", f"{people(cases)}", "NA"), ("controls", f"{people(controls)}", "NA")]
    if len(found) >= k:
        rows += [("variants", f"{len(found)}", "NA"), ("inflation", "NA", f"{inflation(found):.3f}")]
    with open(out, "w") as table:
        table.write("metric\tcount\tvalue\n")
        table.writelines("\t".join(row) + "\n" for row in rows)


def people(path: str) -> int:
    """Return how many are on a list."""
    with open(path) as table:
        return sum(not line.startswith("#") for line in table)


def inflation(found: "list[float]") -> float:
    """Return the genomic control factor: the median chi-squared over that of chance."""
    middle = 10 ** -median(found)
    return float(NormalDist().inv_cdf(middle / 2) ** 2 / BY_CHANCE)


main(
    snakemake.input.safe,  # noqa: F821 - Snakemake's own
    snakemake.input.cases,  # noqa: F821
    snakemake.input.controls,  # noqa: F821
    snakemake.output[0],  # noqa: F821
    snakemake.params.k,  # noqa: F821
)
