"""What a file tells of the genome is sketched alike from every format, and counted well."""

from pathlib import Path

import pytest

from airlock.checks.inspection import inspect
from airlock.checks.sites import MOST, NONE, Sketch, sketch_of
from airlock.checks.subject import Picture, Site, Sites, Table
from airlock.contract import parse_contract
from airlock.policy import FLOOR


def table(header: str, *rows: str) -> Table:
    return Table(tuple(header.split()), tuple(tuple(row.split()) for row in rows), "\t", "utf-8")


def sites(*places: tuple[str, int]) -> Sites:
    one = tuple(Site(chrom, pos, ".", "A", ("C",), "PASS", (9,), 90, None, ()) for chrom, pos in places)
    return Sites((), (), one)


@pytest.mark.parametrize(
    "same",
    [
        table("CHROM POS REF ALT AF", "1 100 A C 0.1", "1 200 G T 0.2", "X 5 G T 0.2"),
        table("chromosome base_pair_location effect_allele beta", "chr1 100 C 0.1", "chr1 200 T 0.2", "chrX 5 T 0.2"),
        table("variant_id n af", "1:100:A:C 50 0.1", "chr1_200_G_T 50 0.2", "x-5-G-T 50 0.2"),
        table("POS A1 CHR", "100 C 1", "200 T 1", "5 T X", "5 G x"),
    ],
)
def test_tables_and_vcfs_of_the_same_places_have_one_sketch(same: Table) -> None:
    assert sketch_of(same) == sketch_of(sites(("1", 100), ("chr1", 200), ("chrX", 5), ("X", 5)))


def test_what_is_not_of_variants_has_none() -> None:
    assert sketch_of(table("band n", "18-39 50")) is None
    assert sketch_of(table("gene allele n", "BRCA1 A 50")) is None
    assert sketch_of(Picture(b"", 1, 1, (), 0)) is None


@pytest.mark.parametrize("count", [0, 1, MOST - 1, MOST, 5_000, 200_000])
def test_places_are_counted_to_a_few_percent_and_few_exactly(count: int) -> None:
    found = sketch_of(sites(*(("1", pos) for pos in range(1, count + 1))))
    assert found is not None
    assert found.places == count if count < MOST else abs(found.places - count) < 0.1 * count


def test_two_sketches_come_together_as_one_of_all_places() -> None:
    def of(first: int, last: int) -> Sketch:
        found = sketch_of(sites(*(("1", pos) for pos in range(first, last))))
        assert found is not None
        return found

    assert of(0, 9_000) | of(5_000, 12_000) == of(0, 12_000)
    assert of(0, 9_000) | NONE == of(0, 9_000)


def test_a_clean_copy_is_told_with_its_places_and_nothing_else_is(tmp_path: Path) -> None:
    path = tmp_path / "af.tsv"
    path.write_text("snp\tn\nrs1\t50\nrs2\t60\n")
    rule = parse_contract(
        [{"match": "af.tsv", "format": "tsv", "release": "airlock", "rule": "r", "keys": {"snp": ["rs1", "rs2"]},
          "counts": ["n"], "max_rows": 10}]
    ).rule_for("af.tsv")  # fmt: skip
    assert rule is not None
    told = inspect(path, rule.promise, FLOOR, name="af.tsv", must_be_clean=True)
    assert told.sites is not None
    assert (told.sites.places, len(told.as_json()["sites"])) == (2, 2)
    assert inspect(path, rule.promise, FLOOR, name="af.tsv").sites is None
