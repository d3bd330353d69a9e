"""What an engine may see of data is counted in bits and checked letter by letter."""

import math
from typing import Any

import pytest

from strongroom.errors import BadRequest
from wes.glimpses import Left, parse_glimpses, text_of, within
from wes.vetting import Statement, statement_of

NAMES = {"rule": "split", "characters": "a-c", "longest": 2, "most": 3}
LISTS = {"file": "work/found.txt", "rule": "find", "characters": "A-Z0-9_", "longest": 5, "most": 2}
CLEAR = {"input": "sheet", "file": "samples.tsv", "characters": "a-c\t _", "longest": 300, "most": 20}
GRANTED = parse_glimpses({"names": [NAMES], "lists": [LISTS]})


def test_a_grant_is_shown_to_vetters_in_bits() -> None:
    assert GRANTED.names["split"].bits == math.ceil(3 * math.log2(1 + 3 + 9))
    assert GRANTED.sentences() == [
        "The engine sees names that rule split gives: at most 3 of 2 letters, 12 bits of data.",
        "The engine reads work/found.txt of rule find: at most 2 of 5 letters, 53 bits of data.",
    ]


@pytest.mark.parametrize(
    ("names", "fit"),
    [
        (["a", "bb"], True),
        ([], None),  # nothing in the folder: nothing is told
        (["a", "b", "c", "ab"], False),
        (["abc"], False),
        (["d"], False),
        (["a/b"], False),
        (["a\n"], False),
        (["á"], False),
    ],
)
def test_names_stay_within_the_grant(names: list[str], fit: bool | None) -> None:
    assert within(GRANTED, "split", [Left(f"parts/{name}", "parts") for name in names]) is fit


def test_each_folder_of_a_rule_counts_for_itself_and_other_rules_tell_nothing() -> None:
    two = [Left(f"{folder}/{name}", folder) for folder in ("x", "y") for name in ("a", "b", "c")]
    assert within(GRANTED, "split", two) is True
    assert within(GRANTED, "other", two) is None


@pytest.mark.parametrize(
    ("told", "fit"), [(("CHR1", "X"), True), ((), True), (None, False), (("A", "B", "C"), False), (("chr1",), False)]
)
def test_lines_are_believed_only_if_the_walls_told_them_and_they_fit(told: Any, fit: bool) -> None:
    assert within(GRANTED, "find", [Left("work/found.txt", None, told)]) is fit


def test_a_list_that_another_rule_wrote_is_refused() -> None:
    assert within(GRANTED, "sneak", [Left("work/found.txt", None, ("X",))]) is False


def test_only_granted_files_have_a_text() -> None:
    assert text_of(GRANTED, Left("work/found.txt", None, ("CHR1", "X"))) == b"CHR1\nX\n"
    assert text_of(GRANTED, Left("work/other.txt", None, ("CHR1",))) is None
    assert text_of(GRANTED, Left("work/found.txt")) is None


def test_a_clear_file_is_told_to_vetters_and_signed_by_name_and_caps() -> None:
    grants = parse_glimpses({"clear": [CLEAR]})
    assert grants.sentences() == [
        "The engine reads samples.tsv of input sheet, where its owner marked it as clear: "
        "at most 20 lines of 300 letters."
    ]
    (one,) = grants.clear
    assert one.path == "inputs/sheet/samples.tsv"
    assert one.facts() == {**CLEAR, "characters": "\t _abc"}
    said = Statement("w", "1.0.0", "sha256:0", {}, (one.facts(),))
    assert statement_of(said.facts()) == said
    assert "clear" not in Statement("w", "1.0.0", "sha256:0", {}).facts()  # what was signed before stays signed


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"names": {}}, "names is a list"),
        ({"names": ["split"]}, "names is a list"),
        ({"names": [{**NAMES, "more": 1}]}, "each has exactly"),
        ({"names": [{**NAMES, "rule": "a b"}]}, "rule's name"),
        ({"names": [{**NAMES, "characters": "é"}]}, "characters"),
        ({"names": [{**NAMES, "characters": "z-a"}]}, "backwards"),
        ({"names": [{**NAMES, "characters": ""}]}, "characters"),
        ({"names": [{**NAMES, "most": True}]}, "most"),
        ({"names": [{**NAMES, "most": 0}]}, "most"),
        ({"names": [{**NAMES, "longest": 101}]}, "longest"),
        ({"names": [{**NAMES, "longest": "5"}]}, "longest"),
        ({"names": [{**NAMES, "characters": "A-Za-z0-9", "longest": 100, "most": 10_000}]}, "no list but a copy"),
        ({"names": [NAMES, NAMES]}, "one entry a rule"),
        ({"lists": [{**LISTS, "file": "inputs/calls/a"}]}, "file is one path"),
        ({"lists": [{**LISTS, "file": "../a"}]}, "file is one path"),
        ({"lists": [{**LISTS, "file": "a*"}]}, "file is one path"),
        ({"clear": [{**CLEAR, "rule": "r"}]}, "each has exactly"),
        ({"clear": [{**CLEAR, "file": "*.tsv"}]}, "the name of one file"),
        ({"clear": [{**CLEAR, "file": "../a"}]}, "the name of one file"),
        ({"clear": [{**CLEAR, "input": "a/b"}]}, "the name of one file"),
        ({"clear": [{**CLEAR, "characters": "a\n"}]}, "characters"),
        ({"clear": [{**CLEAR, "longest": 1001}]}, "longest"),
        ({"clear": [{**CLEAR, "longest": 1000, "most": 1000}]}, "no sample sheet"),
        ({"clear": [CLEAR, CLEAR]}, "one entry a file"),
    ],
)
def test_a_grant_that_is_not_plain_is_refused(raw: dict[str, Any], word: str) -> None:
    with pytest.raises(BadRequest, match=word):
        parse_glimpses(raw)
