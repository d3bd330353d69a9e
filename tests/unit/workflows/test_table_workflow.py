"""Clinical tables of real women: right numbers, and no group of two anywhere, totals included."""

import hashlib
import runpy
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from cohort_scene import TABLE, K, Slots, check_columns_are_needed, check_promise, manifest, members, table

from airlock.combinations import NAME, examine
from demo import bare, cohorts


@pytest.fixture(scope="module")
def women(tmp_path_factory: pytest.TempPathFactory) -> Slots:
    return cohorts.clinical(tmp_path_factory.mktemp("clinical"))


@pytest.fixture(scope="module")
def by_grade(women: Slots, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare.run(TABLE, women, tmp_path_factory.mktemp("table"), parameters={"by": "grade"})


def test_people_are_counted_to_the_nearest_five(women: Slots, by_grade: Path) -> None:
    who, tumour = (table(next(p for p in women["tables"] if p.stem == name)) for name in ("who", "tumour"))
    grades = {row["person"]: row["grade"] for row in tumour}
    counts = Counter((row["menopause"], grades[row["person"]]) for row in who)
    told = {
        (row["level"], row["group"]): row["people"]
        for row in table(by_grade / "table.tsv")
        if row["variable"] == "menopause" and row["group"] != "all"
    }
    assert told == {cell: str(5 * round(n / 5)) for cell, n in counts.items()}
    ages = [float(row["age"]) for row in who]
    mean = next(row for row in table(by_grade / "measures.tsv") if (row["measure"], row["group"]) == ("age", "all"))
    assert mean["people"] == "685"
    assert float(mean["mean"]) == pytest.approx(sum(ages) / len(ages), abs=0.051)


def test_a_group_of_two_goes_with_its_people(women: Slots, by_grade: Path, tmp_path: Path) -> None:
    """Two women more, without a grade: not one byte of any output tells of them, totals included."""
    planted = bare.run(
        TABLE, with_two_more(women, tmp_path / "planted", grade="9"), tmp_path / "run", parameters={"by": "grade"}
    )
    for name in ("table.tsv", "measures.tsv"):
        assert (planted / name).read_bytes() == (by_grade / name).read_bytes()
    assert members(TABLE, planted) == members(TABLE, by_grade)


def test_a_level_of_two_is_hidden_and_so_is_what_tells_it(women: Slots, tmp_path: Path) -> None:
    made = bare.run(TABLE, with_two_more(women, tmp_path / "planted", grade="9"), tmp_path / "run")
    rows = {(row["variable"], row["level"]): row["people"] for row in table(made / "table.tsv")}
    assert rows["grade", "unknown"] == "NA"
    hidden = [level for (variable, level), people in rows.items() if variable == "grade" and people == "NA"]
    assert sorted(hidden) == ["I", "unknown"]  # the smallest other level, or 688 less the rest would tell
    assert rows["all", "all"] == "690"


def test_t7_each_group_with_figures_has_a_list_and_so_have_all(women: Slots, by_grade: Path, tmp_path: Path) -> None:
    graded = table(next(path for path in women["tables"] if path.stem == "tumour"))
    grades = {grade: {row["person"] for row in graded if row["grade"] == grade} for grade in ("I", "II", "III")}
    lists = members(TABLE, by_grade)
    assert list(lists) == ["members/1.txt", "members/2.txt", "members/3.txt", "members/all.txt"]
    assert sorted(lists.pop("members/all.txt")) == sorted(row["person"] for row in graded)
    assert sorted(map(sorted, lists.values())) == sorted(map(sorted, grades.values()))
    # The sizes of the lists are those that the table tells, and no list is of a group that it does not tell.
    told = [
        row["people"] for row in table(by_grade / "table.tsv") if row["variable"] == "all" and row["group"] != "all"
    ]
    assert sorted(told) == sorted(str(5 * round(len(part) / 5)) for part in lists.values())
    ungrouped = members(TABLE, bare.run(TABLE, women, tmp_path))
    assert {path: len(part) for path, part in ungrouped.items()} == {"members/all.txt": 686}


def test_a_lists_name_does_not_tell_what_its_group_is(tmp_path: Path) -> None:
    """The same persons in the same parts: whatever the parts are called, the files are the same."""
    lists = join(tmp_path)["list_members"]
    parts = {"ada": 0, "bo": 1, "cy": 0, "di": 2, "ed": 1}
    made = []
    for names in (("I", "II", "III"), ("III", "I", "II"), ("II", "unknown", "I")):
        folder = tmp_path / names[0]
        lists(folder, {person: names[part] for person, part in parts.items()}, grouped=True)
        made.append({path.name: path.read_text() for path in folder.iterdir()})
    assert made[0] == {
        "1.txt": "ada\ncy\n",
        "2.txt": "bo\ned\n",
        "3.txt": "di\n",
        "all.txt": "ada\nbo\ncy\ndi\ned\n",
    }
    assert made[1:] == made[:1] * 2


def test_t7_real_groupings_stand_beside_each_other_and_one_woman_who_changes_her_group_does_not(
    women: Slots, tmp_path: Path
) -> None:
    earlier: list[bytes] = []
    for by in ("none", "grade", "menopause", "hormone_therapy", "recurrence"):
        for part in joined(women, tmp_path / by, by=by).values():
            if part not in earlier:
                assert not examine(part, earlier, least=K).combination, by
                earlier.append(part)
    people: dict[str, dict[str, str]] = {}
    for path in women["tables"]:
        for row in table(path):
            people.setdefault(row["person"], {}).update(row)
    one = next(person for person in people.values() if person["grade"] == "II")
    one["grade"] = "III"
    moved = {"tables": cohorts.write_tables(tmp_path / "moved", list(people.values()))}
    lists = joined(moved, tmp_path / "lists", by="grade")
    assert lists.pop("all.txt") in earlier  # nobody would see it by the whole
    found = [examine(part, earlier, least=K).support for part in lists.values() if part not in earlier]
    assert found == [1, 1]


def test_a_group_of_few_is_in_no_list(tmp_path: Path) -> None:
    """Its figures are told nowhere, nor can they be had from the whole, which is without it."""
    sexes = ["female"] * K + ["male"] * (K - 1)
    rows = [f"person-{number}\t{sex}\n" for number, sex in enumerate(sexes)]
    (tmp_path / "few.tsv").write_text("person\tsex\n" + "".join(rows))
    lists = joined({"tables": [tmp_path / "few.tsv"]}, tmp_path / "lists", by="sex")
    assert {name: len(part) // NAME for name, part in lists.items()} == {"1.txt": K, "all.txt": K}


def joined(slots: Slots, folder: Path, *, by: str) -> dict[str, bytes]:
    """Return the cohorts of a run as the airlock keeps them, sorted names of eight bytes, by the list's name."""
    join(folder, slots["tables"], by=by)
    lists = {path.name: path.read_text().splitlines() for path in sorted((folder / "members").iterdir())}
    names = {name: [hashlib.sha256(person.encode()).digest()[:NAME] for person in own] for name, own in lists.items()}
    return {name: b"".join(sorted(own)) for name, own in names.items()}


def with_two_more(women: Slots, folder: Path, *, grade: str) -> Slots:
    """Return the tables with two women more, alike but for their grade."""
    people: dict[str, dict[str, str]] = {}
    for path in women["tables"]:
        for row in table(path):
            people.setdefault(row["person"], {}).update(row)
    first = next(iter(people.values()))
    more = [{**first, "person": f"planted-{n}", "grade": grade} for n in (1, 2)]
    return {"tables": cohorts.write_tables(folder, [*people.values(), *more])}


def test_no_sum_over_shown_cells_tells_a_hidden_one(tmp_path: Path) -> None:
    """Many small tables: an attacker who has all shown numbers unrounded solves for what is hidden, and cannot."""
    hide = tabulate(tmp_path)["hide"]
    random, hiding = Random(5), 0
    for _ in range(300):
        levels, groups = random.randint(2, 5), random.randint(2, 4)
        counts = {
            (f"l{x}", f"g{y}"): random.choice((0, 1, 2, 4, 7, 9, 30)) for x in range(levels) for y in range(groups)
        }
        counts |= {(f"l{x}", "all"): sum(counts[f"l{x}", f"g{y}"] for y in range(groups)) for x in range(levels)}
        small = {cell for cell, n in counts.items() if 0 < n < K}
        hidden = hide(dict(sorted(counts.items())), K)
        assert small <= hidden
        hiding += 0 < len(hidden) < len(counts)
        cells = sorted(hidden)
        columns = [group for group in sorted({group for _, group in counts})]
        sums = [[int(cell[1] == group) for cell in cells] for group in columns]
        sums += [[(cell[0] == f"l{x}") * (-1 if cell[1] == "all" else 1) for cell in cells] for x in range(levels)]
        if hidden != set(counts):
            for at in range(len(cells)):
                asked = [int(at == place) for place in range(len(cells))]
                assert rank([*sums, asked]) == rank(sums) + 1, (counts, cells[at])
    assert hiding > 100


def join(folder: Path, tables: Sequence[Path] = (), *, by: str = "none") -> dict[str, Any]:
    """Run the script that joins tables, for what it writes and for its functions."""
    folder.mkdir(exist_ok=True)
    job = SimpleNamespace(
        input=[str(path) for path in tables],
        output=[str(folder / "cohort.tsv"), str(folder / "members")],
        params=SimpleNamespace(by=by, k=K),
    )
    return runpy.run_path(str(TABLE / "scripts" / "join.py"), {"snakemake": job})


def tabulate(folder: Path) -> dict[str, Any]:
    """Run the script on an empty cohort, for its functions."""
    (folder / "none.tsv").write_text("group\n")
    job = SimpleNamespace(
        input=[str(folder / "none.tsv")], output=[str(folder / "out.tsv")], params=SimpleNamespace(k=K)
    )
    return runpy.run_path(str(TABLE / "scripts" / "tabulate.py"), {"snakemake": job})


def rank(rows: list[list[int]]) -> int:
    """Return the rank of a matrix, exactly."""
    left = [[Fraction(cell) for cell in row] for row in rows]
    found = 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((row for row in left[found:] if row[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left.insert(found, pivot)
        found += 1
        for row in left[found:]:
            factor = row[column] / pivot[column]
            row[:] = [one - factor * two for one, two in zip(row, pivot, strict=True)]
    return found


def test_the_vocabulary_of_the_table_is_that_of_its_script() -> None:
    text = (TABLE / "scripts" / "join.py").read_text().rpartition("\nmain(")[0]
    said: dict[str, Any] = {}
    exec(compile(text, "join.py", "exec"), said)
    levels = {word for words in said["WORDS"].values() for word in words}
    levels |= {word for bands in said["BANDS"].values() for _, word in bands} | {said["UNKNOWN"], "all"}
    promise = manifest(TABLE).contract.rules[0].promise
    assert promise is not None
    assert set(promise.columns[1].values) == levels
    assert set(promise.columns[0].values) == {"all", *said["WORDS"], *said["BANDS"]}


def test_what_leaves_keeps_its_promise(by_grade: Path, tmp_path: Path) -> None:
    check_promise(TABLE, by_grade, tmp_path)


def test_a_manifest_without_a_promised_column_is_refused() -> None:
    check_columns_are_needed(TABLE)
