"""Wildcards mean what POSIX says (IEEE Std 1003.1-2017, 2.13), and no pattern is a bomb."""

import fnmatch
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.patterns import has_wildcards, matches

NAMES = [
    "a",
    "b",
    "ab",
    "abc",
    "a.txt",
    "b.txt",
    ".hidden",
    "a-b",
    "A",
    "1",
    "12",
    "]",
    "!",
    "a]",
    "^a",
    "x[1",
    "a b",
]


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("*", {n for n in NAMES if n != ".hidden"}),
        ("?", {"a", "b", "A", "1", "]", "!"}),
        ("*.txt", {"a.txt", "b.txt"}),
        ("a*", {"a", "ab", "abc", "a.txt", "a-b", "a]", "a b"}),
        ("[ab]", {"a", "b"}),
        ("[!ab]", {"A", "1", "]", "!"}),
        ("[a-b]*", {"a", "b", "ab", "abc", "a.txt", "b.txt", "a-b", "a]", "a b"}),
        ("[]]", {"]"}),
        ("[!]]", {"a", "b", "A", "1", "!"}),
        ("[[:digit:]]", {"1"}),
        ("[[:digit:]]*", {"1", "12"}),
        ("[[:upper:]1]", {"A", "1"}),
        ("[a-]*b", {"ab", "a-b", "a b"}),
        ("x[1", {"x[1"}),
        (".*", {".hidden"}),
        ("[.]hidden", set()),
        ("?hidden", set()),
        ("*b*c*", {"abc"}),
        ("[[.a.]]", {"a"}),
        ("[[:nothing:]]", set()),
        ("**", {n for n in NAMES if n != ".hidden"}),
        ("", set()),
    ],
)
def test_a_pattern_takes_these_names(pattern: str, taken: set[str]) -> None:
    assert {name for name in NAMES if matches(name, pattern)} == taken


@given(st.text("ab.-*?", max_size=8), st.text("ab.-", min_size=1, max_size=10))
def test_stars_and_question_marks_are_those_of_fnmatch_but_for_leading_dots(pattern: str, name: str) -> None:
    dotted = name.startswith(".") and not pattern.startswith(".")
    assert matches(name, pattern) == (fnmatch.fnmatchcase(name, pattern) and not dotted)


@pytest.mark.parametrize("pattern", ["[a-c]*", "[!a]*", "*[[:digit:]]", "?.*", "[]a]", "a[b", "[[:alpha:]-]*"])
def test_the_shell_takes_the_same_files(tmp_path: Path, pattern: str) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    script = f'for f in {pattern}; do [ -e "$f" ] && printf "%s\\n" "$f"; done; :'
    told = subprocess.run(["dash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {name for name in NAMES if matches(name, pattern)} == set(told.stdout.splitlines())


def test_a_bomb_of_stars_is_answered() -> None:
    assert not matches("a" * 255, "a*" * 120 + "b")


@pytest.mark.parametrize(
    ("path", "several"), [("/a/*", True), ("/a/?", True), ("/a[12]", True), ("/a[1", False), ("/a/b", False)]
)
def test_what_has_wildcards(path: str, several: bool) -> None:
    assert has_wildcards(path) is several
