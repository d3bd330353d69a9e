"""Counts, for every site and allele of the cohort, how often it was seen among how many called."""

import subprocess


def main(cohort: str, out: str) -> None:
    """Write CHROM, POS, REF, ALT, AC, AN."""
    words = ["bcftools", "query", "-f", "%CHROM\t%POS\t%REF\t%ALT[\t%GT]\n", cohort]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as query, open(out, "w") as table:
        table.write("chrom\tpos\tref\talt\tac\tan\n")
        for line in query.stdout or ():
            chrom, pos, ref, alt, *genotypes = line.rstrip("\n").split("\t")
            alleles = "/".join(genotypes).replace("|", "/").split("/")
            called = [allele for allele in alleles if allele != "."]
            table.write(f"{chrom}\t{pos}\t{ref}\t{alt}\t{called.count('1')}\t{len(called)}\n")
    if query.returncode:
        raise SystemExit("bcftools could not read the cohort's calls.")


main(snakemake.input[0], snakemake.output[0])  # noqa: F821 - Snakemake's own
