"""Says who is a case and who a control, of the people with genotypes; few of either stop the run."""

import csv

GROUPS = ("control", "case")  # plink2 --1: a control is 0, a case 1


def main(fam: str, groups: str, *, pheno: str, cases: "tuple[str, str]", controls: "tuple[str, str]", k: int) -> None:
    """Write each person's group for plink2, and the people of each group twice: for plink2, and by name alone."""
    said = groups_of(groups)
    with open(fam) as table:
        known = [line.split()[:2] for line in table]
    chosen = [(family, person, said[person]) for family, person in known if person in said]
    if any(sum(group == one for _, _, group in chosen) < k for one in GROUPS):
        raise SystemExit("Each group needs as many people with genotypes as the policy's smallest count.")
    with open(pheno, "w") as table:
        table.write("#FID\tIID\tGROUP\n")
        table.writelines(f"{family}\t{person}\t{GROUPS.index(group)}\n" for family, person, group in chosen)
    for (path, listed), wanted in ((cases, "case"), (controls, "control")):
        with open(path, "w") as table:
            table.write("#FID\tIID\n")
            table.writelines(f"{family}\t{person}\n" for family, person, group in chosen if group == wanted)
        with open(listed, "w") as members:
            members.writelines(f"{person}\n" for person in sorted(p for _, p, group in chosen if group == wanted))


def groups_of(path: str) -> "dict[str, str]":
    """Return who belongs where; anybody twice, or anywhere else, stops the run."""
    said: dict[str, str] = {}
    with open(path, newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            if row["person"] in said or row["group"] not in GROUPS:
                raise SystemExit("The table of groups has one line a person: person, and group: case or control.")
            said[row["person"]] = row["group"]
    return said


main(
    snakemake.input.fam,  # noqa: F821 - Snakemake's own
    snakemake.input.groups,  # noqa: F821
    pheno=snakemake.output.pheno,  # noqa: F821
    cases=(snakemake.output.cases, snakemake.output.listed_cases),  # noqa: F821
    controls=(snakemake.output.controls, snakemake.output.listed_controls),  # noqa: F821
    k=snakemake.params.k,  # noqa: F821
)
