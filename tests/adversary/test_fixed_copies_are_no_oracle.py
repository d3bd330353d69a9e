"""Fixed copies stay inside, tell of values nothing that the scan would not, and only one copy of a table leaves."""

from collections.abc import Iterator
from typing import Any

import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV, block
from page_scene import Pages, hidden, pages

from strongroom.audit import Event

ROUND = {"kind": "round-to-5"}
DROP = {"kind": "drop-column", "column": "n"}
COPY, SECOND = "results/af.fixed-1.tsv", "results/af.fixed-2.tsv"


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        yield one


def held(site: Pages, run: str, name: str = "ruth") -> dict[str, Any]:
    answer = site.stage.ask(name).get(f"{API}/outputs?run={run}")
    assert answer.status_code == 200, answer.text
    return {one["path"]: one for one in answer.json()["files"]}


def fix(site: Pages, file: str, name: str = "ruth", **how: Any) -> Any:
    return site.stage.ask(name).post(f"{API}/outputs/{file}:fix", how or ROUND)


def seen(site: Pages, values: dict[tuple[str, str], Any]) -> list[Any]:
    """Return all that ruth of a coarse run reads, without ids, while values make the jail find this."""
    site.stage.inspector.findings = values
    run = site.stage.complete_run({TSV: "count"}, coarse=True)
    told: list[Any] = [held(site, run)[TSV]["may_fix"]]
    answers = [fix(site, held(site, run)[TSV]["id"], **how) for how in (ROUND, DROP, {"kind": "merge-bands"})]
    told += [(one.status_code, one.json().get("detail") or one.json().get("msg")) for one in answers[1:]]
    site.stage.work()
    told += [
        {name: value for name, value in one.items() if name != "id"} for _, one in sorted(held(site, run).items())
    ]
    made = site.stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": [COPY], "purpose": "Figure 2."})
    shown = made.json()
    told += [shown["state"], shown["files"][0]["verdict"], shown["files"][0]["findings"], shown["files"][0]["size"]]
    page = site.browser("ruth").get(f"/outputs/{run}").text
    told.append([page.count(word) for word in ("Make a fixed copy", "needs a steward", "block", "small-count")])
    return told


def test_t5_a_coarse_requester_learns_nothing_by_fixing(site: Pages) -> None:
    good = seen(site, {})
    small = seen(site, {("check", TSV): block("small-count")})
    still = seen(site, {("check", TSV): block("small-count"), ("check", COPY): block("small-count")})
    unmade = seen(site, {("repack", TSV): block("contract-value"), ("repack", COPY): block("contract-value")})
    assert good == small == still == unmade
    assert "counts rounded to 5" in str(good)


def test_t5_an_open_run_offers_fixes_where_something_was_found(site: Pages) -> None:
    site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run({TSV: "count", PNG: "plot"})
    assert [one["words"] for one in held(site, run)[TSV]["may_fix"]][:2] == [
        "counts rounded to 5",
        "counts rounded to midpoints of 6",
    ]
    assert held(site, run)[PNG]["may_fix"] == []
    assert held(site, run, "sam")[TSV]["may_fix"] == []
    site.stage.inspector.findings = {("check", TSV): block("differencing")}
    assert held(site, site.stage.complete_run({TSV: "count"}))[TSV]["may_fix"] == []  # earlier releases stay unsaid


def test_t5_only_the_person_of_a_run_fixes_its_tables(site: Pages) -> None:
    run = site.stage.complete_run({TSV: "count", PNG: "plot"})
    file = held(site, run)[TSV]["id"]
    for name, status in (("rob", 404), ("sam", 404), ("nobody", 404)):
        assert fix(site, file, name).status_code == status
    assert fix(site, "0" * 32).status_code == 404
    assert fix(site, held(site, run)[PNG]["id"]).status_code == 400
    for wrong in (
        {"kind": "add-noise"},
        {"kind": "merge-bands", "column": "n"},
        {"kind": "round-to-5", "column": "n"},
    ):
        assert fix(site, file, **wrong).status_code in (400, 422)
    assert site.stage.events(Event.COPY_FIXED) == []


