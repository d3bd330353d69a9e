"""A researcher brings a reference in: scanned in a sandbox, looked at and approved by two, then read by tasks."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from pypdf import PdfWriter
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


def test_stewards_see_the_pages_of_a_pdf_as_pictures_drawn_in_a_sandbox(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "panel.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("genes.tsv", "gene\tchrom\nBRCA1\tchr17\nTP53\tchr17\n")
        archive.writestr("manual.pdf", two_pages())
    made = brought(site, file, "archive", dataset=f"{PROJECT}-panel")
    site.wait_for(made["id"], "READY")
    site.stage.run("ingress", "submit", made["id"], token=site.cast.researcher)
    words = ("review", "show", made["id"], made["files"][0]["path"])
    told = site.stage.run(*words, "--json", token=site.cast.first_steward)
    assert json.loads(told.stdout)["view"]["pages"] == 2
    seen = []
    for number in (1, 2, 3):
        done = site.stage.run(*words, "--page", str(number), "--json", token=site.cast.first_steward)
        shown = json.loads(done.stdout)["view"]
        assert (shown["kind"], shown["number"], shown["total"]) == ("page", number, 2)
        seen.append(base64.b64decode(shown["png"]))
    assert [Image.open(io.BytesIO(one)).size for one in seen[:2]] == [(300, 300), (450, 150)]
    assert seen[2] == b""


def two_pages() -> bytes:
    """Return a PDF of two empty pages of different sizes."""
    writer, out = PdfWriter(), io.BytesIO()
    for width, height in ((200, 200), (300, 100)):
        writer.add_blank_page(width, height)
    writer.write(out)
    return out.getvalue()


def brought(site: Site, file: Path, declared: str, dataset: str = DATASET) -> dict[str, Any]:
    """Bring a file in by the command line; return the request."""
    words = ("ingress", "bring", str(file), "--as", declared, "--project", PROJECT, "--dataset", dataset)
    done = site.stage.run(*words, "--purpose", "The reference of the reads.", "--json", token=site.cast.researcher)
    made: dict[str, Any] = json.loads(done.stdout)
    return made
