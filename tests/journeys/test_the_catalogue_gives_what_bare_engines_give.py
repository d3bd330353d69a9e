"""Three workflows on cohorts over WES, through the airlock: the same numbers as by their engines alone."""

from pathlib import Path
from typing import Any

import pytest
from site_of_tests import Site

from airlock.cohorts import cohorts_of
from demo import bare, cohorts, people
from strongroom.database import open_database, reading
from strongroom.settings import SOURCE

WORKFLOWS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "gwas-summary": (cohorts.genotypes, "snakemake", {"test": "firth"}),
    "cohort-table": (cohorts.clinical, "snakemake", {"by": "grade"}),
    "rnaseq-counts": (cohorts.reads, "nextflow", {"top": 1000}),
}

# How many persons each list of members names (T7): Tuscans, all others; women by grade, and all; women, men.
MEMBERS = {"gwas-summary": [98, 281], "cohort-table": [81, 161, 444, 686], "rnaseq-counts": [12, 12]}


@pytest.fixture(scope="module")
def catalogue(site: Site) -> Site:
    """The site, with what these workflows need beside the demo's."""
    for name in ("association", "expression"):
        site.stage.import_image(name, people.built_image(name))
    for name in WORKFLOWS:
        site.stage.vet(SOURCE / "workflows" / name / "1.0.0", "vera", "viktor")
    return site


@pytest.mark.parametrize("name", list(WORKFLOWS))
def test_what_is_released_is_what_the_bare_engine_makes(catalogue: Site, name: str, tmp_path: Path) -> None:
    fetch, engine, parameters = WORKFLOWS[name]
    slots: dict[str, list[Path]] = fetch(tmp_path / "plain")
    people.add_dataset(
        catalogue.stage,
        catalogue.cast.operator,
        name,
        cohorts.flat(slots),
        observability="open",
        persons=cohorts.persons(slots),
    )
    params = {"inputs": dict.fromkeys(slots, name), **parameters}
    run = catalogue.submit(f"{name}/1.0.0", params, engine=engine)
    assert catalogue.ended(run) == "COMPLETE", catalogue.engine_log(run)
    held = catalogue.held(run)
    assert {file["verdict"] for file in held.values()} == {"pass"}, held
    assert sorted(members_known(catalogue, run)) == MEMBERS[name]
    request = catalogue.requested(run)
    catalogue.approved(request)
    released = catalogue.downloaded(request, tmp_path / "released")
    folder = SOURCE / "workflows" / name / "1.0.0"
    plainly = bare.run(folder, slots, tmp_path / "bare", parameters=parameters, jobs=1)
    assert sorted(released) == sorted(path.name for path in plainly.iterdir())
    for file in released:
        if file.endswith(".tsv"):
            ours, theirs = bare.rows(released[file]), bare.rows(plainly / file)
            assert ours
            assert ours == theirs, file
        else:
            assert released[file].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def members_known(site: Site, run: str) -> list[int]:
    """Return how many persons the airlock knows by the broker's names, for each list of a run; 0 for none."""
    engine = open_database(site.stage.settings.database)
    with reading(engine) as session:
        known = [len(cohort.members or b"") // 8 for cohort in cohorts_of(session, run)]
    engine.dispose()
    return known


def test_a_file_counts_as_all_whose_labels_it_has(catalogue: Site, tmp_path: Path) -> None:
    """The tables of two women are no population, whatever number of files they are; of all, they are."""
    slots = cohorts.clinical(tmp_path / "plain")
    labels = cohorts.persons(slots)(slots["tables"][0])
    for dataset, told in (("of-two", labels[:2]), ("of-all", labels)):
        people.add_dataset(catalogue.stage, catalogue.cast.operator, dataset, [], observability="open")
        (tmp_path / dataset).write_text("\n".join(told) + "\n")
        files = [str(path) for path in slots["tables"]]
        words = ("dataset", "add", *files, "--dataset", dataset, "--persons", str(tmp_path / dataset))
        catalogue.stage.run(*words, token=catalogue.cast.operator)
    asked = ("run", "submit", "cohort-table/1.0.0", "--project", people.PROJECT, "--input")
    refused = catalogue.stage.run(*asked, "tables=of-two", token=catalogue.cast.researcher, check=False)
    assert refused.returncode == 3
    assert "data of 2 persons" in " ".join((refused.stdout + refused.stderr).split())
    run = catalogue.stage.run(*asked, "tables=of-all", token=catalogue.cast.researcher).stdout.strip()
    assert catalogue.ended(run) == "COMPLETE", catalogue.engine_log(run)
