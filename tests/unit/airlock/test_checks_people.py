"""A dataset's own labels are found by keyed hashes, exactly, and nothing else is."""

import json
from pathlib import Path

import pytest

from airlock.checks.codes import Code
from airlock.checks.disclosure import cohort_size
from airlock.checks.formats.table import read
from airlock.checks.jail import main, parse_request
from airlock.checks.people import People, PeopleRefused, parse_people
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.subject import Format, Subject
from airlock.checks.thresholds import Policy
from archive.labels import hashed

LABELS = ["P-00417", "NWD1234", "eid.2200417", "4412009", "ab", "123"]
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("P-00417", True),
        ("p-00417", True),
        ("reading P-00417.bam", True),
        ("/data/nwd1234_sorted.cram", True),
        ("id=4412009,", True),
        ("eid.2200417", True),
        ("P-00418", False),
        ("xP-00417", False),
        ("44120091", False),
        ("ab", False),  # too short to be told from a word
        ("n = 123", False),
    ],
)
def test_a_label_is_found_as_a_word_of_its_own(text: str, found: bool) -> None:
    assert parse_people(hashed(LABELS, KEY)).holds_one(text) is found
    assert not parse_people(hashed(LABELS, b"o" * 32)).digests & parse_people(hashed(LABELS, KEY)).digests


def test_the_list_tells_no_label() -> None:
    told = json.dumps(hashed(LABELS, KEY)).lower()
    assert not any(label.lower() in told for label in LABELS if len(label) > 3)
    assert len(hashed((f"label-{n}" for n in range(70_000)), KEY)["digests"]) == 60_000 * 12


@pytest.mark.parametrize("raw", [{}, {"key": "00"}, {"key": "00", "digests": "0"}, {"key": "zz", "digests": ""}, []])
def test_another_list_is_refused(raw: object) -> None:
    with pytest.raises(PeopleRefused):
        parse_people(raw)  # type: ignore[arg-type]


@pytest.mark.parametrize(("label", "verdict"), [("nwd1234", "block"), ("nwd1235", "pass")])
def test_the_jail_stops_a_table_with_a_label(tmp_path: Path, label: str, verdict: str) -> None:
    (tmp_path / "subject").write_text(f"group,n\n{label},50\nother,70\n")
    request = {
        "kind": "check",
        "file": str(tmp_path / "subject"),
        "name": "a.csv",
        "rule": None,
        "policy": Policy(version=1).as_json(),
        "supporting": {},
        "raw": True,
        "people": hashed(LABELS, KEY),
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    assert parse_request((tmp_path / "request.json").read_bytes()).people.digests
    main(tmp_path)
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["verdict"] == verdict
    assert [f["code"] for f in answer["findings"]] == ([Code.IDENTIFIER.value] if verdict == "block" else [])


GENES = "\n".join(f"ENSG{n:011d},7.5,2" for n in range(100))
SITES = "\n".join(f"place {n},7.{n},2.{n}" for n in range(100))


@pytest.mark.parametrize(
    ("rows", "persons", "seen"),
    [
        (SITES, 100, True),
        (SITES, 102, True),
        (SITES, 99, True),
        (SITES, 120, False),
        (SITES, 0, False),
        (GENES, 100, False),
    ],
)
def test_as_many_rows_as_persons_are_told_of(rows: str, persons: int, *, seen: bool) -> None:
    people = parse_people(hashed((f"label-{n}" for n in range(persons)), KEY))
    assert (Code.COHORT_SIZE in codes_of("what,a,b\n" + rows, people)) is seen


def test_categories_of_a_closed_list_are_no_persons_but_for_a_second_row() -> None:
    bands = tuple(f"band {n}" for n in range(20))
    promise = Promise(
        Promised.CSV, columns=(Column("band", Kind.KEY, values=bands), Column("n", Kind.COUNT)), max_rows=30
    )
    people = parse_people(hashed((f"label-{n}" for n in range(20)), KEY))
    once = "band,n\n" + "".join(f"{band},50\n" for band in bands)
    assert Code.COHORT_SIZE not in codes_of(once, people, promise)
    assert Code.COHORT_SIZE in codes_of(once.replace("band 1,", "band 0,"), people, promise)


def codes_of(content: str, people: People, promise: Promise | None = None) -> set[Code]:
    table = read(content, delimiter=",", encoding="utf-8", policy=Policy(version=1))
    subject = Subject("a.csv", Format.TABLE, table, Policy(version=1), promise, people=people)
    return {finding.code for finding in cohort_size.check(subject)}
