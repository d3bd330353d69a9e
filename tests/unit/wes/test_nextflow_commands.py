"""T18: a process runs a script that fits a signed template, or is one whose commands vetters left free."""

import time

import pytest

from strongroom.errors import BadRequest, NotAllowed
from wes.nextflow_commands import Command, is_obeyed, parse_commands

ALIGN = "bwa mem -t @{cpus} @{fasta} @{reads*} > @{out}.sam\nsamtools index @{out}.sam\n"
COMMANDS = parse_commands({"ALIGN": ALIGN, "PY": "#!/usr/bin/env python3\nprint(@{n})"}, ["FREE"])
HEAD = "#!/bin/bash -ue\n"


@pytest.mark.parametrize(
    "script",
    [
        HEAD + "bwa mem -t 4 ref.fa r1.fq r2.fq > p1.sam\nsamtools index p1.sam\n",
        HEAD + "bwa mem -t 4 ref.fa r1.fq > a.sam.sam\nsamtools index a.sam.sam",
        HEAD + "\nbwa mem -t 4 ref.fa r1.fq > p1.sam\nsamtools index p1.sam\n\n".lstrip("\n"),
    ],
)
def test_t18_a_script_that_fits_its_template_is_bound(script: str) -> None:
    assert COMMANDS.is_bound("ALIGN", Command(script))


@pytest.mark.parametrize(
    "filled",
    [
        "4; id",
        "$(id)",
        "`id`",
        "4 > x",
        "4 | sh",
        "a&b",
        "a\nid",
        "-o",
        "/etc/passwd",
        "'a'",
        '"a"',
        "a*",
        "~",
        "é",
        "",
        " a",
        "a\tb",
    ],
)
def test_t18_a_hole_holds_no_shell_no_option_and_no_path_from_the_root(filled: str) -> None:
    script = f"{HEAD}bwa mem -t {filled} ref.fa r1.fq > p1.sam\nsamtools index p1.sam\n"
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("ALIGN", Command(script))


@pytest.mark.parametrize(
    "script",
    [
        HEAD + "id",
        HEAD,
        "",
        "bwa mem -t 4 ref.fa r1.fq > p1.sam\nsamtools index p1.sam\n",
        "#!/bin/sh\nbwa mem -t 4 ref.fa r1.fq > p1.sam\nsamtools index p1.sam\n",
        HEAD + "id\nbwa mem -t 4 ref.fa r1.fq > p1.sam\nsamtools index p1.sam\n",
        HEAD + "bwa mem -t 4 ref.fa r1.fq > p1.sam\nsamtools index p1.sam\nid",
        HEAD + "bwa mem -t 4 ref.fa r1.fq -o x > p1.sam\nsamtools index p1.sam\n",
        HEAD + "bwa mem -t 4 5 ref.fa r1.fq;id > p1.sam\nsamtools index p1.sam\n",
    ],
)
def test_t18_any_other_script_of_a_bound_process_is_refused(script: str) -> None:
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("ALIGN", Command(script))


def test_t18_a_script_of_another_language_is_bound_with_its_first_line() -> None:
    assert COMMANDS.is_bound("PY", Command("#!/usr/bin/env python3\nprint(3)\n"))
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("PY", Command(HEAD + "print(3)"))


def test_t18_free_commands_are_named_and_nothing_else_runs() -> None:
    assert not COMMANDS.is_bound("FREE", Command("anything"))
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("UNKNOWN", Command(HEAD + "true"))


def test_t30_matching_takes_linear_time() -> None:
    commands = parse_commands({"P": "x " + "@{a*} " * 48 + "end"}, [])
    begun = time.monotonic()
    with pytest.raises(NotAllowed):
        commands.is_bound("P", Command(HEAD + "x " + "a " * 24_900))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("processes", "free"),
    [
        ([], []),
        ({}, {}),
        ({"a b": "x"}, []),
        ({"A": ""}, []),
        ({"A": []}, []),
        ({"A": 5}, []),
        ({"A": "x @{Y}"}, []),
        ({"A": "x @{y"}, []),
        ({"A": "x" * 30_000}, []),
        ({"A": "@{a} " * 51}, []),
        ({"A": "@env X=@{x}"}, []),
        ({"A": "@env X=@{x\ntrue"}, []),
        ({"A": "@env X=@{x}\n@env X=@{y}\ntrue"}, []),
        ({"A": "@stdin @{x}\n@stdin @{y}\ntrue"}, []),
        ({"A": "@env LD_PRELOAD=@{x}\ntrue"}, []),
        ({"A": "x"}, ["A"]),
        ({}, [5]),
        ({}, ["$(id)"]),
    ],
)
def test_what_is_not_well_formed_is_refused(processes: object, free: object) -> None:
    with pytest.raises(BadRequest):
        parse_commands(processes, free)


