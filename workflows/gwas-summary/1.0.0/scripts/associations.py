"""Tells the strongest associations, with the decimals that the contract declares."""

import csv


def main(safe: str, out: str, top: int) -> None:
    """Write at most `top` variants, the strongest ones, in the order of the genome."""
    with open(safe, newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    strongest = sorted(range(len(rows)), key=lambda at: (-float(rows[at]["minus_log10_p"]), at))[:top]
    with open(out, "w") as table:
        table.write(
            "chrom\tpos\tref\talt\tcases\tcontrols\tcarried_cases\tcarried_controls\teffect\tse\tminus_log10_p\n"
        )
        for at in sorted(strongest):
            plain = list(rows[at].values())
            table.write("\t".join(plain[:8] + [f"{float(cell):.3f}" for cell in plain[8:]]) + "\n")


main(snakemake.input[0], snakemake.output[0], snakemake.params.top)  # noqa: F821 - Snakemake's own
