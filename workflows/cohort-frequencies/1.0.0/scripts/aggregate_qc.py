"""Sums the quality figures of all people; a figure that few people make up is left out."""

from collections import defaultdict

ORDER = (
    "genotypes",
    "called",
    "missing",
    "masked",
    "reference",
    "heterozygous",
    "homozygous_alternative",
    "transitions",
    "transversions",
    "insertions_deletions",
)
# Two people must not make up more of a total than this (the n,k rule with n = 2).
MOST_OF_TWO = 0.9


def main(people: "list[str]", out: str, k: int) -> None:
    """Write one row a metric: people of the cohort, total, mean."""
    figures: defaultdict[str, list[int]] = defaultdict(list)
    for path in people:
        with open(path) as table:
            own = dict(line.split() for line in table)
        for metric in ORDER:
            figures[metric].append(int(own.get(metric, 0)))
    with open(out, "w") as table:
        table.write("metric\tpeople\ttotal\tmean\n")
        for metric in ORDER:
            if may_be_told(figures[metric], k):
                total = sum(figures[metric])
                table.write(f"{metric}\t{len(people)}\t{total}\t{total / len(people):.2f}\n")


def may_be_told(figures: "list[int]", k: int) -> bool:
    """Return whether the total hides every person: enough of them, none or two of whom dominate."""
    total = sum(figures)
    return len(figures) >= k and total >= k and sum(sorted(figures)[-2:]) <= MOST_OF_TWO * total


main(snakemake.input, snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
