"""Commands that fix a table, walk a long one and lay it beside its last release: a real server, the real checks."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from airlock_scene import PNG, TSV, Scene
from jail_scene import jailed, wrote
from serving import Desk, served

from airlock.contract import parse_contract
from strongroom.cli import request, review

LONG = "results/long.tsv"
COPY, SECOND = "results/af.fixed-1.tsv", "results/af.fixed-2.tsv"
CONTRACT = parse_contract(
    [
        {
            "match": TSV,
            "format": "tsv",
            "release": "airlock",
            "rule": "count",
            "keys": {"band": ["18-39", "40-59", "60-79", "80+"], "sex": ["f", "m"]},
            "counts": ["n"],
            "max_rows": 10,
        },
        {
            "match": LONG,
            "format": "tsv",
            "release": "airlock",
            "rule": "count",
            "keys": {"site": {"pattern": "s[0-9]{4}"}},
            "counts": ["n"],
            "max_rows": 3000,
        },
        {"match": PNG, "format": "png", "release": "airlock", "rule": "plot", "needs": [TSV]},
        {"release": "inside"},
    ]
)
SMALL = ("18-39\tf\t112", "18-39\tm\t3", "40-59\tf\t95", "60-79\tm\t61")
OLD = ("18-39\tf\t112", "18-39\tm\t140", "40-59\tf\t95", "60-79\tm\t61")
NEW = ("18-39\tf\t112", "18-39\tm\t180", "40-59\tf\t40", "80+\tf\t33")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("COLUMNS", "200")
    with jailed() as one:
        yield one


@pytest.fixture
def desk(stage: Scene) -> Iterator[Desk]:
    with served(stage.app) as server:
        yield Desk(stage, server)


def words(done: Any) -> list[str]:
    """Return what a person reads, line by line, without the lines of tables."""
    assert done.exit_code == 0, done.output
    lines = done.stdout.translate(str.maketrans(dict.fromkeys("│┃", " "))).splitlines()
    return [" ".join(line.split()) for line in lines if line and line[0] not in "┏┡└"]


def refused(done: Any, code: int, *sentences: str) -> None:
    """Hold a refusal to its exit code and its sentences, with nothing of an error of ours."""
    said = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == code, said
    assert not [one for one in sentences if one not in said], said
    assert done.exception is None or isinstance(done.exception, SystemExit)


def ran(stage: Scene, path: str, rows: Sequence[str], head: str = "band\tsex\tn") -> str:
    """Have a run write this table, and the real checks judge it; return the run's id."""
    return wrote(stage, {path: "".join(f"{row}\n" for row in (head, *rows))}, CONTRACT)


def test_a_table_is_fixed_by_command_until_it_may_leave(stage: Scene, desk: Desk) -> None:
    run = ran(stage, TSV, SMALL)
    held = words(desk.type(request.app, "ruth", "outputs", run))
    assert f"{TSV} block 55" in held
    assert f"{TSV} (row 2, column 3): block small-count:" in " ".join(held)

    merge = ["--how", "merge-bands", "--column", "band", "--band", "18-39", "--band", "40-59"]
    told = words(desk.type(request.app, "ruth", "fix", run, TSV, *merge))
    assert f"{COPY} waiting fixed copy: bands 18-39, 40-59 of band merged" in told
    then = desk.json(request.app, "ruth", "fix", run, COPY, "--how", "round-to-5")
    again = desk.json(request.app, "ruth", "fix", run, COPY, "--how", "round-to-5")
    paths = [[one["path"] for one in held["files"]] for held in (then, again)]
    assert paths == [[COPY, SECOND, TSV]] * 2  # the same copy twice is one
    stage.work()

    read = words(desk.type(request.app, "ruth", "outputs", run))
    assert f"{COPY} block 44 fixed copy: bands 18-39, 40-59 of band merged" in read  # of 3 men it still tells
    assert f"{SECOND} pass 44 fixed copy: bands 18-39, 40-59 of band merged, then counts rounded to 5" in read
    made = desk.json(request.app, "ruth", "create", run, "--purpose", "p", "--file", SECOND)
    assert made["state"] == "READY"


def test_counts_are_rounded_by_command(stage: Scene, desk: Desk) -> None:
    run = ran(stage, TSV, SMALL)
    for how in ("round-to-5", "midpoint-6"):
        desk.json(request.app, "ruth", "fix", run, TSV, "--how", how)
    stage.work()
    files = stage.files(run)
    made = {path: (stage.settings.home / "jail" / str(one.clean)).read_text() for path, one in files.items()}
    counts = {path: [line.split("\t")[2] for line in text.splitlines()[1:]] for path, text in made.items()}
    assert counts[COPY] == ["110", "5", "95", "60"]
    assert counts[SECOND] == ["111", "3", "93", "63"]
    told = words(desk.type(request.app, "ruth", "outputs", run))
    assert f"{COPY} pass 55 fixed copy: counts rounded to 5" in told


