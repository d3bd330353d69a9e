"""The black-box suite can fail: a toy without fault is green, and each fault is caught by the clause for it."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "conformance")]
from blackbox_runs import asked  # noqa: E402
from toy_server import serving  # noqa: E402

FAULTS = {
    "service-info-lacks-tags": "WES-01",
    "null-for-no-token": "WES-04",
    "pages-without-end": "WES-06",
    "takes-any-token": "WES-08",
    "unknown-is-malformed": "WES-09",
    "takes-anything": "WES-11",
    "runs-any-version": "WES-14",
    "asks-nobody": "WES-20",
    "null-members": "WES-34",
    "outputs-are-a-list": "WES-34",
    "half-a-url": "WES-39",
    "logs-inline": "WES-40",
    "cancel-does-nothing": "WES-47",
    "counts-rows": "WES-50",
    "shows-others": "WES-53",
    "minimal-is-more": "TES-02",
}


def ask(fault: str, folder: Path, *more: str) -> dict[str, str]:
    """Return what becomes of each clause at a toy with this fault."""
    with serving(fault) as address:
        words = ["--wes-url", f"{address}/ga4gh/wes/v1", "--tes-url", f"{address}/ga4gh/tes/v1", "--token", "mine"]
        words += [
            "--other-token",
            "theirs",
            "--wes-workflow",
            "toy",
            "--wes-failing",
            "fails",
            "--patience",
            "10",
            *more,
        ]
        clauses, printed = asked(*words, folder=folder)
    assert len(clauses) > 60, printed
    return clauses


def test_a_toy_without_fault_is_green(tmp_path: Path) -> None:
    clauses = ask("", tmp_path)
    assert {name for name, how in clauses.items() if how == "failed"} == set()
    assert {name for name, how in clauses.items() if how == "not asked"} == {
        name for name in clauses if name >= "TES-20" and name.startswith("TES")
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_by_the_clause_that_names_it(fault: str, tmp_path: Path) -> None:
    assert ask(fault, tmp_path, "--clause", FAULTS[fault])[FAULTS[fault]] == "failed"
