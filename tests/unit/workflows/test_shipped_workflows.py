"""The shipped workflows, run by bare Snakemake on real data: right numbers, nothing below k, the same bytes again."""

import gzip
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml
from cohort_scene import members

from airlock.checks.inspection import inspect, repack
from airlock.contract import Contract, Release
from airlock.policy import FLOOR
from demo import bare
from strongroom.settings import SOURCE, load
from wes.manifest import parse_manifest

COHORT = SOURCE / "workflows" / "cohort-frequencies" / "1.0.0"
CALLING = SOURCE / "workflows" / "variant-calling" / "1.0.0"
K = 5
RELEASED = ["results/quality.tsv", "results/sites.vcf.gz", "results/spectrum.png", "results/spectrum.tsv"]
Sources = tuple[list[Path], list[Path]]
Allele = tuple[str, int, str]


@pytest.fixture(scope="module")
def cohort(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the cohort's workflow ran on 22 people's calls."""
    return bare.run(COHORT, {"calls": sources[0]}, tmp_path_factory.mktemp("cohort")).parent


@pytest.fixture(scope="module")
def expected(sources: Sources) -> dict[Allele, tuple[int, int]]:
    """AC and AN of each allele, counted here from the people's files by the workflow's stated rules alone."""
    counts: Counter[Allele] = Counter()
    called: Counter[Allele] = Counter()
    for file in sources[0]:
        with gzip.open(file, "rt") as lines:
            records = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
        for chrom, pos, _, ref, alts, _, passed, _, layout, own in records:
            if passed not in ("PASS", "."):
                continue
            facts = dict(zip(layout.split(":"), own.split(":"), strict=False))
            alleles = facts["GT"].replace("|", "/").split("/")
            unsure = _below(facts.get("GQ"), 20) or _below(facts.get("DP"), 8)
            sure = [] if unsure else [a for a in alleles if a != "."]
            for number, alt in enumerate(alts.split(","), start=1):
                allele = (_shortest(ref, alt), int(pos), chrom)
                called[allele] += len(sure)
                counts[allele] += sure.count(str(number))
    return {allele: (counts[allele], total) for allele, total in called.items()}


def test_allele_counts_equal_an_independent_count(cohort: Path, expected: dict[Allele, tuple[int, int]]) -> None:
    rows = [line.split("\t") for line in (cohort / "work/allele_counts.tsv").read_text().splitlines()[1:]]
    found = {(f"{ref}>{alt}", int(pos), chrom): (int(ac), int(an)) for chrom, pos, ref, alt, ac, an in rows}
    assert len(found) > 900
    assert found == expected


def test_every_site_below_k_is_gone_and_no_other(cohort: Path, expected: dict[Allele, tuple[int, int]]) -> None:
    places: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for (_, pos, chrom), counts in expected.items():
        places.setdefault((pos, chrom), []).append(counts)
    rest = {place: min(an for _, an in some) - sum(ac for ac, _ in some) for place, some in places.items()}
    wanted = {
        allele: (ac, an)
        for allele, (ac, an) in expected.items()
        if K <= ac <= an - K and rest[allele[1], allele[2]] >= K
    }
    released = {
        (f"{ref}>{alt}", int(pos), chrom): counts
        for (chrom, pos, ref, alt), counts in bare.sites(cohort / "results/sites.vcf.gz").items()
    }
    assert 0 < len(released) < len(expected)
    assert released == wanted


def test_tables_hold_no_number_of_few(cohort: Path) -> None:
    quality = [line.split("\t") for line in (cohort / "results/quality.tsv").read_text().splitlines()]
    assert quality[0] == ["metric", "people", "total", "mean"]
    assert {row[1] for row in quality[1:]} == {"22"}
    assert all(int(row[2]) >= K for row in quality[1:])
    figures = {row[0]: int(row[2]) for row in quality[1:]}
    assert figures["genotypes"] == figures["called"] + figures["missing"] + figures["masked"]
    spectrum = [line.split("\t") for line in (cohort / "results/spectrum.tsv").read_text().splitlines()[1:]]
    assert all(int(sites) >= K for _, _, sites in spectrum)
    assert sum(int(sites) for _, _, sites in spectrum) == len(bare.sites(cohort / "results/sites.vcf.gz"))


def test_the_same_data_gives_the_same_bytes(cohort: Path, sources: Sources, tmp_path: Path) -> None:
    again = bare.run(COHORT, {"calls": list(reversed(sources[0]))}, tmp_path).parent
    assert [name for name in RELEASED if (cohort / name).read_bytes() != (again / name).read_bytes()] == []


def test_small_cohorts_give_out_nothing(sources: Sources, tmp_path: Path) -> None:
    made = bare.run(COHORT, {"calls": sources[0][:2]}, tmp_path).parent
    assert bare.sites(made / "results/sites.vcf.gz") == {}
    assert len((made / "results/quality.tsv").read_text().splitlines()) == 1
    assert len((made / "results/spectrum.tsv").read_text().splitlines()) == 1


def test_what_leaves_keeps_its_promise_and_passes_the_airlocks_checks(cohort: Path, tmp_path: Path) -> None:
    contract = _contract(COHORT)
    clean: dict[str, Path] = {}
    for name in sorted(RELEASED, key=lambda n: n.endswith(".png")):
        rule = contract.rule_for(name)
        assert rule is not None
        assert rule.promise is not None
        copy, answer = repack(cohort / name, name, rule.promise, FLOOR)
        assert copy is not None, (name, answer.findings)
        clean[name] = tmp_path / name.rsplit("/", 1)[1]
        clean[name].write_bytes(copy)
        supporting = {needed: clean[needed] for needed in rule.promise.needs}
        judged = inspect(clean[name], rule.promise, FLOOR, name=name, supporting=supporting, must_be_clean=True)
        assert judged.verdict.name == "PASS", (name, judged.findings)


def test_all_that_the_cohorts_workflow_writes_is_promised(cohort: Path) -> None:
    contract = _contract(COHORT)
    made = [str(file.relative_to(cohort)) for file in cohort.rglob("*") if file.is_file()]
    made = [name for name in made if not name.startswith((".snakemake/", "inputs/"))]
    rules = {name: contract.rule_for(name) for name in made}
    unpromised = sorted(name for name, rule in rules.items() if rule is None)
    listed = members(COHORT, cohort / "results")
    assert unpromised == sorted(n for n in made if n.startswith("work/") and n not in listed)
    assert sorted(name for name, rule in rules.items() if rule and rule.release is Release.AIRLOCK) == RELEASED


def test_t7_the_cohort_lists_whose_genotypes_were_put_together(sources: Sources, cohort: Path) -> None:
    everybody = sorted(path.name.removesuffix(".vcf.gz") for path in sources[0])
    assert members(COHORT, cohort / "results") == {"work/members.txt": everybody}


def test_t7_a_workflow_that_lets_results_out_says_whom_they_count() -> None:
    """And none whose every output stays inside: no release is about its one person."""
    for folder in sorted((SOURCE / "workflows").glob("*/*")):
        rules = _contract(folder).rules
        leaves = any(rule.release is Release.AIRLOCK for rule in rules)
        assert any(rule.members for rule in rules) is leaves, folder


def test_one_persons_calls_are_right_and_stay_inside(sources: Sources, tmp_path: Path) -> None:
    inputs = {"reads": [sources[1][0]], "reference": [sources[1][1]]}
    made = bare.run(CALLING, inputs, tmp_path).parent
    with gzip.open(made / "calls/ex1.vcf.gz", "rt") as calls:
        records = [line.split("\t") for line in calls if not line.startswith("#")]
    assert ("seq1", "288", "A", "ACATAG") in {tuple(record[:2] + record[3:5]) for record in records}
    assert (made / "work/ex1.flagstat.txt").read_text().startswith("3307 + 0 in total")
    contract = _contract(CALLING)
    assert {rule.release for rule in contract.rules} == {Release.INSIDE}
    assert all(contract.rule_for(f"calls/{file.name}") for file in (made / "calls").iterdir())
    # What the contract does not name is nobody's to take: it stays inside and becomes no dataset either.
    assert not any(contract.rule_for(f"work/{file.name}") for file in (made / "work").iterdir())


@pytest.mark.parametrize(
    ("folder", "inputs", "tasks"),
    [
        (COHORT, {"calls": [f"NA{number:05}.vcf.gz" for number in range(22)]}, 73),
        (CALLING, {"reads": ["NA18507.sam.gz"], "reference": ["ref.fa"]}, 8),
    ],
)
def test_the_plan_needs_names_and_no_content(
    folder: Path, inputs: dict[str, list[str]], tasks: int, tmp_path: Path
) -> None:
    manifest = parse_manifest((folder / "manifest.yaml").read_text())
    defaults = {name: rule["default"] for name, rule in manifest.parameters["properties"].items()}
    config = {
        **defaults,
        "inputs": {slot: [f"inputs/{slot}/{name}" for name in names] for slot, names in inputs.items()},
        "policy": {"min_count": K},
    }
    for path in [path for paths in config["inputs"].values() for path in paths]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(bytes(100))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    python = load().wes.snakemake / "bin" / "python"
    words = ["-s", str(folder / "Snakefile"), "-d", str(tmp_path), "--configfile", str(tmp_path / "config.yaml")]
    planned = subprocess.run(
        [python, "-P", "-m", "snakemake", "-n", "--quiet", "rules", *words],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert _total(planned) == tasks + 1  # Snakemake counts rule all


@pytest.mark.parametrize("folder", [COHORT, CALLING])
def test_a_shipped_folder_holds_plain_files_and_no_signatures(folder: Path) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    assert {"Snakefile", "manifest.yaml"} <= names
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert names & {"images.lock", "signatures"} == set()
    manifest = parse_manifest((folder / "manifest.yaml").read_text())
    assert (manifest.name, manifest.version) == (folder.parent.name, folder.name)


def _total(planned: str) -> int:
    return next(int(line.split()[1]) for line in planned.splitlines() if line.startswith("total"))


def _contract(folder: Path) -> Contract:
    return parse_manifest((folder / "manifest.yaml").read_text()).contract


def _below(value: str | None, least: int) -> bool:
    return value not in (None, ".") and int(value) < least


def _shortest(ref: str, alt: str) -> str:
    """Return the alleles without the end that both share: so bcftools writes what it splits."""
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return f"{ref}>{alt}"
