"""Keeps the variants that k alleles or more of cases and of controls carry, and k or more of each lack."""

import csv
from collections import Counter

COLUMNS = (
    "chrom", "pos", "ref", "alt", "cases", "controls", "carried_cases", "carried_controls", "effect", "se",
    "minus_log10_p",
)  # fmt: skip
Count = tuple[int, int]


def main(cases: str, controls: str, tested: str, out: str, k: int) -> None:
    """Write the safe variants in the order of the genome; counts are of alleles, effects for each copy of ALT."""
    of_cases, of_controls = counts(cases), counts(controls)
    with open(tested, newline="") as table, open(out, "w") as safe:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if is_sure(row)]
        places = Counter((row["#CHROM"], row["POS"]) for row in rows)
        safe.write("\t".join(COLUMNS) + "\n")
        for row in rows:
            both = of_cases[row["ID"]], of_controls[row["ID"]]
            # Of two variants at one place, one may be what the other leaves over.
            if places[row["#CHROM"], row["POS"]] > 1 or not all(is_safe(one, k) for one in both):
                continue
            (carried_cases, all_cases), (carried_controls, all_controls) = both
            cells = [row["#CHROM"], row["POS"], row["REF"], row["ALT"], all_cases, all_controls]
            cells += [carried_cases, carried_controls, row["BETA"], row["SE"], row["LOG10_P"]]
            safe.write("\t".join(map(str, cells)) + "\n")


def counts(path: str) -> "dict[str, Count]":
    """Return, by variant, how many alleles are ALT and how many are known."""
    with open(path, newline="") as table:
        return {row["ID"]: (int(row["ALT_CTS"]), int(row["OBS_CT"])) for row in csv.DictReader(table, delimiter="\t")}


def is_safe(count: Count, k: int) -> bool:
    """Return whether k alleles or more stand on both sides, in one group."""
    carried, known = count
    return carried >= k and known - carried >= k


def is_sure(row: "dict[str, str]") -> bool:
    """Return whether plink2 came to a result for what this row tests."""
    return row["TEST"] == "ADD" and row["ERRCODE"] == "." and "NA" not in (row["BETA"], row["SE"], row["LOG10_P"])


main(snakemake.input.cases, snakemake.input.controls, snakemake.input.tested, snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
