"""Vetting reads a workflow by Snakemake's own parser, in walls: what it finds, and what it drafts."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from strongroom.errors import BadRequest
from strongroom.settings import SOURCE, Settings
from wes import draft_manifest
from wes.drafts import draft_commands
from wes.lint import lint
from wes.lint_table import TABLE
from wes.manifest import Manifest, parse_manifest
from wes.outline import MOST_BYTES, Outline, parse_outline
from wes.outlining import outline, plan

SETTINGS = Settings()
MANIFEST: dict[str, Any] = {
    "name": "freq",
    "version": "1.0.0",
    "title": "x",
    "engine": {"name": "snakemake", "version": "9.27.1"},
    "entry": "Snakefile",
    "images": ["genomics"],
    "inputs": [],
    "outputs": [],
    "commands": {},
}


def read(folder: Path, snakefile: str, **files: str) -> Outline:
    folder.mkdir(exist_ok=True)
    (folder / "Snakefile").write_text(snakefile)
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return outline(SETTINGS, folder, engine="snakemake", entry="Snakefile")


def manifest(**changes: Any) -> Manifest:
    return parse_manifest(yaml.safe_dump(MANIFEST | changes))


HEAD = 'container: "genomics"\n'
OF_ELSEWHERE = """
include: "https://example.org/x.smk"
include: f"rules/{config['x']}.smk"
module other:
    snakefile: github("a/b", path="x", tag="1")
use rule * from other as other_*
storage:
    provider="s3"
rule a:
    output: "a"
    wrapper: "v1/bio/x"
rule b:
    input: storage.s3("s3://x/y")
    output: "b"
    conda: "env.yaml"
    container: "docker://ubuntu"
    shell: "curl -s example.org > {output}"
"""
OF_RULES = """
rule:
    output: "u"
    run: print(1)
rule n:
    output: "n"
    notebook: "n.ipynb"
rule t:
    output: pipe("t"), ensure("u", checksum="0")
    template_engine: "jinja2"
rule v:
    input: "/data/x"
    output: update("v")
    resources: mem_mb=lambda wildcards, attempt: 100 * attempt
    params: x=lambda wildcards: wildcards.sample + ";id"
    shell: "bash {input} && eval $(cat {input}) && cp /etc/passwd {output} {params.x} {wildcards.sample}"
rule s:
    output: "s"
    script: "../outside.py"
rule j:
    output: "j"
    script: "scripts/x.jl"
"""
OF_PYTHON = """
import os, requests
configfile: "config.yaml"
workdir: "elsewhere"
envvars: "TOKEN"
shell.prefix("export X=1; ")
os.system("id")
eval("1")
LINES = open(config["inputs"]["calls"][0]).read()
onstart:
    shell("id")
rule x:
    output: "x"
    script: "scripts/x.py"
"""


@pytest.mark.parametrize(
    ("words", "is_found"),
    [("sha256='0'", True), ("md5='0'", True), ("**WORDS", True), ("non_empty=True", False)],
)
def test_a_checksum_of_ensure_is_found_however_it_is_said(tmp_path: Path, words: str, is_found: bool) -> None:
    rule = f"WORDS = dict(sha1='0')\nrule x:\n    output: ensure('x', {words})\n    shell: 'echo > {{output}}'\n"
    found = lint(read(tmp_path / "w", HEAD + rule), manifest(commands={}), {"genomics": "sha256:0"})
    assert ("checksum" in {one.code for one in found}) is is_found


@pytest.mark.parametrize(
    ("snakefile", "files", "expected"),
    [
        (
            OF_ELSEWHERE,
            {},
            "remote-include include-computed rule-reused remote-storage remote-wrapper conda image-unknown "
            "network-tool log-none",
        ),
        (
            HEAD + OF_RULES,
            {"scripts__x_dot_jl": "1"},
            "rule-unnamed run-block notebook together checksum engine-inside absolute-path update "
            "resources-computed params-computed input-is-code shell-inside-shell wildcard-free script-outside "
            "script-language log-none",
        ),
        (
            HEAD + OF_PYTHON,
            {"scripts__x_dot_py": "import socket\n"},
            "parse-network configfile workdir envvars shell-prefix parse-process parse-eval parse-reads hook "
            "network-library clear-needed",
        ),
        (HEAD + "rule x:\n    outptu: 'x'\n", {}, "unreadable"),
    ],
)
def test_what_should_not_be_there_is_found(
    snakefile: str, files: dict[str, str], expected: str, tmp_path: Path
) -> None:
    found = lint(read(tmp_path / "w", snakefile, **files), manifest(commands={}), {"genomics": "sha256:0"})
    codes = {one.code for one in found} - {"command-missing"}
    assert codes == set(expected.split())
    assert all(one.line > 0 for one in found if one.file != "manifest.yaml")


OF_TASKS = """
rule m:
    output: "m", touch("t")
    shadow: "minimal"
    group: "g"
    handover: True
    benchmark: repeat("b.txt", 3)
    log: "m.log"
    shell: "make {output[0]} 2> {log}"