def test_t5_a_copy_stays_inside_until_two_stewards_let_it_out(site: Pages) -> None:
    site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run({TSV: "count"})
    file = held(site, run)[TSV]["id"]
    assert fix(site, file).status_code == 200
    assert fix(site, file).status_code == 200  # the same copy twice is one
    site.stage.work()
    copy = held(site, run)[COPY]
    assert (copy["fixed_from"], copy["fixes"], copy["verdict"]) == (TSV, ["counts rounded to 5"], "pass")
    assert len(site.stage.events(Event.COPY_FIXED)) == 1
    repacked = [one for one in site.stage.inspector.asked if one["kind"] == "repack"]
    assert repacked[1]["object"] == repacked[0]["object"]  # made of the sealed output, by its promise
    assert repacked[1]["request"]["fixes"] == [ROUND | {"column": "", "bands": []}]
    request = site.stage.submitted(run, COPY)
    desk = site.browser("sam").get(f"/reviews/{request['id']}").text
    assert "A fixed copy of" in desk
    assert "counts rounded to 5" in desk
    assert request["files"][0]["link"] is None


def test_t5_only_one_copy_of_a_table_leaves(site: Pages) -> None:
    run = site.stage.complete_run({TSV: "count"})
    file = held(site, run)[TSV]["id"]
    for how in (ROUND, {"kind": "midpoint-6"}):
        assert fix(site, file, **how).status_code == 200
    site.stage.work()
    ruth = site.stage.ask("ruth")
    for both in ([TSV, COPY], [COPY, SECOND]):
        answer = ruth.post(f"{API}/requests", {"run": run, "files": both, "purpose": "Figure 2."})
        assert answer.status_code == 400, answer.text
    all_of_it = ruth.post(f"{API}/requests", {"run": run, "purpose": "Figure 2."}).json()
    assert [one["path"] for one in all_of_it["files"]] == [TSV]  # copies are asked for by name
    beside = {"run": run, "files": [TSV, COPY], "supporting": [TSV], "purpose": "Figure 2."}
    assert ruth.post(f"{API}/requests", beside).status_code == 201  # who stays inside may help to read the copy
    other = site.stage.ready(run, SECOND)
    site.stage.released(run, COPY)
    for late in (other, all_of_it):
        assert ruth.post(f"{API}/requests/{late['id']}:submit", {"key": FINGERPRINT}).status_code == 409


def test_a_table_tells_only_so_often(site: Pages) -> None:
    run = site.stage.complete_run({TSV: "count"})
    files = [held(site, run)[TSV]["id"]]
    steps = [ROUND, {"kind": "midpoint-6"}]
    for _ in range(4):
        for file in list(files):
            for how in steps:
                fix(site, file, **how)
        files = [one["id"] for one in held(site, run).values()]
    assert len(files) == 13
    assert max(len(one["fixes"]) for one in held(site, run).values()) <= 4


def test_the_pages_make_a_copy_and_put_it_into_the_request_in_place_of_the_table(site: Pages) -> None:
    site.stage.inspector.findings = {("check", TSV): block("small-count")}
    run = site.stage.complete_run({TSV: "count"})
    request = site.stage.ready(run, TSV)
    assert request["state"] == "BLOCKED"
    ruth, act = site.browser("ruth"), f"/outputs/{run}/fix"
    mine = ruth.get(f"/requests/{request['id']}").text
    assert f'href="/outputs/{run}#fixed"' in mine
    form = ruth.form(f"/outputs/{run}", act)
    for none in ("99", "9" * 5000, "-1", ""):
        assert ruth.post(act, form | {"fix": none}).status_code == 400
    form = ruth.form(f"/outputs/{run}", act)
    assert ruth.post(act, form | {"fix": "0"}).status_code == 303
    assert ruth.post(act, form | {"fix": "1"}).status_code == 409  # a form counts once
    assert "follows" in ruth.get(f"/outputs/{run}").text
    site.stage.work()
    assert f'value="{COPY}" checked' in ruth.get(f"/outputs/{run}").text
    page = ruth.get(f"/requests/{request['id']}").text
    assert "fixed copy: counts rounded to 5" in page
    edit = f"/requests/{request['id']}/edit"
    sent = hidden(page, edit) | {"files": COPY, "purpose": "Figure 2."}
    assert ruth.post(edit, sent).status_code == 303
    shown = site.stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert [(one["path"], one["verdict"]) for one in shown["files"]] == [(COPY, "pass")]
    assert shown["state"] == "READY"
