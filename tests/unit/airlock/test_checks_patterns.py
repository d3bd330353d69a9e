"""The small pattern language: what it takes, what it refuses, and that it cannot be made slow (T30)."""

import time

import pytest

from airlock.checks.patterns import PatternRefused, bits, matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("[0-9]{1,3}-[0-9]{1,3}", "18-39", True),
        ("[0-9]{1,3}-[0-9]{1,3}", "18-3999", False),
        ("[0-9]{2}-[0-9]{2}|[0-9]{2}\\+", "80+", True),
        ("chr[0-9XY]{1,2}", "chr22", True),
        ("chr[0-9XY]{1,2}", "chr22\n", False),
        ("\\d\\.\\d{2}", "0.12", True),
        ("\\d\\.\\d{2}", "0x12", False),
        ("a?b", "b", True),
        ("a?b", "aab", False),
        ("[a\\-z]", "-", True),
        ("[a\\-z]", "b", False),
        ("[a-c]{2}", "", False),
        ("\\d", "٣", False),
    ],
)
def test_a_cell_is_a_word_of_the_pattern_or_not(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


@pytest.mark.parametrize(
    "pattern", ["", "a*", "a+", "(a)", ".*|", "[z-a]", "a{5,2}", "a{99}", "[", "^a$", "[^a]", "x" * 200]
)
def test_what_could_be_slow_or_open_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        matches(pattern, "a")


def test_bits_bound_what_a_cell_can_carry() -> None:
    assert bits("[01]{8}") == 8
    assert bits("a|b|c|d") == 2
    assert 19 < bits("[0-9]{1,3}-[0-9]{1,3}") < 21


def test_t30_no_pattern_is_slow() -> None:
    started = time.monotonic()
    assert not matches("a{0,40}" * 15, "a" * 255 + "b")
    assert time.monotonic() - started < 1
