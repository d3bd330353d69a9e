"""What a Nextflow workflow publishes is held against its contract; each setting of its configuration is judged."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from nextflow_cases import process
from test_nextflow_workflows_are_read import FINE, IMAGES, manifest, read

from wes.engines import Launch
from wes.engines.nextflow import trusted_config
from wes.lint import Finding
from wes.nextflow_contract import meet
from wes.nextflow_drafts import outputs
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.nextflow_settings import OVERRIDDEN

INSIDE = {"release": "inside"}
TSV = {"release": "airlock", "format": "tsv", "columns": ["a"], "keys": {"a": ["x"]}, "max_rows": 9}
OUTPUTS = {
    "main.nf": """nextflow.preview.output = true
include { CALLING } from './calling'
workflow {
    main:
    COUNT(Channel.of('a'))
    CALLING(COUNT.out.counts)
    COUNT.out.logs.set { said }
    publish:
    calls = CALLING.out.calls.map { one -> one }
    logs = said
    counts = COUNT.out[0]
    unknown = other(1)
    off = COUNT.out
}
output {
    calls { path 'calls' }
    logs {
        path { one -> "logs/${one.name}" }
        index {
            path 'logs.csv'
        }
    }
    counts { path { one -> code(one) } }
    unknown { path 'unknown' }
    off {
        enabled false
        path '/nowhere'
    }
}
def code(one) {
    return one.name
}
"""
    + process("COUNT", inputs="val x", outputs="path 'counts', emit: counts\n    path '*.{log,err}', emit: logs"),
    "calling.nf": "workflow CALLING {\n    take:\n    given\n    main:\n    CALL(given)\n    emit:\n"
    "    calls = CALL.out\n}\n" + process("CALL", outputs="tuple val('a'), path('*.vcf')"),
    "off.nf": "workflow {\n    main:\n    x = FINE()\n    publish:\n    x = x\n}\noutput {\n    x {\n"
    "        path '../away'\n    }\n}\n" + process("FINE"),
}
CONFIG = """includeConfig 'conf/more.config'
includeConfig 'https://example.org/x.config'
includeConfig params.number
process {
    withName: 'A|B.*' {
        container = 'genomics'
        publishDir = [path: 'out', mode: 'copy']
    }
    withLabel: 'large' { publishDir = '/data/out' }
    beforeScript = 'id'
    memory = { 1.GB * task.attempt }
    ext.args = '-x'
    executor = 'slurm'
    nonsense = 1
}
params.other = 1
plugins {
    id 'nf-amazon@1.0'
}
docker.runOptions = '--privileged'
docker.enabled = true
env.TOKEN = 'x'
profiles {
    standard { process.clusterOptions = '-p x' }
    cloud { process.cpus = 4 }
}
manifest { homePage = 'https://example.org/x'; contributors = [[name: 'x', github: 'https://example.org/y']] }
libDir = 'elsewhere'
params.number = 'id'.execute()
"""
BY_CONFIG = process("A", container="") + process("B2", container="") + process("C", container="")


def at(found: list[Finding], file: str) -> set[tuple[str, int]]:
    return {(one.code, one.line) for one in found if one.file == file}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> NextflowOutline:
    return read(tmp_path_factory.mktemp("outputs"), OUTPUTS)


def judged(outline: NextflowOutline, *promised: dict[str, Any]) -> list[Finding]:
    return lint(outline, manifest(outputs=list(promised), free_commands=["COUNT", "CALL", "FINE"]), IMAGES)


def test_what_output_blocks_publish_and_the_contract_does_not_promise_is_told_at_its_line(
    seen: NextflowOutline,
) -> None:
    told = {("publish-computed", 23), ("output-index", 19), ("absolute-path", 27)}
    everything = judged(seen, INSIDE)
    assert {one for one in at(everything, "main.nf") if one[0] != "process-free"} == told
    assert {("outputs-off", 7), ("publish-outside", 9)} <= at(everything, "off.nf")
    missing = [one for one in judged(seen, {**INSIDE, "match": "results/calls/*.vcf"}) if one not in everything]
    assert {(one.code, one.line, one.about) for one in missing if one.file == "main.nf"} == {
        ("output-not-promised", 18, "results/logs/*/*.log"),
        ("output-not-promised", 18, "results/logs/*/*.err"),
        ("output-not-promised", 24, "results/unknown/**"),
    }


def test_what_is_promised_and_never_published_is_told(seen: NextflowOutline, tmp_path: Path) -> None:
    fine = read(
        tmp_path, {"main.nf": process("P", directives="publishDir 'results'", outputs="path 'x.tsv'") + process("Q")}
    )

    def codes(**promised: Any) -> set[str]:
        found = lint(
            fine,
            manifest(
                outputs=[{**(TSV if "rule" in promised else INSIDE), **promised}, INSIDE], free_commands=["P", "Q"]
            ),
            IMAGES,
        )
        return {one.code for one in found} - {"process-free"}

    assert codes(match="results/x.tsv") == codes(match="results/*.tsv", rule="P") == set()
    assert codes(match="results/y.tsv") == codes(match="elsewhere/x.tsv") == {"contract-unpublished"}
    assert codes(match="results/y.tsv", rule="P") == {"contract-output"}
    assert codes(match="results/x.tsv", rule="Q") == {"contract-unpublished"}
    # A folder that code makes may be any, and so may be a channel that cannot be followed.
    assert {one.code for one in judged(seen, {**INSIDE, "match": "x/y"}, INSIDE)} & {"contract-unpublished"} == set()


def test_a_draft_promises_what_output_blocks_publish(seen: NextflowOutline) -> None:
    drafted = {one["match"]: one.get("rule") for one in outputs(seen)}
    assert drafted == {
        "results/calls/*.vcf": "CALL",
        "results/logs/*/*.log": "COUNT",
        "results/logs/*/*.err": "COUNT",
        "results/unknown/*": None,
    }


def test_each_setting_that_is_not_used_is_named_with_its_line(tmp_path: Path) -> None:
    more = "workDir = '/elsewhere'\ntimeline.enabled = true\nwave.endpoint = 'https://example.org'\n"
    files = {**FINE, "main.nf": BY_CONFIG + "workflow { }\n", "nextflow.config": CONFIG, "conf/more.config": more}
    found = lint(read(tmp_path, files), manifest(free_commands=["A", "B2", "C", "FINE"]), IMAGES)
    assert at(found, "nextflow.config") == {
        ("config-own", 0),
        ("remote-include", 2), ("include-computed", 3),
        ("output-not-promised", 7), ("directive-refused", 10), ("resources-computed", 11),
        ("setting-overridden", 13), ("setting-unknown", 14), ("parameter-undeclared", 16),
        ("setting-refused", 18), ("setting-ignored", 20), ("setting-overridden", 21), ("setting-env", 22),
        ("directive-ignored", 24), ("setting-ignored", 25), ("setting-refused", 28), ("engine-process", 29),
    }  # fmt: skip
    assert at(found, "conf/more.config") == {
        ("setting-overridden", 1),
        ("setting-overridden", 2),
        ("setting-ignored", 3),
    }
    # Selectors name images as directives do: of A and B2, not of C.
    assert [one.about for one in found if one.code == "image-none"] == ["C"]
    assert {one.about for one in found if one.code == "output-not-promised"} == {"out/x.txt"}


@pytest.mark.parametrize(
    ("condition", "is_found"), [("task.exitStatus in 130..145", True), ("task.attempt < 3", False)]
)
def test_a_condition_on_exit_codes_is_found_in_a_configuration_too(
    tmp_path: Path, condition: str, is_found: bool
) -> None:
    config = f"process {{\n    errorStrategy = {{ {condition} ? 'retry' : 'finish' }}\n}}\n"
    files = {**FINE, "main.nf": "workflow { }\n", "nextflow.config": config}
    found = lint(read(tmp_path, files), manifest(free_commands=["FINE"]), IMAGES)
    assert (("exit-codes", 2) in at(found, "nextflow.config")) is is_found


def test_what_strongroom_sets_after_a_configuration_is_what_vetting_calls_overridden() -> None:
    ours = trusted_config(cast(Launch, SimpleNamespace(jobs=4)))
    names = {name.strip() for line in ours.splitlines() for name in line.split("=")[:-1]}
    assert names == OVERRIDDEN


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("results/a.txt", "results/a.txt", True),
        ("results/*", "results/a.txt", True),
        ("results/*", "results/a/b.txt", False),
        ("results/*", "results/**", True),
        ("results/a/*", "results/**.txt", True),
        ("results/a*.txt", "results/*b.txt", True),
        ("results/a*", "results/b*", False),
        ("*", "", True),
        ("a", "", False),
        ("*a" * 150, "a*" * 150 + "b", False),
    ],
)
def test_two_patterns_meet_where_a_path_fits_both(one: str, other: str, do: bool) -> None:
    assert meet(one, other) is meet(other, one) is do
