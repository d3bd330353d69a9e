"""Joins tables of persons, and says all in words of the closed vocabulary; anything else is unknown."""

import csv
import math
from collections import Counter
from pathlib import Path

WORDS = {
    "sex": ("female", "male"),
    "menopause": ("pre", "post"),
    "grade": ("I", "II", "III"),
    "hormone_therapy": ("no", "yes"),
    "recurrence": ("no", "yes"),
}
# Each number up to the one beside a word, the last without end.
BANDS = {
    "age": ((39, "under 40"), (49, "40 to 49"), (59, "50 to 59"), (69, "60 to 69"), (math.inf, "70 and over")),
    "size_mm": ((20, "up to 20"), (50, "21 to 50"), (math.inf, "over 50")),
    "nodes": ((0, "none"), (3, "1 to 3"), (9, "4 to 9"), (math.inf, "10 and over")),
}
MEASURES = ("age", "size_mm", "nodes", "days")
UNKNOWN = "unknown"


def main(tables: "list[str]", out: str, lists: str, *, by: str, k: int) -> None:
    """Write group, variables as words, then measures as numbers, without names and in an order of its own.

    Who is in it stands in lists of their own.
    """
    people: dict[str, dict[str, str]] = {}
    columns: set[str] = set()
    for path in tables:
        columns |= add(people, path)
    words = [name for name in (*WORDS, *BANDS) if name in columns and name != by]
    measures = [name for name in MEASURES if name in columns]
    rows = {
        name: [word(by, person) if by != "none" else "all", *(word(one, person) for one in words)]
        + ["" if (value := number(person.get(one, ""))) is None else f"{value:g}" for one in measures]
        for name, person in people.items()
    }
    groups = Counter(row[0] for row in rows.values())
    rows = {name: row for name, row in rows.items() if groups[row[0]] >= k}
    with open(out, "w") as table:
        table.write("\t".join(["group", *words, *(f"number:{name}" for name in measures)]) + "\n")
        table.writelines("\t".join(row) + "\n" for row in sorted(rows.values()))
    list_members(Path(lists), {name: row[0] for name, row in rows.items()}, grouped=by != "none")


def list_members(folder: Path, groups: "dict[str, str]", *, grouped: bool) -> None:
    """Write who is in all of the results, and who in each group that has figures, one person a line.

    Groups are numbered in the order of their first persons: a file's name tells nothing of what a group is.
    """
    parts: dict[str, list[str]] = {}
    for person, group in sorted(groups.items()):
        parts.setdefault(group, []).append(person)
    own = {str(number): part for number, part in enumerate(parts.values(), start=1)} if grouped else {}
    folder.mkdir(exist_ok=True)
    for name, people in {"all": sorted(groups), **own}.items():
        (folder / f"{name}.txt").write_text("".join(person + "\n" for person in people))


def add(people: "dict[str, dict[str, str]]", path: str) -> "set[str]":
    """Add what one table says of each person; return its columns."""
    with open(path, newline="") as table:
        reader = csv.DictReader(table, delimiter="\t")
        columns = set(reader.fieldnames or ())
        if "person" not in columns:
            raise SystemExit("Each table has a column person, which is the same in all of them.")
        seen = set()
        for row in reader:
            if row["person"] in seen:
                raise SystemExit("Each table has one line a person.")
            seen.add(row["person"])
            own = people.setdefault(row["person"], {})
            if set(own) & (columns - {"person"}):
                raise SystemExit("No two tables have a column in common, but for person.")
            own.update({name: cell or "" for name, cell in row.items() if name != "person"})
    return columns


def word(variable: str, person: "dict[str, str]") -> str:
    """Return one person's word for a variable."""
    cell = person.get(variable, "").strip()
    if variable in WORDS:
        return cell if cell in WORDS[variable] else UNKNOWN
    value = number(cell)
    if value is None or value < 0:
        return UNKNOWN
    return next(said for most, said in BANDS[variable] if math.floor(value) <= most)


def number(cell: str) -> "float | None":
    """Return the number in a cell, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


main(list(snakemake.input), *snakemake.output, by=snakemake.params.by, k=snakemake.params.k)  # noqa: F821 - Snakemake's own
