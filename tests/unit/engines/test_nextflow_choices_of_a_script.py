"""What a script's code chooses between is drafted form by form, and runs as by bare Nextflow; the rest is free."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_house import Both, beside_bare, check_published, written

from strongroom.settings import Settings
from wes.lint import Finding
from wes.manifest import parse_manifest
from wes.nextflow_drafts import draft
from wes.nextflow_lint import lint
from wes.nextflow_outline import NextflowOutline
from wes.outlining import nextflow_outline

# What a script's code says of `word`, and its forms; None: free.
SAID: list[tuple[str, list[str] | None]] = [
    ('def word = x ? "${one}" : "${one[0]} ${one[1]}"', ["@{word*}", "@{one_0} @{one_1}"]),
    ('def word = x == 2 ? "${two}" : "${two[0]} ${two[1]}"', ["@{word*}", "@{two_0} @{two_1}"]),
    ("def word = x == 2 ? (params.flag ? '-a' : '-b') : '-c'", ["-a", "-b", "-c"]),
    ("def word = x == 2 ? '-c' : params.flag ? \"-a $x\" : ''", ["-c", "-a @{x*}", ""]),
    ('def word = params.flag ? "" : "; echo \'${x} $one\'"', ["", "; echo '@{x*} @{one*}'"]),
    ("def word = params.none ?: ''", ["@{word}", ""]),
    ("def word = params.words ?: ''", ["a b", "@{word}", ""]),
    ("def word = params.none ?: params.words ?: 'other'", ["@{word}", "a b"]),
    ("def word = params.flag ? two : ''", ["@{word*}", ""]),
    ("def word = x ?: 'none'", ["@{word}"]),
    ("def word = params.flag ? x : 'other'", ["@{word}"]),
    ("def word = x instanceof List ? x.join(' ') : x", ["@{word*}"]),
    ("def same = made(x) == '-m'\n    def word = same ? \"--x $x\" : ''", ["--x @{x*}", ""]),
    ("def word = made(x)", None),
    ("def word = params.flag ? made(x) : ''", None),
    ('def inner = made(x)\n    def word = "${inner}_more"', None),
    ("def word = params.flag ? 'a ? b : c' : \"-r $x\"", None),
    ('def word = params.flag ? "\\$HOME $x" : ""', None),
    ("def word = '-o ' + (params.flag ? 'a' : 'b')", None),
    ("def word = params.flag ? 'w' : two.collect { \"-I $it\" }.join(' ')", None),
    ("def word = ''\n    if (x) {\n        word = \"-x $x\"\n    }", ["-x @{x*}", ""]),
    ("def word = \"${x} ${one}\"\n    word += ' more'", ["@{x*} @{one*} more"]),
    ("def word = params.flag ? '-a' : ''\n    word += ' -b'", ["-a -b", " -b"]),
    (
        "def word\n    if (x == 9)\n        error 'no'\n"
        "    else if (x == 3)\n        word = '-b ' + x\n    else\n        word = \"-c $x\"",
        ["-b @{x*}", "-c @{x*}"],
    ),
    ("def inner = ''\n    if (x)\n        inner += '-i'\n    def word = \"${inner} -w\"", ["-i -w", " -w"]),
    ("def word = ''\n    [1, 2].each { word += \" -e $it\" }", None),
    ("def word = ''\n    for (n in [1, 2]) {\n        word += \" -f $n\"\n    }", None),
    ("def word = []\n    word += '-l'\n    word = word.join(' ')", None),
    ("def all = ['-l']\n    if (x)\n        all << '-m'\n    def word = all.join(' ')", None),
    ("def inner = '-i'\n    if (x)\n        inner = '-j'\n    def word = inner.trim() + made(x)", None),
    ("def inner = '-i'\n    if (x)\n        inner = made(x)\n    def word = inner", None),
    ('def word = x\n    if (x == 3)\n        error "no ${x}"', ["@{word}"]),
]
PROCESS = """
process P{number} {{
    container 'genomics'
    publishDir 'results/p{number}'
    input:
    val x
    path one
    path two
    output:
    path 'x.txt'
    script:
    {code}
    "echo ${{word}} > x.txt"
}}
"""
MAIN = (
    "params.flag = false\nparams.none = null\nparams.words = 'a b'\ndef made(x) {\n    return '-m'\n}\n"
    + "".join(PROCESS.format(number=n, code=code) for n, (code, _) in enumerate(SAID))
    + """process FILES {
    container 'genomics'
    output:
    path 'one'
    path '*.q'
    script:
    'echo one > one; echo a > a.q; echo b > b.q'
}
process ENDS {
    container 'genomics'
    publishDir 'results/ends'
    input:
    val x
    output:
    path 'x.txt'
    script:
    if (x == 2)
        "echo ${x} > x.txt"
    else if (x == 3)
        throw new Exception('no')
    else
        error "no ${x}"
}
workflow {
    FILES()
    ENDS(2)
"""
    + "".join(f"    P{n}(2, FILES.out[0], FILES.out[1])\n" for n in range(len(SAID)))
    + "}\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("choices") / "choices" / "1.0.0", {"main.nf": MAIN})


@pytest.fixture(scope="module")
def seen(folder: Path) -> NextflowOutline:
    return nextflow_outline(Settings(), folder, entry="main.nf")


@pytest.fixture(scope="module")
def drafted(seen: NextflowOutline) -> dict[str, Any]:
    return draft(seen, {}, folder=("choices", "1.0.0"), version="25.04.4")


@pytest.fixture(scope="module")
def found(seen: NextflowOutline, drafted: dict[str, Any]) -> list[Finding]:
    return lint(seen, parse_manifest(yaml.safe_dump(drafted)), {"genomics": "sha256:0"})


@pytest.fixture(scope="module")
def both(folder: Path, drafted: dict[str, Any]) -> Both:
    return beside_bare(folder, drafted)


@pytest.mark.parametrize("number", range(len(SAID)))
def test_each_form_is_drafted_or_the_process_is_free_and_says_why(
    drafted: dict[str, Any], found: list[Finding], number: int
) -> None:
    name, forms = f"P{number}", SAID[number][1]
    assert (name in drafted["free_commands"]) == (forms is None)
    assert any(one.code == "word-unclear" and one.about.startswith(f"{name}: ") for one in found) == (forms is None)
    if forms is not None:
        said = drafted["processes"][name]
        assert ([said] if isinstance(said, str) else said) == [f"echo {form} > x.txt\n" for form in forms]


def test_what_ends_the_run_is_no_script(drafted: dict[str, Any], both: Both) -> None:
    assert drafted["processes"]["ENDS"] == "echo @{x} > x.txt\n"
    check_published(both, "ends", {"x.txt"})


@pytest.mark.parametrize("number", range(len(SAID)))
def test_it_publishes_what_it_does_by_bare_nextflow(both: Both, number: int) -> None:
    check_published(both, f"p{number}", {"x.txt"})
