"""Inputs `env` and `stdin` are words that a task gets beside its script, bound as the draft says (T18)."""

from pathlib import Path

import pytest
from nextflow_house import Both, House, beside_bare, check_published, workflow, written

from strongroom.settings import Settings
from wes.nextflow_drafts import draft, draft_commands
from wes.outlining import nextflow_outline

MAIN = """
process TOLD {
    container 'genomics'
    publishDir 'results/told'
    input:
    tuple val(number), env('WHOM')
    output:
    path "${number}.txt"
    script:
    \"\"\"
    printf '%s.' "\\$WHOM" > ${number}.txt
    \"\"\"
}
process READING {
    container 'genomics'
    publishDir 'results/reading'
    input:
    tuple val(number), stdin
    output:
    path "${number}.txt"
    script:
    \"\"\"
    cat > ${number}.txt; printf '.' >> ${number}.txt
    \"\"\"
}
process BOTH {
    container 'genomics'
    publishDir 'results/both'
    input:
    env 'FIRST_ONE'
    env SECOND
    stdin
    output:
    path 'both.txt'
    script:
    \"\"\"
    #!/usr/bin/env python3
    import os, sys
    open('both.txt', 'w').write('|'.join((os.environ['FIRST_ONE'], os.environ['SECOND'], sys.stdin.read())))
    \"\"\"
}
workflow {
    TOLD(Channel.of([1, 'all the world'], [2, 5], [3, 3.5], [4, 'a/b:c@d%e']))
    READING(Channel.of([1, 'some words'], [2, 5], [3, 'one line\\n']))
    BOTH('a b', 7, 'from stdin')
}
"""
TEMPLATES = {
    "TOLD": """@env WHOM=@{whom*}\nprintf '%s.' "$WHOM" > @{number}.txt\n""",
    "READING": "@stdin @{stdin*}\ncat > @{number}.txt; printf '.' >> @{number}.txt\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("words") / "words" / "1.0.0", {"main.nf": MAIN})


@pytest.fixture(scope="module")
def both(folder: Path) -> Both:
    seen = nextflow_outline(Settings(), folder, entry="main.nf")
    return beside_bare(folder, draft(seen, {}, folder=("words", "1.0.0"), version="25.04.4"))


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ("told", {"1.txt", "2.txt", "3.txt", "4.txt"}),
        ("reading", {"1.txt", "2.txt", "3.txt"}),
        ("both", {"both.txt"}),
    ],
)
def test_tasks_get_the_words_that_bare_nextflow_gives_them(both: Both, place: str, names: set[str]) -> None:
    check_published(both, place, names)


def test_vetters_read_them_in_the_template(folder: Path) -> None:
    drafted = draft_commands(nextflow_outline(Settings(), folder, entry="main.nf"))
    assert {name: drafted["processes"][name] for name in TEMPLATES} == TEMPLATES
    assert drafted["processes"]["BOTH"].startswith(
        "@env FIRST_ONE=@{first_one*}\n@env SECOND=@{second*}\n@stdin @{stdin*}\n#!/usr/bin/env python3\n"
    )
    assert drafted["free_commands"] == []


@pytest.mark.parametrize("words", ["-rf", "it is $HOME", "a; id"])
def test_t18_other_words_stop_the_run_and_are_not_told(tmp_path: Path, words: str) -> None:
    one = MAIN.partition("process READING")[0] + f"workflow {{ TOLD([1, '{words}']) }}\n"
    ended = House(tmp_path / "house", workflow(tmp_path / "flow", {"main.nf": one}, processes=TEMPLATES)).run()
    assert ended.code != 0
    assert "TOLD: its script is not what the vetters signed" in ended.log
    assert words not in ended.log
    assert ended.files == {}
