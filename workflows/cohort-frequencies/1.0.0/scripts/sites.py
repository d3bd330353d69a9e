"""Writes the sites at which every allele is counted at least k times, as a VCF without people."""

import csv
import re
import sys

HEADER = """##fileformat=VCFv4.2
##INFO=<ID=AC,Number=A,Type=Integer,Description="Alternative alleles counted">
##INFO=<ID=AN,Number=1,Type=Integer,Description="Alleles counted">
##INFO=<ID=AF,Number=A,Type=Float,Description="AC / AN">
"""
PLAIN = re.compile(r"[ACGT]{1,49}")


def main(counts: str, least: str) -> None:
    """Print the VCF; sites with several alternatives are left out, because their counts add up to each other's."""
    with open(counts, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        place = (row["chromosome"], row["position"])
        seen[place] = seen.get(place, 0) + 1
    kept = [row for row in rows if seen[row["chromosome"], row["position"]] == 1 and is_kept(row, int(least))]
    sys.stdout.write(HEADER)
    for chromosome in dict.fromkeys(row["chromosome"] for row in kept):
        sys.stdout.write(f"##contig=<ID={chromosome}>\n")
    sys.stdout.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    for row in kept:
        count, total = int(row["ac"]), int(row["an"])
        info = f"AC={count};AN={total};AF={count / total:.6f}"
        place = (row["chromosome"], row["position"], ".", row["reference"], row["alternative"])
        sys.stdout.write("\t".join((*place, ".", "PASS", info)) + "\n")


def is_kept(row: dict[str, str], least: int) -> bool:
    """Say whether each allele of a site is plain and counted at least `least` times."""
    if not PLAIN.fullmatch(row["reference"]) or not PLAIN.fullmatch(row["alternative"]):
        return False
    count, total = int(row["ac"]), int(row["an"])
    return count >= least and total - count >= least


main(*sys.argv[1:])
