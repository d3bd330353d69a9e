"""A script with code beside what it declares is read by Groovy's parser, with no less care than a strict one."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_cases import CASES, FINE, IMAGES
from nextflow_cases import MANIFEST as SHARED

from strongroom.settings import Settings
from wes.lint import Finding
from wes.lint_table import TABLE, Severity
from wes.manifest import parse_manifest
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

SETTINGS = Settings()
MANIFEST: dict[str, Any] = {**SHARED, "free_commands": ["FREE"]}
BESIDE = "\nlog.info 'said beside'\ndef beside() { }\n"  # which no strict script can have
ENTRY = re.compile(r"workflow \{(.*)\}\n", re.DOTALL)
READABLE = [number for number, one in enumerate(CASES) if one[0] != "unreadable"]
# Code that someone would hide there: what finds it, and the line.
HIDDEN = [
    ("engine-process", "def spy = { -> 'id'.execute() }\n", 1),
    ("engine-process", "params.x = ['sh', '-c', 'id'].execute().text\n", 1),
    ("engine-process", "if (params.number) {\n    'id'\n        .execute()\n}\n", 2),
    ("engine-process", "for (one in ['id']) {\n    one.execute()\n}\n", 2),
    ("engine-process", "while (params.number) {\n    Runtime.getRuntime().exec('id')\n}\n", 2),
    ("engine-process", "switch (params.number) {\n    case 1: 'id'.execute()\n}\n", 2),
    ("engine-process", "try {\n    throw new Exception()\n} catch (e) {\n    'id'.execute()\n}\n", 4),
    ("engine-process", "try {\n    params.number\n} finally {\n    'id'.execute()\n}\n", 4),
    ("engine-process", 'log.info """\n    ${\'id\'.execute().text}\n    """\n', 2),
    ("engine-process", "log.info \"${-> 'id'.execute()}\"\n", 1),
    ("engine-process", "def go = 'id'.&execute\ngo()\n", 1),
    ("engine-process", "def go = 'id'::execute\ngo()\n", 1),
    ("engine-process", "assert 'id'.execute()\n", 1),
    ("engine-process", "def all = [a: ['id']*.execute()]\n", 1),
    ("engine-process", "def f(x = 'id'.execute()) {\n    return x\n}\nprintln f()\n", 1),
    ("engine-process", "def f = { x = 'id'.execute() -> x }\nprintln f()\n", 1),
    ("engine-process", "workflow.onComplete {\n    'id'.execute()\n}\n", 2),
    ("engine-process", "workflow.onError = {\n    'id'.execute()\n}\n", 2),
    ("engine-process", "synchronized (params) {\n    'id'.execute()\n}\n", 2),
    ("engine-process", "import java.lang.ProcessBuilder\nnew ProcessBuilder('id')\n", 2),
    ("engine-process", "@Field def x = 'id'.execute()\n", 1),
    ("engine-eval", "'id'.\"${'exe' + 'cute'}\"()\n", 1),
    ("engine-eval", "this.\"${params.label}\"('x')\n", 1),
    ("engine-eval", "Eval.me('1')\n", 1),
    ("engine-eval", "new GroovyShell()\n", 1),
    ("engine-eval", "this.class.classLoader.parseClass('class A { }')\n", 1),
    ("engine-reads", "def ids = file('x').readLines()\n", 1),
    ("engine-reads", "println new File('/etc/passwd').text\n", 1),
    ("engine-host", "def home = System.getenv('HOME')\n", 1),
    ("engine-host", "new File('x').mkdirs()\n", 1),
    ("engine-writes", "java.nio.file.Files.copy(a, b)\n", 1),
    ("engine-writes", "workflow.onComplete {\n    file('x').copyTo('y')\n}\n", 2),
    ("engine-network", "def page = new URL('x')\n", 1),
    ("engine-network", "import java.net.Socket\nnew Socket('x', 1)\n", 2),
    ("remote-file", "params.x = 'https://example.org/x.txt'\n", 1),
    ("remote-include", "Grape.grab(group: 'a')\n", 1),
    ("hook", "workflow.onComplete {\n    sendMail(to: 'a')\n}\n", 2),
    ("hook", "workflow.onComplete { x = 'id'.execute() -> println x }\n", 1),
    ("hook", "workflow.onComplete = wanted\n", 1),
    ("hook", "workflow.onComplete { params.wanted.call() }\n", 1),
    ("hook", 'workflow.onComplete { println "${-> wanted()}" }\n', 1),
]
# What no reading sees through: it is refused where it stands.
REFUSED = [
    ("class A {\n    static {\n        'id'.execute()\n    }\n}\n", 1),
    ("enum A { B }\n", 1),
    ("trait A { }\n", 1),
    ("def x = new Runnable() {\n    void run() { 'id'.execute() }\n}\n", 1),
    ("@Grab('a:b:1')\ndef x = 1\n", 1),
    ("@groovy.transform.ASTTest(value = { 'id'.execute() })\ndef x = 1\n", 1),
    ("@groovy.transform.CompileStatic(extensions = 'x.groovy')\ndef f() { }\n", 1),
    ("def f(@Lazy x) { }\n", 1),
    ("@Field(value = { 1 })\ndef x = 1\n", 1),
    ("import groovy.transform.ASTTest as Field\n@Field\ndef x = 1\n", 1),
    ("import mine.Field\n@Field\ndef x = 1\n", 1),
    ("@Grab('a:b:1')\nimport java.util.List\n", 1),
    ("import java.net.URL as Page\n", 1),
    ("import static java.lang.Runtime.getRuntime\n", 1),
    ("import static java.nio.file.Files.*\n", 1),
    ("package mine\n", 1),
    ("if (params.number) {\n    include { FINE } from './fine'\n}\n", 2),
    ("include { FINE } from params.label\n", 1),
    ('include { FINE } from "$projectDir/${params.label}"\n', 1),
    ("include { FINE } from './fine' addParams(x: 1)\n", 1),
    ("include './fine'\n", 1),
    ("include { FINE } from '$projectDir/fine'\n", 1),
    ('include { FINE } from "$launchDir/fine"\n', 1),
    ("projectDir = '/run/work'\ninclude { FINE } from \"$projectDir/fine\"\n", 1),
    ("def (a, baseDir) = [1, '/run/work']\n", 1),
    ("log = [info: { it.execute() }]\n", 1),
    ("include { FINE + 1 } from './fine'\n", 1),
    ("[1].each {\n    process HIDDEN {\n        'id'\n    }\n}\n", 2),
    ("def f() {\n    workflow { }\n}\n", 2),
    ("process 'A', { 'id' }\n", 1),
    ("process \"${'A'}\" { 'id' }\n", 1),
    ("process A {\n    if (params.number) {\n        beforeScript 'id'\n    }\n    'id'\n}\n", 2),
    ("process A {\n    \"${'before'}Script\" 'id'\n    'id'\n}\n", 2),
    ("process A {\n    this.beforeScript('id').x()\n    'id'\n}\n", 2),
    ("process A {\n    container = 'x'\n    'id'\n}\n", 2),
    ("process A {\n    publishDir(*['a'])\n    'id'\n}\n", 2),
    ("process A {\n    publishDir(*: [path: 'a'])\n    'id'\n}\n", 2),
    ("process A {\n    input:\n    val x from y\n    script:\n    'id'\n}\n", 3),
    ("process A {\n    output:\n    file 'x' into y\n    script:\n    'id'\n}\n", 3),
    ("process A {\n    other:\n    'id'\n}\n", 3),
    ("process A {\n    script:\n    'id'\n    exec:\n    println 1\n}\n", 1),
    ("process A {\n    cpus 1\n    while (true) { }\n}\n", 3),
    ("process A { }\n", 1),
    ("workflow {\n    get:\n    x\n}\n", 3),
    ("workflow A {\n    take:\n    if (params.number) { x }\n    main:\n    x\n}\n", 3),
    ("workflow { }\nworkflow { }\n", 2),
    ("output { }\noutput { }\n", 2),
    ("output {\n    x = 1\n}\n", 2),
    ("output {\n    x {\n        if (params.number) { path 'y' }\n    }\n}\n", 3),
]


