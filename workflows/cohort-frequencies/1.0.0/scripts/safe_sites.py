"""Keeps the sites whose every allele is carried k times or more, as a VCF without people."""

import csv
from collections import defaultdict
from dataclasses import dataclass

# Longer alleles can single out a family by themselves; the airlock does not take them.
LONGEST_ALLELE = 49
HEADER = """##fileformat=VCFv4.2
##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count in genotypes">
##INFO=<ID=AN,Number=1,Type=Integer,Description="Total number of alleles in called genotypes">
##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">
"""


@dataclass(frozen=True)
class Allele:
    """One alternative allele of the cohort."""

    chrom: str
    pos: int
    ref: str
    alt: str
    count: int
    total: int


def main(counts: str, out: str, k: int) -> None:
    """Write the sites that are safe, in the order of the counts."""
    with open(counts, newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    alleles = [
        Allele(row["chrom"], int(row["pos"]), row["ref"], row["alt"], int(row["ac"]), int(row["an"])) for row in rows
    ]
    safe = safe_alleles(alleles, k)
    with open(out, "w") as vcf:
        vcf.write(HEADER)
        vcf.writelines(f"##contig=<ID={chrom}>\n" for chrom in dict.fromkeys(allele.chrom for allele in safe))
        vcf.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for allele in safe:
            info = f"AC={allele.count};AN={allele.total};AF={allele.count / allele.total:.4f}"
            vcf.write(f"{allele.chrom}\t{allele.pos}\t.\t{allele.ref}\t{allele.alt}\t.\t.\t{info}\n")


def safe_alleles(alleles: "list[Allele]", k: int) -> "list[Allele]":
    """Return the alleles to show: no count, and no rest of a count, between them lies below k.

    The alternatives of one place are judged together, hidden ones included: what they leave of AN is the reference's.
    """
    places: defaultdict[tuple[str, int], list[Allele]] = defaultdict(list)
    for allele in alleles:
        places[allele.chrom, allele.pos].append(allele)
    safe = []
    for together in places.values():
        shown = [allele for allele in together if is_safe(allele, k)]
        for group in (together, shown):
            carried = sum(allele.count for allele in group)
            if min((allele.total - carried for allele in group), default=0) < k:
                shown = []
        safe += shown
    return safe


def is_safe(allele: Allele, k: int) -> bool:
    """Return whether k people's worth of alleles stand on both sides."""
    short = max(len(allele.ref), len(allele.alt)) <= LONGEST_ALLELE
    return short and allele.count >= k and allele.total - allele.count >= k


main(snakemake.input[0], snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
