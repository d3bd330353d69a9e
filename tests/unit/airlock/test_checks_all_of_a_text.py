"""A text is read to its end or blocked: nothing hides behind more tables, braces or letters than are looked at."""

import json
import random
import time
from pathlib import Path

import pytest
from judging import judged

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.formats import prose

CHANCE = random.Random(5)
FACTS = [
    {
        "age": CHANCE.randint(20, 90),
        "sex": CHANCE.choice("FM"),
        "bmi": round(CHANCE.gauss(27, 4), 1),
        "diagnosis": "E11",
    }
    for _ in range(40)
]
SET = "age sex bmi diagnosis\n" + "".join(" ".join(map(str, one.values())) + "\n" for one in FACTS)
HARMLESS = "step alpha beta{n}\nx{n} 0.{n} 1.{n}\ny{n} 0.{n} 2\nz{n} 1 2\n\nround {n} is done\n"
LETTERS = "The run went well and nothing is to be said of it. " * 410


def test_rows_behind_many_harmless_tables_are_found(tmp_path: Path) -> None:
    before = "".join(HARMLESS.format(n=n) for n in range(700))
    assert judged(tmp_path, "x.log", "The run.\n" + before) == {}
    told = judged(tmp_path, "x.log", "The run.\n" + before + "\n" + SET)
    assert told[Code.ROW_LEVEL] is Severity.BLOCK


def test_objects_behind_many_braces_are_found(tmp_path: Path) -> None:
    before = 'print("{of} {what}")\n' * 400
    told = judged(tmp_path, "x.py", before + "\n".join(f"row({json.dumps(one)})" for one in FACTS))
    assert told[Code.ROW_LEVEL] is Severity.BLOCK


def test_lists_behind_many_of_their_length_are_found(tmp_path: Path) -> None:
    before = "".join(f"print('next')\nx{n} = {[at + n for at in range(40)]}\n" for n in range(210))
    facts = "".join(f"{name} = {[one[name] for one in FACTS]}\n" for name in ("age", "sex", "bmi"))
    assert Code.ROW_LEVEL not in judged(tmp_path, "x.py", before)
    assert judged(tmp_path, "x.py", before + facts)[Code.ROW_LEVEL] is Severity.BLOCK


@pytest.mark.parametrize("limit", ["_MAX_TABLES", "_MAX_OBJECTS", "_MAX_LITERALS", "_MAX_SCANNED", "_MAX_NAMES"])
def test_what_is_too_much_to_read_is_blocked_and_what_was_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(prose, limit, 3)
    text = SET + "\n" + "".join(HARMLESS.format(n=n) for n in range(9)) + "x = {[(1, 2\n" * 9 + json.dumps(FACTS)
    told = judged(tmp_path, "x.log", "The run.\n\n" + text)
    assert told[Code.TOO_MANY_MEMBERS] is Severity.BLOCK
    assert told[Code.ROW_LEVEL] is Severity.BLOCK


@pytest.mark.parametrize(
    "secret",
    ["joe.bloggs@example.com", "password = hunter2hunter2", "0/1 1/1 0/0 " * 40, "patient 4711, patient 4712"],
)
@pytest.mark.parametrize(
    ("name", "around"),
    [("x.txt", "Hello.\n{}\n"), ("x.html", "<html><body><p>{}</p></body></html>"), ("x.json", '{{"note": "{}"}}')],
)
def test_nothing_stands_where_no_check_looks(tmp_path: Path, name: str, around: str, secret: str) -> None:
    told = judged(tmp_path, name, around.format(LETTERS + secret))
    assert told[Code.HIDDEN_COLUMNS] is Severity.BLOCK


def test_a_long_line_is_for_stewards_and_a_paragraph_passes(tmp_path: Path) -> None:
    assert judged(tmp_path, "x.txt", "Hello.\n" + LETTERS[:6000] + "\n") == {Code.HIDDEN_COLUMNS: Severity.WARN}
    assert judged(tmp_path, "x.txt", "Hello.\n" + LETTERS[:3900] + "\n") == {}


def test_a_long_log_is_read_in_time(tmp_path: Path) -> None:
    """Each pair of words was once held against all lines below it: a megabyte took ten seconds, two took forty."""
    started = time.process_time()
    assert judged(tmp_path, "x.log", "The run.\n" + "".join(HARMLESS.format(n=n) for n in range(5000))) == {}
    assert list(prose.tables(("one two",) * 60_000))
    assert time.process_time() - started < 10
    started = time.process_time()
    with pytest.raises(prose.Unread):
        list(prose.tables(('{"a":' * 60,) * 400))
    assert time.process_time() - started < 10