# Nor is it seen through where a strict script has it.
STRICT = [
    ("workflow {\n    process HIDDEN {\n        'id'\n    }\n}\n", 2),
    ("workflow {\n    [1].each { include('./fine') }\n}\n", 2),
]


def read(folder: Path, files: dict[str, str]) -> NextflowOutline:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return nextflow_outline(SETTINGS, folder, entry="main.nf")


def by_file(seen: NextflowOutline) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = defaultdict(list)
    for one in lint(seen, parse_manifest(yaml.safe_dump(MANIFEST)), IMAGES):
        if one.code not in ("process-missing", "process-free", "output-not-promised", "parameter-undeclared"):
            found[one.file].append(one)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> NextflowOutline:
    """All in one folder, as each start of a Java costs seconds."""
    files = dict(FINE)
    for number in READABLE:
        _, wrong, right = CASES[number]
        files |= {
            f"strict{number}.nf": wrong,
            f"wrong{number}.nf": wrong + BESIDE,
            f"right{number}.nf": right + BESIDE,
        }
        if (bare := ENTRY.fullmatch(wrong)) is not None:
            files[f"bare{number}.nf"] = f"{bare[1].strip()}\nworkflow {{ }}\n"
    files |= {f"hidden{n}.nf": f"{text}workflow {{ }}\n" for n, (_, text, _) in enumerate(HIDDEN)}
    files |= {f"refused{n}.nf": text + BESIDE for n, (text, _) in enumerate(REFUSED)}
    files |= {f"hidden{len(HIDDEN) + n}.nf": text for n, (text, _) in enumerate(STRICT)}
    return read(tmp_path_factory.mktemp("beside"), files)


