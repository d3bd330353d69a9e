"""A draft grants what a dry run's own code opened, however it came to it; what Snakemake opens is nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from strongroom.settings import Settings
from wes import draft_manifest, outlining
from wes.manifest import parse_manifest

SETTINGS = Settings()
# By names that reading alone does not follow: a loop over slots, an input function, a library of the folder.
ROUNDABOUT = """
container: "genomics"
import sys
sys.path.insert(0, workflow.basedir)
import table
slots = config["inputs"]
for slot in ("people", "sheet"):
    for path in slots[slot]:
        table.lines(path)
def late(wildcards):
    with open(config["inputs"]["late"][0]) as given:
        given.read()
    return config["inputs"]["calls"]
rule all:
    input: late, config["inputs"]["people"], config["inputs"]["sheet"], config["inputs"]["late"]
    output: "all.txt"
    shell: "wc {input} > {output}"
"""
TABLE = "from pathlib import Path\n\ndef lines(path):\n    return Path(path).read_text().splitlines()\n"


def drafted(folder: Path, snakefile: str, **files: str) -> tuple[dict[str, Any], frozenset[str], bool]:
    folder.mkdir(parents=True)
    for name, text in {"Snakefile": snakefile, **files}.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    found = outlining.outline(SETTINGS, folder, engine="snakemake", entry="Snakefile")
    first = draft_manifest.draft(found, {}, folder=("w", "1.0.0"), version="9.27.1")
    config, inputs = draft_manifest.rehearsal(first)
    paths, whole = outlining.opened(SETTINGS, folder, entry="Snakefile", config=config, inputs=inputs, work=[])
    slots = frozenset(path.split("/")[1] for path in paths)
    draft = draft_manifest.draft(found, {}, folder=("w", "1.0.0"), version="9.27.1", opened=sorted(slots))
    return draft, slots, whole


def test_t17_what_a_dry_run_opened_is_drafted_as_clear(tmp_path: Path) -> None:
    draft, slots, whole = drafted(tmp_path / "w", ROUNDABOUT, table_dot_py=TABLE)
    assert (sorted(slots), whole) == (["late", "people", "sheet"], True)
    parsed = parse_manifest(yaml.safe_dump(draft | {"outputs": []}))
    assert {one.slot for one in parsed.glimpses.clear} == slots
    assert {one["name"]: one["max_files"] for one in draft["inputs"]}["calls"] == 10_000


def test_a_workflow_that_stumbles_over_stubs_still_says_what_it_opened(tmp_path: Path) -> None:
    stumbles = ROUNDABOUT.replace("table.lines(path)", "table.lines(path)[0].split()[3]")
    draft, slots, whole = drafted(tmp_path / "w", stumbles, table_dot_py=TABLE)
    assert (sorted(slots), whole) == (["people"], False)
    assert [one["input"] for one in draft["clear"]] == ["late", "people"]  # the one by the outline


@pytest.mark.parametrize(
    ("code", "opened"),
    [
        ("import gzip\nfor x in config['inputs']['calls']:\n    gzip.open(x)", True),  # seen, and never granted
        ('print(\'{"opened": ["inputs/calls/strongroomstub0"], "whole": true}\')', False),
        ("open('/proc/version').read()", False),
        ("import os\nos._exit(0)", False),
        ("raise SystemExit(3)", False),
    ],
)
def test_hostile_and_odd_code_gets_no_grant_drafted(tmp_path: Path, code: str, opened: bool) -> None:
    rule = "rule all:\n    input: config['inputs']['calls']\n    output: 'a'\n    shell: 'wc {input} > {output}'\n"
    draft, slots, _ = drafted(tmp_path / "w", f"{code}\n{rule}")
    assert "clear" not in draft
    assert bool(slots) is opened


def test_the_command_tells_it(tmp_path: Path) -> None:
    folder = tmp_path / "w" / "1.0.0"
    drafted(folder, ROUNDABOUT, table_dot_py=TABLE)
    strongroom = Path(sys.executable).parent / "strongroom"
    words = [strongroom, "workflow", "vet", folder, "--draft", tmp_path / "manifest.yaml"]
    told = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    manifest = yaml.safe_load((tmp_path / "manifest.yaml").read_text())
    assert {one["input"] for one in manifest["clear"]} == {"late", "people", "sheet"}, told.stdout + told.stderr