rule w:
    output: "w"
    params: extra="-x"
    wrapper: "v1/bio/x"
"""


def test_what_became_tasks_is_bound_like_all_else(tmp_path: Path) -> None:
    seen = read(tmp_path / "w", OF_TASKS, wrappers__v1__bio__x__wrapper_dot_py="print(1)\n")
    drafted = draft_commands(seen)
    assert drafted["m"] == {"shell": "make {output[0]} 2> {log}", "benchmark": True}
    assert drafted["w"]["script"] == "wrappers/v1/bio/x/wrapper.py"
    assert drafted["w"]["holes"] == {"params.extra": {"enum": ["-x"]}}

    def codes(**changes: Any) -> set[str]:
        said = {"commands": drafted, "outputs": [{"release": "inside"}]} | changes
        return {one.code for one in lint(seen, manifest(**said), {"genomics": "sha256:0", "more": "sha256:1"})}

    assert codes() == set()
    assert codes(commands={**drafted, "m": {"shell": "make {output[0]} 2> {log}"}}) == {"command-differs"}
    assert codes(images=["genomics", "more"]) == {"image-none"}


HONEST = (
    HEAD
    + """
include: "rules/more.smk"
K = config["policy"]["min_count"]
BINS = config.get("bins", 7)
wildcard_constraints: person="[A-Z]+"
rule all:
    input: "out/a.tsv", "out/extra.tsv"
rule first:
    output: temp("work/{person}.txt")
    params: label=config["label"], mode="fast" if config["quick"] else "", number=len({1})
    log: "logs/{person}.log"
    shell: "tool {params.label} {params.mode} {params.number} {wildcards.person} > {output} 2> {log}"
"""
)
MORE = """
rule second:
    input: "work/A.txt"
    output: "out/{name}.tsv"
    params: k=config["policy"]["min_count"]
    script: "../scripts/second.py"
