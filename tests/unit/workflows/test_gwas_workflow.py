"""Association on real genotypes: right numbers, and no variant of two people anywhere."""

import math
import subprocess
from pathlib import Path

import pytest
from cohort_scene import GWAS, K, Slots, check_columns_are_needed, check_promise, members, table

from demo import bare, cohorts

# Planted: variants that two of the cases carry, that two lack, and a window of two variants.
FEW_PLACE, REST_PLACE, LONELY = "30000001", "30000002", "90000000"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Slots:
    """Real genotypes, with planted variants at the end."""
    slots = cohorts.genotypes(tmp_path_factory.mktemp("genotypes"))
    cases = [at for at, (_, case) in enumerate(dosages_of_people(slots)) if case]
    number = len(dosages_of_people(slots))
    few = [2 if at in cases[:2] or (at not in cases and at % 3 == 0) else 3 for at in range(number)]
    rest = [3 if at in cases[:1] else 0 if at in cases else 2 for at in range(number)]
    common = [2 if at % 3 == 0 else 3 for at in range(number)]
    planted = ((FEW_PLACE, few), (REST_PLACE, rest), (LONELY, common), (f"{LONELY[:-1]}1", common))
    with slots["genotypes"][0].open("ab") as bed, slots["variants"][0].open("a") as bim:
        for place, codes in planted:
            padded = codes + [0] * (-number % 4)
            bed.write(
                bytes(
                    sum(code << 2 * n for n, code in enumerate(padded[at : at + 4]))
                    for at in range(0, len(padded), 4)
                )
            )
            bim.write(f"22\tplanted{place}\t0\t{place}\tA\tG\n")
    return slots


