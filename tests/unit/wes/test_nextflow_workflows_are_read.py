"""Vetting reads a workflow by Nextflow's own parser, in walls: what it finds, and what it drafts."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_cases import CASES, FINE, IMAGES, MANIFEST, PROPERTIES, process
from typer.testing import CliRunner

from strongroom.cli.workflow import app
from strongroom.errors import BadRequest
from strongroom.settings import SOURCE, Settings
from wes import nextflow_drafts
from wes.lint import Finding
from wes.lint_table import Severity
from wes.manifest import Manifest, parse_manifest
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline, parse_nextflow_outline
from wes.outline import MOST_BYTES
from wes.outlining import nextflow_outline

SETTINGS = Settings()


def manifest(**changes: Any) -> Manifest:
    return parse_manifest(yaml.safe_dump(MANIFEST | changes))


def read(folder: Path, files: dict[str, str]) -> NextflowOutline:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return nextflow_outline(SETTINGS, folder, entry="main.nf")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """All cases in one folder, as each start of a Java costs seconds: what is found, by file."""
    files = dict(FINE)
    for number, (_, wrong, right) in enumerate(CASES):
        files |= {f"wrong{number}.nf": wrong, f"right{number}.nf": right}
    seen = read(tmp_path_factory.mktemp("cases"), files)
    # Commands are judged apart from the rest; of these files each process is bound by what is drafted of it.
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for one in lint(seen, manifest(free_commands=["FREE"]), IMAGES):
        if one.code not in ("process-missing", "process-free"):
            by_file[one.file].append(one)
    return by_file


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n][0]}")
def test_what_should_not_be_there_is_found_with_its_line_and_nothing_else(
    found: dict[str, list[Finding]], number: int
) -> None:
    assert {one.code for one in found[f"wrong{number}.nf"]} - {"output-not-promised"} | (
        {"output-not-promised"} & {CASES[number][0]}
    ) == {CASES[number][0]}
    assert all(one.line > 0 for one in found[f"wrong{number}.nf"])
    assert found[f"right{number}.nf"] == []


def test_a_finding_stands_at_its_line(found: dict[str, list[Finding]]) -> None:
    numbers = {CASES[n][0]: n for n in reversed(range(len(CASES)))}

    def line_of(code: str, word: str) -> tuple[int, int]:
        n = numbers[code]
        lines = CASES[n][1].splitlines()
        return found[f"wrong{n}.nf"][0].line, next(k for k, one in enumerate(lines, 1) if word in one)

    for code, word in (
        ("network-tool", "curl"),
        ("network-library", "requests"),
        ("conda", "conda"),
        ("hook", "onC"),
    ):
        said, known = line_of(code, word)
        assert said == known, code


def test_what_lies_beside_is_told(tmp_path: Path) -> None:
    files = {
        "main.nf": "workflow { }\n",
        "nextflow.config": "process.cpus = 1\n",
        "bin/tool": "\0",
        "bin/tool.sh": "#!/bin/bash\n# curl says nothing here\nset -e\ncurl -s x\nsource $1\n",
        "conf/more.config": "x = 1\n",
        "lib/Tool.groovy": "class Tool {\n  static run() { 'id'.execute() }\n}\n",
        "lib/Got.groovy": "@Grab('a:b:1')\nclass Got { }\n",
        "lib/Bad.groovy": "class {\n",
        "lib/tool.jar": "x",
        "unused.nf": "process {\n",
    }
    seen = read(tmp_path, files)
    told = {(one.code, one.file) for one in lint(seen, manifest(), IMAGES)}
    assert told == {
        ("config-own", "nextflow.config"),
        ("config-unread", "conf/more.config"),
        *(("code-beside", f"lib/{name}.groovy") for name in ("Tool", "Got", "Bad")),
        ("engine-process", "lib/Tool.groovy"),
        ("remote-include", "lib/Got.groovy"),
        ("unreadable", "lib/Bad.groovy"),
        ("code-compiled", "lib/tool.jar"),
        ("code-compiled", "bin/tool"),
        ("network-tool", "bin/tool.sh"),
        ("input-is-code", "bin/tool.sh"),
        ("unreadable", "unused.nf"),
    }
    assert ("image-without-digest", "manifest.yaml") in {(o.code, o.file) for o in lint(seen, manifest(), {})}


COUNT = '''
def mode = params.number ? '--fast' : ''
    """
    tool ${mode} -k ${params.number} -n ${params.policy.min_count} \\\\
        ${reads} > ${person}.txt
    """
'''
HONEST = (
    "include { FINE as OTHER } from './fine'\nparams.k = 7\nparams.share = 0.05\n"
    + process(
        "COUNT",
        COUNT.strip(),
        inputs="tuple val(person), path(reads)",
        outputs='path "${person}.txt", emit: counts\n    path "*.{log,err}"',
        directives="publishDir 'results', mode: 'copy'",
    )
    + process("CODE", "code()")
    + "def code() {\n    return 'true'\n}\nworkflow {\n    OTHER(file(params.inputs.reads[0]))\n"
    "    COUNT(Channel.of(params.k))\n    CODE(COUNT.out.counts)\n    println params.share\n}\n"
)


def test_the_manifest_is_held_against_the_workflow(tmp_path: Path) -> None:
    seen = read(tmp_path, {"main.nf": HONEST, "fine.nf": process("FINE")})
    drafted = nextflow_drafts.draft_commands(seen)
    rest = "-k @{number} -n @{min_count} \\\n    @{reads*} > @{person}.txt\n"
    assert drafted == {
        "processes": {"COUNT": [f"tool --fast {rest}", f"tool  {rest}"], "OTHER": "true > x.txt\n"},
        "free_commands": ["CODE"],
    }
    processes, rest_said = drafted["processes"], {"k", "share"}
    known = {**PROPERTIES, **{name: {"type": "number"} for name in rest_said}}

    def codes(**changes: Any) -> list[str]:
        said = {
            "parameters": {"type": "object", "additionalProperties": False, "properties": known},
            "inputs": [{"name": "reads", "pattern": "*"}],
            "outputs": MANIFEST["outputs"][:1],
            **drafted,
            **changes,
        }
        return sorted({one.code for one in lint(seen, manifest(**said), IMAGES)} - {"script-computed"})

    assert codes() == ["process-free"]
    assert codes(processes={"COUNT": processes["COUNT"]}) == ["process-free", "process-missing"]
    assert codes(processes={**processes, "OTHER": "false > x.txt"}) == ["process-differs", "process-free"]
    assert codes(processes={**processes, "COUNT": processes["COUNT"][:1]}) == ["process-differs", "process-free"]
    assert codes(processes={**processes, "OTHER": "true > @{out}"}) == ["hole-wider", "process-free"]
    narrow = [one.replace("@{reads*}", "@{reads}") for one in processes["COUNT"]]
    assert codes(processes={**processes, "COUNT": narrow}) == ["process-free"]
    tsv = {"release": "airlock", "format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}, "max_rows": 9}
    all_else = {"release": "inside"}
    missed = codes(outputs=[{**tsv, "match": "results/a.tsv", "rule": "OTHER"}, all_else])
    assert missed == ["contract-unpublished", "process-free"]
    assert "contract-unpublished" in codes(outputs=[{"release": "inside", "match": "results/*.vcf"}, all_else])
    assert "contract-rule" in codes(outputs=[{**tsv, "match": "results/a.tsv", "rule": "FINE"}, all_else])
    assert "contract-output" in codes(outputs=[{**tsv, "match": "other/a.tsv", "rule": "COUNT"}, all_else])
    assert "output-not-promised" in codes(outputs=[])
    assert "parameter-undeclared" in codes(inputs=[])


def test_a_draft_is_a_manifest_that_an_author_can_edit(tmp_path: Path) -> None:
    folder = tmp_path / "freq" / "2.0.0"
    seen = read(folder, {"main.nf": HONEST, "fine.nf": process("FINE")})
    target = tmp_path / "manifest.yaml"
    done = CliRunner().invoke(app, ["vet", str(folder), "--draft", str(target)])
    assert done.exit_code == 0, done.output
    parsed = parse_manifest(target.read_text())
    assert (parsed.name, parsed.version, parsed.engine) == ("freq", "2.0.0", "nextflow")
    assert (parsed.images, [slot.name for slot in parsed.slots]) == (("genomics",), ["reads"])
    properties = parsed.parameters["properties"]
    assert {name: said.get("default") for name, said in properties.items()} == {"k": 7, "number": None, "share": 0.05}
    assert [(one["match"], one["rule"]) for one in yaml.safe_load(target.read_text())["outputs"]] == [
        ("results/*.txt", "COUNT"),
        ("results/*.log", "COUNT"),
        ("results/*.err", "COUNT"),
    ]
    # A draft as it stands is what the workflow is.
    assert {one.code for one in lint(seen, parsed, IMAGES)} <= {"process-free", "script-computed"}
    kept = nextflow_drafts.draft(seen, {"title": "Mine", "processes": {}}, folder=("x", "y"), version="25.04.4")
    assert (kept["title"], sorted(kept["processes"])) == ("Mine", ["COUNT", "OTHER"])


SHEETS = """
process ROW {
    container 'genomics'
    input:
    val one
    output:
    path 'x.txt'
    script:
    "echo ${one} > x.txt"
}
workflow {
    sheets = Channel.fromList(params.inputs.sheet).map { one -> file(one) }
    rows = sheets.splitCsv(header: true, sep: '\\t').map { row -> row.sample }
    Channel.fromPath(params.inputs.people).set { people }
    names = people.splitCsv().map { it[0] }
    pairs = Channel.fromList(params.inputs.pairs).flatMap { one -> file(one).readLines().collect { it.split(' ') } }
    piped = Channel.fromList(params.inputs.piped) | map { file(it) } | splitText()
    notes = file(params.inputs.notes[0]).text
    calls = Channel.fromList(params.inputs.calls).map { file(it) }.map { it -> it.name }
    ROW(rows.mix(names, pairs, piped, calls))
}
"""


def test_t17_a_sheet_that_the_workflow_reads_is_drafted_as_clear(tmp_path: Path) -> None:
    seen = read(tmp_path / "w", {"main.nf": SHEETS})
    assert seen.errors == []
    drafted = nextflow_drafts.draft(seen, {}, folder=("freq", "1.0.0"), version="25.04.4")
    slots = {one["name"]: (one["pattern"], one["max_files"]) for one in drafted["inputs"]}
    assert slots.pop("calls") == ("*", 10_000)  # only its name is asked for
    parsed = parse_manifest(yaml.safe_dump(drafted))
    granted = {one.slot: (one.file, "".join(sorted(set(",\t ") & one.characters))) for one in parsed.glimpses.clear}
    assert granted == {
        "sheet": ("samples.tsv", "\t"),
        "people": ("samples.csv", ","),
        "pairs": ("samples.tsv", " "),
        "piped": ("samples.tsv", "\t,"),
        "notes": ("samples.tsv", "\t,"),
    }
    assert slots == {name: (file, 1) for name, (file, _) in granted.items()}
    told = {(one.code, one.about) for one in lint(seen, None, {})}
    assert {about for code, about in told if code == "clear-needed"} == {f"input {name}" for name in granted}
    codes = [one.code for one in lint(seen, parsed, IMAGES)]
    assert (codes.count("clear-needed"), codes.count("engine-reads")) == (0, 5)


def test_t17_a_draft_for_the_workflow_of_the_clear_sheet_grants_what_its_run_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(SOURCE / "tests" / "adversary"))
    from test_nextflow_reads_a_clear_sheet import CLEAR, FILES, PROCESSES, SLOT

    seen = read(tmp_path / "w", FILES)
    drafted = nextflow_drafts.draft(seen, {"inputs": SLOT}, folder=("freq", "1.0.0"), version="25.04.4")
    assert drafted["processes"] == PROCESSES
    (one,) = drafted["clear"]
    assert (one["input"], one["file"]) == (CLEAR[0]["input"], CLEAR[0]["file"])


@pytest.mark.parametrize("name", ["variant-calling-nf", "rnaseq-counts"])
def test_the_shipped_workflows_have_no_finding(name: str) -> None:
    folder = SOURCE / "workflows" / name / "1.0.0"
    seen = nextflow_outline(SETTINGS, folder, entry="main.nf")
    parsed = parse_manifest((folder / "manifest.yaml").read_text())
    assert seen.processes
    assert lint(seen, parsed, dict.fromkeys(parsed.images, "sha256:0")) == []


def test_the_documented_constructs_raise_no_false_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SOURCE / "tests" / "unit" / "engines"))
    from nextflow_constructs import CONSTRUCTS, files

    text = files()
    seen = read(tmp_path, text)
    assert seen.errors == []
    assert len(seen.processes) >= len(CONSTRUCTS)
    assert {one.name for one in seen.processes} == set(re.findall(r"process (\w+)", "".join(text.values())))
    drafted = nextflow_drafts.draft_commands(seen)
    assert drafted["free_commands"] == ["TEMPLATED"]
    seen_by = lint(
        seen, manifest(inputs=[{"name": "files", "pattern": "*"}], outputs=[{"release": "inside"}], **drafted), IMAGES
    )
    # What these say is so: a template is free, resources are computed, an executor and a configuration are named,
    # words are split, conda and options of a container are passed over.
    assert {one.code for one in seen_by} == {
        "process-free", "resources-computed", "directive-ignored", "config-own", "engine-reads", "conda",
        "container-options",
    } | ({"output-none"} if any(not one.outputs for one in seen.processes) else set())  # fmt: skip
    assert [one for one in seen_by if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[" * 100_000, b" " * (MOST_BYTES + 1), b'{"files": [{"path": 1}]}'],
)
def test_t30_an_outline_is_hostile_text(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_nextflow_outline(raw)
