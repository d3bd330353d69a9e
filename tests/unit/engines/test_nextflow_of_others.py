"""A folder of others is drafted as it stands, and runs with its draft to the files of bare Nextflow."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_house import Both, beside_bare, check_published, written
from nextflow_of_others import FILES

from strongroom.settings import Settings
from wes.lint_table import TABLE, Severity
from wes.manifest import parse_manifest
from wes.nextflow_drafts import draft
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

PUBLISHED = {
    "cat": {"S1_1.merged.fastq", "S1_2.merged.fastq", "S3.merged.fastq"},
    "fastqc": {f"S{n}{when}.zip" for n in (1, 2, 3) for when in ("", ".after")},
    "seqtk": {f"S{n}.trim.trimmed" for n in (1, 2, 3)},
    "multiqc": {"multiqc_report.html", "multiqc_data/config"},
    "genotyping": {f"{one}.bam{end}" for one in ("mother", "father") for end in ("", ".bai", ".g.vcf")}
    | {"family_trio.joint.vcf"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("others") / "demo" / "1.0.0", FILES)


@pytest.fixture(scope="module")
def seen(folder: Path) -> NextflowOutline:
    return nextflow_outline(Settings(), folder, entry="main.nf")


@pytest.fixture(scope="module")
def drafted(seen: NextflowOutline) -> dict[str, Any]:
    return draft(seen, {}, folder=("demo", "1.0.0"), version="25.04.4")


@pytest.fixture(scope="module")
def both(folder: Path, drafted: dict[str, Any]) -> Both:
    return beside_bare(folder, drafted)


@pytest.mark.parametrize("place", PUBLISHED)
def test_it_publishes_what_it_does_by_bare_nextflow(both: Both, place: str) -> None:
    check_published(both, place, PUBLISHED[place])


def test_its_draft_is_without_errors(seen: NextflowOutline, drafted: dict[str, Any]) -> None:
    found = lint(seen, parse_manifest(yaml.safe_dump(drafted)), {"genomics": "sha256:0"})
    assert [one for one in found if TABLE[one.code].severity is Severity.ERROR] == []
    assert {one.code for one in found} >= {"process-free", "setting-overridden", "resources-computed"}
    # sed's // is no path.
    assert [one.about for one in found if one.code == "absolute-path"] == []


def test_parameters_are_those_that_a_run_without_any_has(drafted: dict[str, Any]) -> None:
    properties = drafted["parameters"]["properties"]
    assert {name: said.get("default", "?") for name, said in properties.items()} == {
        "input": "/run/workflow/assets/samplesheet.csv",
        "reads_bam": "/run/workflow/data/sample_bams.txt",
        "reference": "/run/workflow/data/ref.fasta",
        "genome": None,
        "multiqc_config": "*",  # of a slot that a run may leave out
        "multiqc_title": None,
        "skip_trim": False,
        "outdir": "results",
        "genotyping_outdir": "results/genotyping",
        "publish_dir_mode": "copy",
        "cohort_name": "family_trio",
        "trace_report_suffix": "?",
    }
    assert drafted["images"] == ["genomics"]
    assert [one["match"] for one in drafted["outputs"] if one["rule"] == "JOINTGENOTYPING"] == [
        "results/genotyping/*.joint.vcf"
    ]


def test_options_are_known_by_their_letters_and_what_code_makes_is_free(drafted: dict[str, Any]) -> None:
    # Each word of JOINTGENOTYPING's list of files is a closure's; args of FASTQC_TRIM are one of two texts.
    assert drafted["free_commands"] == ["JOINTGENOTYPING"]
    assert {"--single single", "--paired paired"} <= {
        one.partition("echo ")[2].partition(" >>")[0] for one in drafted["processes"]["FASTQC_TRIM"]
    }
    forms = drafted["processes"]
    assert {"--quiet single", "--quiet paired"} <= {
        one.partition("echo ")[2].partition(" >>")[0] for one in forms["FASTQC"]
    }
    assert all(one.startswith("#!/usr/bin/env bash -C -e -u -o pipefail\n") for one in forms["FASTQC"])
    assert any("multiqc  --config @{multiqc_config*}   . >" in one for one in forms["MULTIQC"])
    assert "echo @{memory*} >" in forms["CAT_FASTQ"][0]