@pytest.fixture(scope="module")
def found(seen: NextflowOutline) -> dict[str, list[Finding]]:
    return by_file(seen)


@pytest.mark.parametrize("number", READABLE, ids=lambda n: f"{n}-{CASES[n][0]}")
def test_each_finding_of_a_strict_script_is_found(found: dict[str, list[Finding]], number: int) -> None:
    assert {one.code for one in found[f"wrong{number}.nf"]} == {one.code for one in found[f"strict{number}.nf"]}
    assert all(one.line > 0 for one in found[f"wrong{number}.nf"])
    assert found[f"right{number}.nf"] == []


def test_what_an_entry_must_not_do_is_found_outside_of_it(found: dict[str, list[Finding]]) -> None:
    outside = [n for n in READABLE if ENTRY.fullmatch(CASES[n][1])]
    assert len(outside) > 20
    for number in outside:
        assert {one.code for one in found[f"bare{number}.nf"]} >= {CASES[number][0]} - {"parameter-undeclared"}, (
            CASES[number][1]
        )


@pytest.mark.parametrize("number", range(len(HIDDEN)))
def test_code_hidden_beside_is_found_with_its_line(found: dict[str, list[Finding]], number: int) -> None:
    code, text, line = HIDDEN[number]
    assert (code, line) in {(one.code, one.line) for one in found[f"hidden{number}.nf"]}, text


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_no_reading_sees_through_is_refused_with_its_line(found: dict[str, list[Finding]], number: int) -> None:
    text, line = REFUSED[number]
    wrong = {
        (one.code, one.line) for one in found[f"refused{number}.nf"] if TABLE[one.code].severity is Severity.ERROR
    }
    assert ("unreadable", line) in wrong, (text, wrong)


INCLUDES = 'include { FINE } from "$projectDir/fine"\ninclude { FINE as F } from "${baseDir}/folder/../folder"\n'
OUTSIDE = 'include { FINE } from "$projectDir/../fine"\ninclude { X } from "$projectDir//etc/x"\n'
IMAGES_BY_NAME = """
def image = 'genomics'
other = 'genomics'
[1].each { other = 'joiner' }
third = 'genomics'
this.third = 'else'
def place = "${params.label}/x"
process ONE {
    container image
    publishDir place
    output:
    path 'x'
    'true > x'
}
process TWO {
    container other
    output:
    path 'x'
    'true > x'
}
process THREE {
    container third
    output:
    path 'x'
    'true > x'
}
process FOUR {
    container image
    input:
    val image
    output:
    path 'x'
    'true > x'
}
"""


def test_an_include_from_the_workflows_folder_is_followed_and_stays_there(tmp_path: Path) -> None:
    seen = read(tmp_path, FINE | {"in.nf": INCLUDES + BESIDE, "out.nf": OUTSIDE + BESIDE})
    assert [one.target for one in seen.includes if one.file == "in.nf"] == ["fine.nf", "folder/main.nf"]
    assert [one.target for one in seen.includes if one.file == "out.nf"] == [None, None]
    assert [one.code for one in by_file(seen)["out.nf"]] == ["include-missing", "include-missing"]


def test_a_name_stands_for_its_value_where_nothing_else_can_be_its_value(tmp_path: Path) -> None:
    seen = read(tmp_path, FINE | {"names.nf": IMAGES_BY_NAME + BESIDE})
    images = {one.name: one.all_of("container")[0].word for one in seen.processes if one.file == "names.nf"}
    assert images == {"ONE": "genomics", "TWO": "other", "THREE": "third", "FOUR": "image"}
    folder = next(one for one in seen.processes if one.name == "ONE").all_of("publishDir")[0].value
    assert folder is not None
    assert folder.value == "${params.label}/x"
    wrong = {(one.code, one.line) for one in by_file(seen)["names.nf"]}
    assert {code for code, _ in wrong} == {"image-unknown"}
    assert len(wrong) == 3


@pytest.mark.parametrize("number", range(len(STRICT)))
def test_nothing_is_declared_inside_of_other_code(found: dict[str, list[Finding]], number: int) -> None:
    line = STRICT[number][1]
    assert ("unreadable", line) in {(one.code, one.line) for one in found[f"hidden{len(HIDDEN) + number}.nf"]}
