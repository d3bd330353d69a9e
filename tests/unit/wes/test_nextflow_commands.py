"""T18: a process runs a script that fits a signed template, or is one whose commands vetters left free."""

import time

import pytest

from strongroom.errors import BadRequest, NotAllowed
from wes.nextflow_commands import parse_commands

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
    assert COMMANDS.is_bound("ALIGN", script)


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
        COMMANDS.is_bound("ALIGN", script)


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
        COMMANDS.is_bound("ALIGN", script)


def test_t18_a_script_of_another_language_is_bound_with_its_first_line() -> None:
    assert COMMANDS.is_bound("PY", "#!/usr/bin/env python3\nprint(3)\n")
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("PY", HEAD + "print(3)")


def test_t18_free_commands_are_named_and_nothing_else_runs() -> None:
    assert not COMMANDS.is_bound("FREE", "anything")
    with pytest.raises(NotAllowed):
        COMMANDS.is_bound("UNKNOWN", HEAD + "true")


def test_t30_matching_takes_linear_time() -> None:
    commands = parse_commands({"P": "x " + "@{a*} " * 48 + "end"}, [])
    begun = time.monotonic()
    with pytest.raises(NotAllowed):
        commands.is_bound("P", HEAD + "x " + "a " * 24_900)
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
        commands.is_bound("TELL", f"{HEAD}tell {value}!\ntell again {value}.")
    assert WORDS in refusal.value.sentence
    assert "@{name*}" in refusal.value.sentence
    assert "ask a vetter" in refusal.value.sentence
    assert not value or value not in refusal.value.sentence


@pytest.mark.parametrize("script", ["tell", "sing a!\ntell again a", "tell a!\ntell once a", "tell !"])
def test_what_is_no_matter_of_values_is_not_called_one(script: str) -> None:
    commands = parse_commands({"TELL": "tell @{greeting}!\ntell again @{greeting}."}, [])
    with pytest.raises(NotAllowed, match=r"signed in the manifest's processes\.$"):
        commands.is_bound("TELL", HEAD + script)


def test_t30_looking_for_values_takes_linear_time() -> None:
    commands = parse_commands({"P": "@{a}aaab" * 40 + "end"}, [])
    begun = time.monotonic()
    with pytest.raises(NotAllowed):
        commands.is_bound("P", HEAD + "a" * 49_000 + "end")
    assert time.monotonic() - begun < 10
