"""Snakemake's own tests give their own results on Strongroom: real engine in walls, real gateway, real sandboxes."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from case_runs import Outcome, Suite
from page import DIFFERENCES, PAGE, page, sort
from suite import Case

WHOLE = os.environ.get("SNAKEMAKE_WHOLE_SUITE") == "1"
EVERY = 4  # the fixed part: each fourth case, and each that is known to differ


def part(able: list[Case]) -> list[Case]:
    """Return what of the suite runs: all of it if asked for, which takes ten minutes or so on two cores."""
    return [case for n, case in enumerate(able) if WHOLE or n % EVERY == 0 or case.name in DIFFERENCES]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """What became of each case; all are submitted at once, and run as the site can."""
    home = Path(tempfile.mkdtemp(prefix="strongroom-"))
    suite, folder = Suite(home), tmp_path_factory.mktemp("cases")
    try:
        suite.open()
        runs = [(case, suite.submit(case, folder / case.name.lower())) for case in part(sort()[0])]
        yield {case.name: suite.outcome(case, run) for case, run in runs}
    finally:
        suite.site.stage.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(1800)
def test_what_a_blind_engine_can_do_gives_the_suites_own_results(outcomes: dict[str, Outcome]) -> None:
    assert not WHOLE or set(outcomes) == {case.name for case in sort()[0]}
    differ = {name: one for name, one in outcomes.items() if one.differs is not None}
    unknown = {name: f"{one.differs}\n{one.log}" for name, one in differ.items() if name not in DIFFERENCES}
    assert not unknown, "\n\n".join(f"{name}: {why}" for name, why in unknown.items())
    # A case that came right is taken off the list, or the page tells of too little.
    assert sorted(set(DIFFERENCES) & set(outcomes)) == sorted(differ)


def test_at_least_95_of_100_cases_give_the_suites_own_results() -> None:
    able, _ = sort()
    assert set(DIFFERENCES) <= {case.name for case in able}
    assert len(able) >= 130
    assert len(DIFFERENCES) <= 0.05 * len(able)


def test_the_page_says_what_is_so() -> None:
    assert PAGE.read_text() == page(), "with PYTHONPATH=tests/conformance/snakemake_suite its page.py writes it"
