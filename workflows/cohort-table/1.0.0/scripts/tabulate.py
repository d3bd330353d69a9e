"""Counts people by variable, level and group; small counts are left out, with what would give them away."""

import csv
from collections import Counter

ALL = "all"
ROUND = 5
Cell = tuple[str, str]  # a level and a group
Counts = dict[Cell, int]


def main(cohort: str, out: str, k: int) -> None:
    """Write one row for each variable, level and group, rounded to 5; NA is what may not be told."""
    with open(cohort, newline="") as table:
        people = list(csv.DictReader(table, delimiter="\t"))
    sizes = Counter(person["group"] for person in people)
    groups = sorted(group for group in sizes if group != ALL)
    variables = [name for name in (people[0] if people else ()) if name != "group" and not name.startswith("number:")]
    with open(out, "w") as table:
        table.write("variable\tlevel\tgroup\tpeople\n")
        if people:
            # Each group has k people or more, or was left out: these totals are always told.
            totals = {ALL: len(people), **{group: sizes[group] for group in groups}}
            table.writelines(f"{ALL}\t{ALL}\t{group}\t{rounded(n, k)}\n" for group, n in totals.items())
        for variable in variables:
            counts = counted(people, variable, groups)
            hidden = hide(counts, k)
            for (level, group), people_in in counts.items():
                shown = "NA" if (level, group) in hidden else str(rounded(people_in, k))
                table.write(f"{variable}\t{level}\t{group}\t{shown}\n")


def counted(people: "list[dict[str, str]]", variable: str, groups: "list[str]") -> Counts:
    """Return how many are in each level of each group, and in all groups."""
    found = Counter((person[variable], person["group"]) for person in people)
    levels = sorted({level for level, _ in found})
    counts = {(level, group): found[level, group] for level in levels for group in groups}
    counts |= {(level, ALL): sum(n for (one, _), n in found.items() if one == level) for level in levels}
    return dict(sorted(counts.items()))


def hide(counts: Counts, k: int) -> "set[Cell]":
    """Return the cells to hide: small ones, then more until no sum of a line and no chain of sums tells them."""
    hidden = {cell for cell, n in counts.items() if 0 < n < k}
    while telling := [spare for line in lines(counts) if (spare := wanted(line, hidden, counts, k)) is not None]:
        spare = next((cells for cells in telling if cells), None)
        if spare is None:
            return set(counts)  # all is hidden of what tells: then nothing of this variable is told
        hidden.add(min(spare, key=lambda cell: (counts[cell] == 0, counts[cell], cell)))
    return hidden


def lines(counts: Counts) -> "list[list[Cell]]":
    """Return each level over all groups and each group over all levels: sums that anybody can do."""
    levels, groups = sorted({level for level, _ in counts}), sorted({group for _, group in counts})
    found = [[(level, group) for level in levels] for group in groups]
    return found + ([[(level, group) for group in groups] for level in levels] if len(groups) > 1 else [])


def wanted(line: "list[Cell]", hidden: "set[Cell]", counts: Counts, k: int) -> "list[Cell] | None":
    """Return the cells of a line of which one more must be hidden, or None when the line tells nothing."""
    own = [cell for cell in line if cell in hidden]
    if not own:
        return None
    over_groups = len({group for _, group in line}) > 1
    total_is_hidden = over_groups and any(group == ALL for _, group in own)
    few = not total_is_hidden and sum(counts[cell] for cell in own) < k
    if len(own) > 1 and not few and not any(is_alone(cell, hidden) for cell in own):
        return None
    return [cell for cell in line if cell not in hidden]


def is_alone(cell: Cell, hidden: "set[Cell]") -> bool:
    """Return whether no other chain of hidden cells joins this level and this group: then sums give the cell away."""
    level, group = cell
    if len({one for _, one in hidden}) == 1:
        return False  # a single line, which has at least two
    reached, waiting = {("level", level)}, [("level", level)]
    while waiting:
        kind, name = waiting.pop()
        for one in hidden - {cell}:
            pair = ("level", one[0]), ("group", one[1])
            here, there = pair if kind == "level" else (pair[1], pair[0])
            if here == (kind, name) and there not in reached:
                reached.add(there)
                waiting.append(there)
    return ("group", group) not in reached


def rounded(people: int, k: int) -> int:
    """Return a count to the nearest 5, but never one below the policy's smallest."""
    nearest = ROUND * ((people + ROUND // 2) // ROUND)
    return max(nearest, ROUND * -(-k // ROUND)) if people else 0


main(snakemake.input[0], snakemake.output[0], snakemake.params.k)  # noqa: F821 - Snakemake's own
