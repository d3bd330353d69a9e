"""Means and deviations of measures by group; what few people make up, or two nearly alone, is left out."""

import csv
import math
from collections import defaultdict

ALL = "all"
ROUND = 5
# Two people must not make up more of a sum than this (the n,k rule with n = 2).
MOST_OF_TWO = 0.9


def main(cohort: str, out: str, k: int) -> None:
    """Write one row for each measure and group: people rounded to 5, mean, standard deviation."""
    with open(cohort, newline="") as table:
        people = list(csv.DictReader(table, delimiter="\t"))
    measures = [name for name in (people[0] if people else ()) if name.startswith("number:")]
    with open(out, "w") as table:
        table.write("measure\tgroup\tpeople\tmean\tsd\n")
        for measure in measures:
            groups: defaultdict[str, list[float]] = defaultdict(list)
            for person in people:
                if person[measure]:
                    for group in {ALL, person["group"]}:
                        groups[group].append(float(person[measure]))
            # One group that may not be told is what the others leave of all: then all stands alone.
            told = groups if all(may_be_told(own, k) for own in groups.values()) else {ALL: groups[ALL]}
            for group, own in sorted(told.items()):
                if may_be_told(own, k):
                    mean = sum(own) / len(own)
                    deviation = math.sqrt(sum((one - mean) ** 2 for one in own) / (len(own) - 1))
                    row = measure.removeprefix("number:"), group, str(rounded(len(own), k))
                    table.write("\t".join(row) + f"\t{mean:.1f}\t{deviation:.1f}\n")


def may_be_told(own: "list[float]", k: int) -> bool:
    """Return whether the numbers hide every person: k or more of them, none or two of whom dominate."""
    sizes = sorted(abs(one) for one in own)
    return len(own) >= max(k, 2) and sum(sizes[-2:]) <= MOST_OF_TWO * sum(sizes)


def rounded(people: int, k: int) -> int:
    """Return a count to the nearest 5, but never one below the policy's smallest."""
    return max(ROUND * ((people + ROUND // 2) // ROUND), ROUND * -(-k // ROUND))


main(snakemake.input[0], snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
