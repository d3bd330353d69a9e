"""Words fit a pattern of plain letters as `re` says, but for options; nothing of a shell fits any."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.plain_patterns import MOST_CHARACTERS, plain_pattern

ATOMS = st.one_of(
    st.sampled_from("aZ09_"),
    st.builds(
        lambda letters, times: f"[{letters}]{times}",
        st.lists(st.sampled_from(["a-c", "A-B", "0-9", "x", "_", "."]), min_size=1, max_size=3).map("".join),
        st.sampled_from(["", "{0,2}", "{1,3}", "{2}", "{0}"]),
    ),
)


@given(st.lists(ATOMS, min_size=1, max_size=5).map("".join), st.text("abcxAB09_.z;", max_size=9))
def test_a_word_fits_as_regular_expressions_say(inside: str, word: str) -> None:
    pattern = plain_pattern(f"^{inside}$")
    assert pattern is not None
    assert pattern.fits(word) == (re.fullmatch(inside, word) is not None)


@pytest.mark.parametrize(
    "text",
    [
        "^[A-z]{1,20}$",  # [ \ ] ^ _ ` stand between Z and a
        "^[.-z]{1,64}$",
        "^[+--]$",
        "^[_-a]$",
        "^[0-Z]$",
        "^[z-a]$",
        "^[9-0]$",
        "^[a-zA-Z0-9.-_]$",
        "^[a-c-e]$",
        "^[^a]$",
        "^a{2,1}$",
        "^$",
        "[a-z]",
        "^[a-z]+$",
        "^(a)$",
        "^a|b$",
        "^.*$\n",
        "^a$$",
        "^[]$",
        "^........$",  # to JSON Schema these are eight letters of any kind
        f"^{'a' * MOST_CHARACTERS}$",
    ],
)
def test_t18_what_could_mean_something_to_a_shell_is_no_pattern(text: str) -> None:
    assert plain_pattern(text) is None


@given(st.text("^$[]{},abzAZ09._-|(;`\\", max_size=24), st.text(min_size=1, max_size=4))
def test_t18_no_pattern_lets_a_character_of_the_shell_through(inside: str, word: str) -> None:
    pattern = plain_pattern(f"^{inside}$")
    if pattern is not None and pattern.fits(word):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", word)


@pytest.mark.parametrize(
    ("text", "word", "fits"),
    [
        ("^[A-Za-z0-9._-]{1,9}$", "a-b.c", True),
        ("^[A-Za-z0-9._-]{1,9}$", "-rf", False),
        ("^[a-z]{0,1}[-a]{1,3}$", "-a", False),
        ("^[a-z]{1}[-a]{1,3}$", "x-a", True),
        ("^-[a-z]$", "-k", True),
        ("^[-]{0,1}[0-9]{1,3}$", "-12", True),
        ("^[a-z]$", "a\n", False),
        ("^[a-z]{0,5}$", "", True),
    ],
)
def test_a_word_is_an_option_only_where_the_pattern_says_so(text: str, word: str, fits: bool) -> None:
    pattern = plain_pattern(text)
    assert pattern is not None
    assert pattern.fits(word) is fits


def test_t30_a_pattern_of_many_sets_is_tried_in_linear_time() -> None:
    pattern = plain_pattern(f"^{'[a-z]{0,60}' * 30}$")
    assert pattern is not None
    assert not pattern.fits("a" * 1700 + "B")  # re takes longer than the universe lasts
    assert pattern.fits("a" * 1700)
