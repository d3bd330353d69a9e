"""Choices of a script's code are read by Groovy's text of them, or said to be unclear."""

import pytest

from wes.nextflow_choices import MOST_TEXT, Word, arms, form


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(x) ? -a : -b", ["-a", "-b"]),
        ("(x) ? a : ", ["a", ""]),
        ("(x) ?  : a", ["", "a"]),
        ("(x) ? (y) ? -a : -b : -c", ["-a", "-b", "-c"]),
        ("(x) ? -a : (y) ? -b : ", ["-a", "-b", ""]),
        ("(x.size() > 1) ? ${x} : ${x[0]} ${x[1]}", ["${x}", "${x[0]} ${x[1]}"]),
        ("x", ["x"]),
        ("(a + b)", ["(a + b)"]),
        ("(a + (x) ? b : c)", ["(a + (x) ? b : c)"]),
        ("this.f((x) ? a : b)", ["this.f((x) ? a : b)"]),
        ("(x) ? -c ? d : e : -d", None),
        ("(x) ? (foo) : bar) : -c", None),
        ("(x) ? a : b : c", None),
        ("(x) ? a ? b : c", None),
        ("((x) ? a : b) ? -c : -d", None),
        ("(" + "x" * MOST_TEXT, None),
        ("(x) ? a : " + "b" * MOST_TEXT, None),
    ],
)
def test_a_choice_has_the_arms_that_it_has_or_nobody_knows_them(text: str, found: list[str] | None) -> None:
    assert arms(text) == found


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ("", ""),
        ("-a", "-a"),
        ("--config ${x}", "--config @{x*}"),
        ("--config $x.name -k", "--config @{name*} -k"),
        ("${x[0]} ${x[1]}", "@{x_0} @{x_1}"),
        ("2> ${x}.log", "2> @{x*}.log"),
        ("-f 'a > ${params.least}'", "-f 'a > @{least*}'"),
        ("/dev/null", "/dev/null"),
        ("word", Word.PLAIN),
        ("${x}_more", Word.PLAIN),
        ("x.join( )", Word.PLAIN),
        ("(x + .bam)", Word.PLAIN),
        ("$HOME $x", Word.UNCLEAR),
        ("$(id) $x", Word.UNCLEAR),
        ("-x @{hole}", Word.UNCLEAR),
        ("-r chr(${x})", Word.UNCLEAR),
        ("a\nb", Word.UNCLEAR),
        ("x.collect({ ... }) more", Word.UNCLEAR),
    ],
)
def test_an_arm_is_a_text_of_its_own_or_words_of_a_hole(arm: str, said: str | Word) -> None:
    assert form(arm, ["x"], is_choice=True) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [("word", Word.PLAIN), ("new X(y)", Word.PLAIN), ("${x} ${x}", Word.UNCLEAR), ("", Word.UNCLEAR)],
)
def test_a_text_by_itself_may_have_more_added_to_it(text: str, said: Word) -> None:
    assert form(text, ["x"], is_choice=False) is said