WORDS = "and . _ + = , / @ % : -, begins with a letter, a digit or _"


@pytest.mark.parametrize("value", ["Hello world!", "Anna B.", "-option", "é", "'a'", ""])
def test_a_value_that_fits_no_hole_is_told_which_letters_one_has_and_never_itself(value: str) -> None:
    commands = parse_commands({"TELL": "tell @{greeting}!\ntell again @{greeting}."}, [])
    with pytest.raises(NotAllowed) as refusal:
        commands.is_bound("TELL", Command(f"{HEAD}tell {value}!\ntell again {value}."))
    assert WORDS in refusal.value.sentence
    assert "@{name*}" in refusal.value.sentence
    assert "ask a vetter" in refusal.value.sentence
    assert not value or value not in refusal.value.sentence


@pytest.mark.parametrize("script", ["tell", "sing a!\ntell again a", "tell a!\ntell once a", "tell !"])
def test_what_is_no_matter_of_values_is_not_called_one(script: str) -> None:
    commands = parse_commands({"TELL": "tell @{greeting}!\ntell again @{greeting}."}, [])
    with pytest.raises(NotAllowed, match=r"signed in the manifest's processes\.$"):
        commands.is_bound("TELL", Command(HEAD + script))


def test_t30_looking_for_values_takes_linear_time() -> None:
    commands = parse_commands({"P": "@{a}aaab" * 40 + "end"}, [])
    begun = time.monotonic()
    with pytest.raises(NotAllowed):
        commands.is_bound("P", Command(HEAD + "a" * 49_000 + "end"))
    assert time.monotonic() - begun < 10


BESIDE = parse_commands(
    {
        "GREET": "@env WHOM=@{whom*}\n@env HOW=loudly\n@stdin @{words*}\necho $WHOM",
        "PLAIN": "echo",
        "PY": "@env N=@{n}\n#!/usr/bin/env python3\nimport os",
        "FREE_OF_ENV": "@stdin @{one}\ncat",
    },
    [],
)
GREETED = {"WHOM": "all the world", "HOW": "loudly"}


@pytest.mark.parametrize(
    ("process", "command"),
    [
        ("GREET", Command(HEAD + "echo $WHOM", GREETED, "a b")),
        ("GREET", Command(HEAD + "echo $WHOM\n", GREETED, "a b\n")),
        ("PLAIN", Command(HEAD + "echo")),
        ("PY", Command("#!/usr/bin/env python3\nimport os\n", {"N": "3"})),
        ("FREE_OF_ENV", Command(HEAD + "cat", {}, "one")),
    ],
)
def test_t18_words_beside_a_script_are_bound_with_it(process: str, command: Command) -> None:
    assert BESIDE.is_bound(process, command)


@pytest.mark.parametrize(
    ("process", "command"),
    [
        ("GREET", Command(HEAD + "echo $WHOM", GREETED)),
        ("GREET", Command(HEAD + "echo $WHOM", {"WHOM": "x"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", {**GREETED, "MORE": "x"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", {**GREETED, "HOW": "quietly"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", {**GREETED, "WHOM": "-rf"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", {**GREETED, "WHOM": "$(id)"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", {**GREETED, "WHOM": "a\nb"}, "a")),
        ("GREET", Command(HEAD + "echo $WHOM", GREETED, "a\nid")),
        ("GREET", Command(HEAD + "echo $WHOM", GREETED, "")),
        ("PLAIN", Command(HEAD + "echo", {"X": "x"})),
        ("PLAIN", Command(HEAD + "echo", {}, "x")),
        # Above the script they would be a script of bash.
        ("PY", Command("@env N=3\n#!/usr/bin/env python3\nimport os")),
        ("PY", Command(HEAD + "@env N=3\n#!/usr/bin/env python3\nimport os")),
        ("PY", Command(HEAD + "export N=3\n#!/usr/bin/env python3\nimport os")),
        ("FREE_OF_ENV", Command(HEAD + "cat", {}, "x" * 60_000)),
    ],
)
def test_t18_other_words_beside_a_script_are_refused(process: str, command: Command) -> None:
    with pytest.raises(NotAllowed):
        BESIDE.is_bound(process, command)


@pytest.mark.parametrize(
    "name", ["PATH", "LD_PRELOAD", "BASH_ENV", "PYTHONSTARTUP", "HOME", "R_PROFILE", "a b", "", "1"]
)
def test_t18_what_programs_obey_is_no_variable_of_a_task(name: str) -> None:
    assert is_obeyed(name)
    assert not is_obeyed("SAMPLE")
    assert not is_obeyed("PATHS")