def test_what_cannot_be_fixed_is_refused_with_a_sentence(stage: Scene, desk: Desk) -> None:
    run = ran(stage, TSV, SMALL)

    def fix(*words: str, name: str = "ruth") -> Any:
        return desk.type(request.app, name, "fix", *words)

    refused(fix(run, TSV, "--how", "add-noise"), 2, "'add-noise' is not one of", "'round-to-5'", "'drop-column'")
    refused(fix(run, TSV), 2, "Missing option '--how'", "merge-bands")
    for wrong in (["--column", "age"], [], ["--column", "n", "--band", "1"]):
        refused(fix(run, TSV, "--how", "drop-column", *wrong), 1, "Name one column of the table; two others")
    for wrong in (["n"], ["age"], ["band", "--band", "18-39"], ["band", "--band", "18-39", "--band", "99"]):
        bands = fix(run, TSV, "--how", "merge-bands", "--column", *wrong)
        refused(bands, 1, "Merge two or more bands of the closed list of one key.")
    refused(fix(run, TSV, "--how", "round-to-5", "--column", "n"), 1, "fix: ")
    refused(fix(run, PNG, "--how", "round-to-5"), 1, "no such file", "strongroom request outputs")
    refused(fix("0" * 32, TSV, "--how", "round-to-5"), 4, "The airlock holds nothing of such a run.")
    for name in ("rob", "sam"):
        refused(fix(run, TSV, "--how", "round-to-5", name=name), 4, "The airlock holds nothing of such a run.")
    assert list(stage.files(run)) == [TSV]


def test_a_steward_compares_a_table_with_its_last_release(stage: Scene, desk: Desk) -> None:
    earlier = stage.released(ran(stage, TSV, OLD), TSV)["id"]
    made = stage.submitted(ran(stage, TSV, NEW), TSV)["id"]
    told = words(desk.type(review.app, "sam", "compare", made, TSV))
    assert told[0].startswith(f"{TSV} beside {TSV}, released 20")
    assert told[1:] == [
        "cells changed 2, added 3, removed 3",
        "Row band sex n",
        "1 18-39 f 112",
        "2 ≠ 18-39 m 140 → 180",
        "3 ≠ 40-59 f 95 → 40",
        "4 + +80+ +f +33",
        "4 - -60-79 -m -61",
    ]
    found = desk.json(review.app, "sam", "compare", made, TSV)
    assert (found["release"], found["whole"]) == (earlier, True)
    assert [cell["by"] for row in found["rows"] for cell in row["cells"] if cell["change"] == "changed"] == [40, -55]


def test_a_column_that_was_left_out_since_is_shown_as_removed(stage: Scene, desk: Desk) -> None:
    stage.released(ran(stage, TSV, OLD[:1]), TSV)
    run = ran(stage, TSV, [OLD[0].replace("112", "150")])
    desk.json(request.app, "ruth", "fix", run, TSV, "--how", "drop-column", "--column", "sex")
    stage.work()
    made = stage.submitted(run, COPY)["id"]
    told = words(desk.type(review.app, "sam", "compare", made, COPY))
    assert told[0].startswith(f"{COPY} beside {TSV}, released 20")
    assert told[1:] == [
        "cells changed 1, added 0, removed 1",
        "Row band n -sex",
        "1 ≠ 18-39 112 → 150 -f",
    ]


def test_what_cannot_be_compared_is_refused_with_a_sentence(stage: Scene, desk: Desk) -> None:
    made = stage.submitted(ran(stage, TSV, OLD), TSV)["id"]
    refused(desk.type(review.app, "sam", "compare", made, TSV), 4, "No earlier version of this output has left.")
    refused(desk.type(review.app, "sam", "compare", made, LONG), 2, f"This request has these files: {TSV}.")
    refused(desk.type(review.app, "sam", "compare", "0" * 32, TSV), 4, "There is no such release request.")
    refused(desk.type(review.app, "ruth", "compare", made, TSV), 3, "another steward must")
    refused(desk.type(review.app, "sam", "compare", made), 2, "Missing argument 'FILE'")


def test_a_long_table_is_walked_and_compared_as_far_as_both_are_drawn(stage: Scene, desk: Desk) -> None:
    rows = [f"s{n:04}\t{n + 100}" for n in range(2100)]
    stage.released(ran(stage, LONG, rows, "site\tn"), LONG)
    rows[1500] = "s1500\t9000"
    made = stage.submitted(ran(stage, LONG, rows, "site\tn"), LONG)["id"]

    def shown(first: int) -> list[str]:
        return words(desk.type(review.app, "sam", "show", made, LONG, "--from", str(first)))

    assert shown(1501)[2:4] == ["Row site n", "1501 s1500 9000"]
    assert shown(1501)[-1] == "200 of 2100 rows are shown, from row 1501 on."
    assert shown(2100)[3] == "2100 s2099 2199"
    beyond = shown(2101)
    assert beyond[-1] == "No rows here: the last of them is row 2100."
    assert beyond[2:-1] == ["Row site n"]
    for wrong in ("0", "-1", "x", str(10**12)):
        refused(desk.type(review.app, "sam", "show", made, LONG, "--from", wrong), 2, "Invalid value for '--from'")

    told = words(desk.type(review.app, "sam", "compare", made, LONG))
    assert told[1] == "cells changed 1, added 0, removed 0"
    assert "1501 ≠ s1500 1600 → 9000" in told
    assert told[-1] == "Rows beyond those that both show were not compared."
