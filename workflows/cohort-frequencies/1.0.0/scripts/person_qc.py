"""Counts what one person's calls hold, before and after unsure genotypes are masked."""

import subprocess
from collections import Counter

TRANSITIONS = {"AG", "GA", "CT", "TC"}


def main(split: str, masked: str, out: str) -> None:
    """Write metric and count, one a line."""
    counts: Counter[str] = Counter()
    for (ref, alt, before), (_, _, after) in zip(records(split), records(masked), strict=True):
        counts["genotypes"] += 1
        if "." in before:
            counts["missing"] += 1
        elif "." in after:
            counts["masked"] += 1
        else:
            counts["called"] += 1
            count_called(counts, ref, alt, alternatives=sum(allele != "0" for allele in after))
    with open(out, "w") as table:
        table.writelines(f"{metric}\t{count}\n" for metric, count in sorted(counts.items()))


def count_called(counts: "Counter[str]", ref: str, alt: str, *, alternatives: int) -> None:
    """Count one sure genotype by zygosity, and its variant by kind."""
    counts[("reference", "heterozygous", "homozygous_alternative")[alternatives]] += 1
    if alternatives and len(ref) == len(alt) == 1:
        counts["transitions" if ref + alt in TRANSITIONS else "transversions"] += 1
    elif alternatives:
        counts["insertions_deletions"] += 1


def records(path: str) -> "list[tuple[str, str, list[str]]]":
    """Return REF, ALT and the alleles of the one person, record by record."""
    words = ["bcftools", "query", "-f", "%REF\t%ALT[\t%GT]\n", path]
    lines = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    cells = [line.split("\t") for line in lines]
    return [(ref, alt, genotype.replace("|", "/").split("/")) for ref, alt, genotype in cells]


main(snakemake.input.split, snakemake.input.masked, snakemake.output[0])  # noqa: F821 - Snakemake's own
