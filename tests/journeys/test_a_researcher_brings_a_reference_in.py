"""A researcher brings a reference in: scanned in a sandbox, looked at and approved by two, then read by tasks."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from site_of_tests import Site

from demo.people import PROJECT

DATASET = f"{PROJECT}-reference"


def test_tasks_read_what_was_brought_in_once_two_stewards_approved(
    site: Site, sources: tuple[list[Path], list[Path]]
) -> None:
    reference = next(file for file in sources[1] if file.suffix == ".fa")
    made = brought(site, reference, "fasta")
    inputs = {"inputs": {"reads": "na18507", "reference": DATASET}}
    site.wait_for(made["id"], "READY")
    with pytest.raises(typer.Exit):
        site.submit("variant-calling/1.0.0", inputs)
    site.stage.run("ingress", "submit", made["id"], token=site.cast.researcher)
    site.vote(made["id"], site.cast.first_steward)
    with pytest.raises(typer.Exit):
        site.submit("variant-calling/1.0.0", inputs)
    site.vote(made["id"], site.cast.second_steward)
    with site.stage.client(site.cast.second_steward) as steward:
        steward.post(f"/api/airlock/v1/reviews/{made['id']}:consolidate", {"outcome": "approve"})
    site.wait_for(made["id"], "RELEASED")
    run = site.submit("variant-calling/1.0.0", inputs)
    assert site.ended(run) == "COMPLETE", site.engine_log(run)


def brought(site: Site, file: Path, declared: str) -> dict[str, Any]:
    """Bring a file in by the command line; return the request."""
    words = ("ingress", "bring", str(file), "--as", declared, "--project", PROJECT, "--dataset", DATASET)
    done = site.stage.run(*words, "--purpose", "The reference of the reads.", "--json", token=site.cast.researcher)
    made: dict[str, Any] = json.loads(done.stdout)
    return made