"""


def test_the_manifest_is_held_against_the_workflow(tmp_path: Path) -> None:
    seen = read(tmp_path / "w", HONEST, rules__more_dot_smk=MORE, scripts__second_dot_py="print(1)\n")
    drafted = draft_commands(seen)
    assert drafted["first"]["holes"] == {
        "params.label": {"config": "label"},
        "params.mode": {"enum": ["fast", ""]},
        "params.number": "integer",
    }
    digest = f"sha256:{hashlib.sha256(b'print(1)' + bytes([10])).hexdigest()}"
    script = {"script": "scripts/second.py", "digest": digest, "holes": {"params.k": {"config": "policy.min_count"}}}
    assert drafted["second"] == script
    properties = {"label": {"type": "string", "pattern": "^[a-z]{1,9}$"}, "quick": {"type": "boolean"}}
    parameters = {"type": "object", "additionalProperties": False, "properties": properties}
    images = {"genomics": "sha256:0"}

    def codes(known: dict[str, str] = images, **changes: Any) -> list[str]:
        said = {"commands": drafted, "parameters": parameters} | changes
        said["outputs"] = said.get("outputs", [{"match": "out/*.tsv", "release": "inside"}])
        return [one.code for one in lint(seen, manifest(**said), known)]

    assert codes() == ["parameter-unquoted"]
    assert codes(commands="free") == ["parameter-unquoted", "command-free"]
    assert codes(commands={**drafted, "first": {"free": True}}) == ["command-free", "parameter-unquoted"]
    assert codes(commands={"first": drafted["first"]}) == ["parameter-unquoted", "command-missing"]
    other = {**drafted["first"], "shell": drafted["first"]["shell"] + "; id"}
    assert codes(commands={**drafted, "first": other}) == ["command-differs", "parameter-unquoted"]
    stale = {**script, "digest": "sha256:" + "0" * 64}
    assert codes(commands={**drafted, "second": stale}) == ["parameter-unquoted", "command-differs"]
    wide = {**script, "holes": {"params.k": "integer"}}
    assert codes(commands={**drafted, "second": wide}) == ["parameter-unquoted", "hole-wider"]
    tsv = {"release": "airlock", "format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}, "max_rows": 9}
    assert codes(outputs=[{**tsv, "match": "out/a.tsv", "rule": "second"}, {"release": "inside"}]) == [
        "parameter-unquoted"
    ]
    assert "contract-rule" in codes(outputs=[{**tsv, "match": "out/a.tsv", "rule": "third"}])
    assert "contract-output" in codes(outputs=[{**tsv, "match": "other/a.tsv", "rule": "second"}])
    assert "output-not-promised" in codes(outputs=[])
    assert "image-without-digest" in codes(known={})


def test_a_draft_is_a_manifest_that_an_author_can_edit(tmp_path: Path) -> None:
    folder = tmp_path / "freq" / "2.0.0"
    folder.mkdir(parents=True)
    seen = read(folder, HONEST, rules__more_dot_smk=MORE, scripts__second_dot_py="print(1)\n")
    drafted = draft_manifest.draft(seen, {}, folder=folder.parts[-2:], version="9.27.1")
    config, inputs = draft_manifest.rehearsal(drafted)
    planned = plan(SETTINGS, folder, engine="snakemake", entry="Snakefile", config=config, inputs=inputs, work=[])
    drafted["outputs"] = draft_manifest.outputs(seen, planned)
    parsed = parse_manifest(yaml.safe_dump(drafted))
    assert (parsed.name, parsed.version, parsed.images) == ("freq", "2.0.0", ("genomics",))
    assert set(parsed.parameters["properties"]) == {"bins", "label", "quick"}
    assert parsed.parameters["properties"]["bins"]["default"] == 7
    assert [rule.match for rule in parsed.contract.rules] == ["out/a.tsv", "out/extra.tsv"]
    assert [one["rule"] for one in drafted["outputs"]] == ["second", "second"]
    kept = draft_manifest.draft(seen, {"title": "Mine", "commands": {}}, folder=("x", "y"), version="9.27.1")
    assert (kept["title"], sorted(kept["commands"])) == ("Mine", ["first", "second"])


SHEETS = """
import csv, gzip
from pathlib import Path
import pandas as pd
RESULTS = open("notes.txt").read()
SHEET = config["inputs"]["sheet"][0]
PEOPLE = pd.read_csv(config["inputs"]["people"][0])
with open(SHEET) as handle:
    ROWS = list(csv.DictReader(handle, delimiter="\\t"))
def groups(wildcards):
    return Path(config["inputs"]["groups"][0]).read_text().splitlines()
for path in config["inputs"]["calls"]:
    print(path)
FIRST = gzip.open(config["inputs"]["calls"][0]).read(2)
rule all:
    input: config["inputs"]["calls"]
    output: "all.txt"
    shell: "wc {input} > {output}"