@pytest.fixture(scope="module")
def association(people: Slots, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results on real and planted variants, ancestry not among the covariates."""
    return bare.run(GWAS, people, tmp_path_factory.mktemp("gwas"), parameters={"components": 0, "top": 5000})


def dosages_of_people(slots: Slots) -> list[tuple[str, bool]]:
    """Return each person in the order of the genotypes, and whether they are a case."""
    said = {row["person"]: row["group"] == "case" for row in table(slots["groups"][0])}
    return [(name, said[name]) for name in (line.split()[1] for line in slots["people"][0].read_text().splitlines())]


def dosages(slots: Slots) -> dict[tuple[str, str], list[int | None]]:
    """Return copies of the first allele (plink's A1) by chromosome and place, read from the bits."""
    width = -(-len(dosages_of_people(slots)) // 4)
    content, found = slots["genotypes"][0].read_bytes()[3:], {}
    for at, line in enumerate(slots["variants"][0].read_text().splitlines()):
        chrom, _, _, pos, *_ = line.split("\t")
        bits = [byte >> shift & 3 for byte in content[at * width : (at + 1) * width] for shift in (0, 2, 4, 6)]
        found[chrom, pos] = [{0: 2, 1: None, 2: 1, 3: 0}[code] for code in bits[: len(dosages_of_people(slots))]]
    return found


def test_alleles_are_counted_as_the_bits_say_and_k_stand_on_every_side(people: Slots, association: Path) -> None:
    seen, cases = dosages(people), [case for _, case in dosages_of_people(people)]
    rows = table(association / "associations.tsv")
    assert len(rows) == 5000
    for row in rows:
        for group, wanted in (("cases", True), ("controls", False)):
            own = [
                d
                for d, case in zip(seen[row["chrom"], row["pos"]], cases, strict=True)
                if case is wanted and d is not None
            ]
            carried, known = int(row[f"carried_{group}"]), int(row[group])
            assert (carried, known) == (sum(own), 2 * len(own))
            assert K <= carried <= known - K


def test_effects_are_those_of_a_logistic_regression_done_here(people: Slots, association: Path) -> None:
    seen, cases = dosages(people), [case for _, case in dosages_of_people(people)]
    for row in table(association / "associations.tsv")[::250]:
        effect, error = logistic(seen[row["chrom"], row["pos"]], cases)
        assert float(row["effect"]) == pytest.approx(effect, abs=0.001)
        assert float(row["se"]) == pytest.approx(error, abs=0.001)
        p = math.erfc(abs(effect / error) / math.sqrt(2))
        assert float(row["minus_log10_p"]) == pytest.approx(-math.log10(p), abs=0.005)


def logistic(copies: list[int | None], cases: list[bool]) -> tuple[float, float]:
    """Return effect and standard error by Newton's method."""
    rows = [(x, float(y)) for x, y in zip(copies, cases, strict=True) if x is not None]
    a = b = 0.0
    for _ in range(25):
        p = [1 / (1 + math.exp(-a - b * x)) for x, _ in rows]
        w = [one * (1 - one) for one in p]
        s0, s1, s2 = sum(w), sum(u * x for u, (x, _) in zip(w, rows, strict=True)), sum(
            u * x * x for u, (x, _) in zip(w, rows, strict=True)
        )  # fmt: skip
        g0 = sum(y - u for u, (_, y) in zip(p, rows, strict=True))
        g1 = sum((y - u) * x for u, (x, y) in zip(p, rows, strict=True))
        det = s0 * s2 - s1 * s1
        a, b = a + (s2 * g0 - s1 * g1) / det, b + (s0 * g1 - s1 * g0) / det
    return b, math.sqrt(s0 / det)


def test_variants_of_two_people_are_in_no_output(people: Slots, association: Path) -> None:
    assert {("22", FEW_PLACE), ("22", REST_PLACE), ("22", LONELY)} <= set(dosages(people))
    told = {row["pos"] for row in table(association / "associations.tsv")}
    assert not told & {FEW_PLACE, REST_PLACE}
    windows = table(association / "manhattan.tsv")
    assert all(int(row["variants"]) >= K for row in windows)
    safe = sum(
        is_safe(copies, [case for _, case in dosages_of_people(people)]) for copies in dosages(people).values()
    )
    variants = int(next(row["count"] for row in table(association / "summary.tsv") if row["metric"] == "variants"))
    assert K < variants <= safe  # plink2's own filters take some more
    # Windows tell of the same variants: the planted ones are in no sum, and the window of two is in its neighbour's.
    assert sum(int(row["variants"]) for row in windows) == variants
    assert sum(int(row["variants"]) for row in table(association / "quantiles.tsv")) == variants
    assert not any(row["chrom"] == "22" and row["megabase"] == "90" for row in windows)


def is_safe(copies: list[int | None], cases: list[bool]) -> bool:
    for wanted in (True, False):
        own = [d for d, case in zip(copies, cases, strict=True) if case is wanted and d is not None]
        if not K <= sum(own) <= 2 * len(own) - K:
            return False
    return True


def test_t7_each_group_lists_its_own_members(people: Slots, tmp_path: Path) -> None:
    """Only whom plink2 counted: one person without genotypes and one without a group are in no list."""
    names = dosages_of_people(people)
    cases = sorted(name for name, case in names[1:] if case)
    controls = sorted(name for name, case in names[1:] if not case)
    groups = tmp_path / "planted.groups.tsv"
    cohorts.write_groups(groups, {**dict(names[1:]), "nobody-here": True})
    made = bare.run(GWAS, {**people, "groups": [groups]}, tmp_path / "run", parameters={"components": 0})
    assert members(GWAS, made) == {"work/cases.txt": cases, "work/controls.txt": controls}
    told = {row["metric"]: row["count"] for row in table(made / "summary.tsv")}
    assert (told["cases"], told["controls"]) == (str(len(cases)), str(len(controls)))


def test_two_cases_are_no_group(people: Slots, tmp_path: Path) -> None:
    few = tmp_path / "few.groups.tsv"
    names = dosages_of_people(people)
    cohorts.write_groups(few, {name: at < 2 for at, (name, _) in enumerate(names)})
    with pytest.raises(subprocess.CalledProcessError):
        bare.run(GWAS, {**people, "groups": [few]}, tmp_path / "run")
    assert not (tmp_path / "run" / "work" / "results").exists()


def test_what_leaves_keeps_its_promise(association: Path, tmp_path: Path) -> None:
    check_promise(GWAS, association, tmp_path)


def test_a_manifest_without_a_promised_column_is_refused() -> None:
    check_columns_are_needed(GWAS)
