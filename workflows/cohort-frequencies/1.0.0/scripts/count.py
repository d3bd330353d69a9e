"""Counts alleles and genotypes at every site of a merged VCF."""

import csv
import re
import subprocess
import sys

QUERY = "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n"
COLUMNS = ("chromosome", "position", "reference", "alternative", "ac", "an", "called", "missing", "het", "hom_alt")


def main(calls: str, out: str) -> None:
    """Write one row a site; a site with several alternatives has its counts separated by commas."""
    lines = subprocess.run(
        ["bcftools", "query", "-f", QUERY, calls], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    with open(out, "w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for line in lines:
            chromosome, position, reference, alternative, *genotypes = line.split("\t")
            table.writerow([chromosome, position, reference, alternative, *counted(alternative, genotypes)])


def counted(alternative: str, genotypes: list[str]) -> list[object]:
    """Return AC (a number an alternative), AN, and how many people are called, missing, het and hom-alt."""
    alleles = [[int(a) for a in re.split(r"[/|]", g) if a.isdigit()] for g in genotypes]
    called = [a for a in alleles if a]
    every = [a for person in called for a in person]
    counts = [str(every.count(n)) for n in range(1, len(alternative.split(",")) + 1)]
    het = sum(len(set(person)) > 1 for person in called)
    hom = sum(len(set(person)) == 1 and person[0] > 0 for person in called)
    return [",".join(counts), len(every), len(called), len(genotypes) - len(called), het, hom]


main(*sys.argv[1:])