"""


def test_t17_a_sheet_that_the_workflow_reads_is_drafted_as_clear(tmp_path: Path) -> None:
    seen = read(tmp_path / "w", HEAD + SHEETS)
    drafted = draft_manifest.draft(seen, {}, folder=("freq", "1.0.0"), version="9.27.1")
    slots = {one["name"]: (one["pattern"], one["max_files"]) for one in drafted["inputs"]}
    assert slots == {
        "calls": ("*", 10_000),  # packed, so no lines of text: no grant could hold it
        "groups": ("samples.tsv", 1),
        "people": ("samples.csv", 1),
        "sheet": ("samples.tsv", 1),
    }
    parsed = parse_manifest(yaml.safe_dump(drafted | {"outputs": []}))
    granted = {one.slot: (one.file, set(",\t ") & one.characters, one.most) for one in parsed.glimpses.clear}
    assert granted == {
        "people": ("samples.csv", {","}, 500),
        "sheet": ("samples.tsv", {"\t"}, 500),
        "groups": ("samples.tsv", {",", "\t"}, 500),
    }
    told = {(one.code, one.about) for one in lint(seen, None, {})}
    assert {about for code, about in told if code == "clear-needed"} == {
        "input groups",
        "input people",
        "input sheet",
    }
    assert "--clear" in TABLE["clear-needed"].cure
    assert {"open", "pd.read_csv", ".read_text", "gzip.open"} <= {a for code, a in told if code == "parse-reads"}
    # What is granted is not asked for again; that code reads a file stays a place for vetters to look at.
    codes = {one.code for one in lint(seen, parsed, {})}
    assert ("clear-needed" in codes, "parse-reads" in codes) == (False, True)


def test_t17_a_draft_keeps_grants_and_fits_what_is_said_of_slots(tmp_path: Path) -> None:
    seen = read(tmp_path / "w", HEAD + SHEETS)
    own = {"input": "people", "file": "p.csv", "characters": "a-z,", "longest": 9, "most": 3}
    inputs = [
        {"name": "sheet", "pattern": "cohort-*.tsv", "max_files": 1},
        {"name": "people", "pattern": "p.csv", "max_files": 1},
        {"name": "calls", "pattern": "*.vcf.gz", "max_files": 40},
    ]
    said = {"inputs": inputs, "clear": [own]}
    drafted = draft_manifest.draft(seen, said, folder=("freq", "1.0.0"), version="9.27.1")
    assert drafted["inputs"] == inputs
    one, other = drafted["clear"]
    assert one == own
    assert (other["input"], other["file"], other["most"]) == ("sheet", "cohort-samples.tsv", 41)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("workflows/cohort-frequencies", {"log-none"}),
        ("workflows/variant-calling", {"log-none"}),
        ("workflows/cohort-table", set()),
        ("workflows/gwas-summary", {"log-none"}),
        ("demo/tiny", {"log-none", "wildcard-free"}),
    ],
)
def test_the_shipped_workflows_are_bound_as_drafted(name: str, codes: set[str]) -> None:
    folder = SOURCE / name / "1.0.0"
    seen = outline(SETTINGS, folder, engine="snakemake", entry="Snakefile")
    said = yaml.safe_load((folder / "manifest.yaml").read_text())
    assert said["commands"] == draft_commands(seen)
    parsed = parse_manifest((folder / "manifest.yaml").read_text())
    found = lint(seen, parsed, dict.fromkeys(parsed.images, "sha256:0"))
    assert {one.code for one in found} == codes


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"files": [], "rules": [], "statements": [], "calls": [], "globals": [], "reads": [], "errors": [], '
        b'"x": 1}',
        b'{"files": [], "rules": [{"name": 1}], "statements": [], "calls": [], "globals": [], "reads": [], '
        b'"errors": []}',
        b" " * (MOST_BYTES + 1),
    ],
)
def test_t30_an_outline_is_hostile_text(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_outline(raw)


NEXTFLOW = [f"nextflow_{part}" for part in ("content", "contract", "lint", "scripts", "settings")]
CHECKS = ("lint", "lint_commands", "checkpoints", "../strongroom/cli/vet", *NEXTFLOW)


def test_every_finding_has_its_place_in_the_table_and_every_entry_is_found() -> None:
    source = "".join((SOURCE / "wes" / f"{name}.py").read_text() for name in CHECKS)
    assert {code for code in TABLE if f'"{code}"' not in source} == set()
