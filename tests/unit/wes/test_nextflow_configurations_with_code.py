"""A configuration with functions or choices is read by Groovy's parser, with no less care than a strict one."""

from collections import defaultdict
from pathlib import Path

import pytest

from strongroom.settings import Settings
from wes import nextflow_parameters, nextflow_settings
from wes.lint import Finding
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

USUAL = """
params {
    input = null
    max_cpus = 2
    outdir = 'results'
}
if (params.input) {
    params.outdir = 'elsewhere'
} else {
    process.ext.args = '-q'
}
process {
    cpus = { check_max(1, 'cpus') }
    withName: 'A|B' { memory = 1.GB }
    withLabel:big { cpus = 4 }
}
profiles {
    test { includeConfig 'conf/test.config' }
    standard { process.label = 'x' }
}
def stamp = new java.util.Date().format('yyyy')
timeline.file = "time_${stamp}.html"
includeConfig 'conf/more'
def check_max(obj, type) {
    try {
        return Math.min(obj, params.max_cpus as int)
    } catch (all) {
        return obj
    }
}
"""
FUNCTION = "def f() { return 1 }\n"  # which no strict configuration can have
HIDDEN = [
    ("engine-process", "def f() {\n    'id'.execute()\n}\n", 2),
    ("engine-process", "def f(x = 'id'.execute()) { x }\n", 1),
    ("engine-process", "if ('id'.execute()) { params.x = 1 }\n", 1),
    ("engine-process", "try {\n    params.x = 1\n} catch (e) {\n    'id'.execute()\n}\n", 4),
    ("engine-process", "try {\n    params.x = 1\n} finally {\n    println 'id'.execute()\n}\n", 4),
    ("engine-process", "def x = 'id'.execute()\n", 1),
    ("engine-process", "process {\n    cpus = { 'id'.execute() }\n}\n", 2),
    ("engine-process", "process {\n    withName: 'id'.execute() { cpus = 1 }\n}\n", 2),
    ("engine-network", "def x = new URL('x')\n", 1),
    ("engine-host", "env.X = System.getenv('X')\n", 1),
    ("directive-refused", "if (params.x) {\n    process.beforeScript = 'id'\n}\n", 2),
    ("setting-refused", "try {\n    plugins { id 'nf-x@1' }\n} catch (e) { }\n", 2),
    ("remote-include", "if (params.x) {\n    includeConfig 'https://example.org/x'\n}\n", 2),
    ("include-computed", 'try {\n    includeConfig "${params.x}"\n} catch (e) { }\n', 2),
    ("publish-outside", "if (params.x) {\n    process.publishDir = '/data/x'\n}\n", 2),
]
REFUSED = [
    ("for (x in [1]) { params.x = x }\n", 1),
    ("while (true) { }\n", 1),
    ("switch (params.x) { case 1: params.y = 1 }\n", 1),
    ("class A { static { 'id'.execute() } }\n", 1),
    ("@Grab('a:b:1')\ndef x = 1\n", 1),
    ("import java.net.URL as U\n", 1),
    ("import static java.lang.Runtime.getRuntime\n", 1),
    ("process.\"${'before'}Script\" = 'id'\n", 1),
    ("this.process = [beforeScript: 'id']\n", 1),
    ("(process).beforeScript += 'id'\n", 1),
    ("withAll: X { cpus = 1 }\n", 1),
    ("process { it = 1 -> beforeScript = 'id' }\n", 1),
    ("process['beforeScript'] = 'id'\n", 1),
]


def read(folder: Path, files: dict[str, str]) -> NextflowOutline:
    for path, text in ({"main.nf": "process A {\n    'true'\n}\nworkflow { A() }\n"} | files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return nextflow_outline(Settings(), folder, entry="main.nf")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    files = {f"hidden{n}.config": f"{text}{FUNCTION.replace('f()', 'g()')}" for n, (_, text, _) in enumerate(HIDDEN)}
    files |= {f"refused{n}.config": f"{text}{FUNCTION}" for n, (text, _) in enumerate(REFUSED)}
    files["nextflow.config"] = "".join(f"includeConfig '{name}'\n" for name in files)
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for one in lint(read(tmp_path_factory.mktemp("configurations"), files), None, {}):
        by_file[one.file].append(one)
    return by_file


def test_what_a_template_of_a_community_says_is_read(tmp_path: Path) -> None:
    files = {"nextflow.config": USUAL, "conf/test.config": "params.input = 'x'\n", "conf/more": FUNCTION}
    seen = read(tmp_path, files)
    assert seen.errors == []
    config = nextflow_settings.read(seen)
    assert config.files == {"nextflow.config", "conf/more"}  # that of a profile is read by no run
    said = {(one.selector, one.name) for one in config.settings}
    assert said >= {
        ("", "process.ext.args"),
        ("withName:A|B", "process.memory"),
        ("withLabel:big", "process.cpus"),
        ("", "process.label"),
        ("", "profiles.test.includeConfig"),
        ("", "timeline.file"),
    }
    known = nextflow_parameters.defaults(seen)
    assert (known["input"], known["max_cpus"]) == (None, 2)


@pytest.mark.parametrize("number", range(len(HIDDEN)))
def test_code_hidden_in_it_is_found_with_its_line(found: dict[str, list[Finding]], number: int) -> None:
    code, text, line = HIDDEN[number]
    assert (code, line) in {(one.code, one.line) for one in found[f"hidden{number}.config"]}, text


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_no_reading_sees_through_is_refused(found: dict[str, list[Finding]], number: int) -> None:
    text, line = REFUSED[number]
    wrong = found[f"refused{number}.config"]
    assert ("unreadable", line) in {(one.code, one.line) for one in wrong}, (text, wrong)
