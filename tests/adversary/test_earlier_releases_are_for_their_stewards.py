"""A table stands beside its last release on the desk of those stewards alone who may read both."""

from collections.abc import Iterator

import pytest
from airlock_scene import API, PNG, PROJECT, TSV, person
from page_scene import Pages, pages

from airlock.review_store import Interest
from airlock.store import IntakeRun, Release
from strongroom.audit import Event
from strongroom.database import now, transaction

OLD = {"kind": "table", "columns": ["band", "n"], "rows": [["18-39", "12"], ["40-59", "9"]]}
NEW = {"kind": "table", "columns": ["band", "n"], "rows": [["18-39", "<b>17"], ["60+", "30"]]}
WHOLE = {"first": 1, "total_rows": 2, "truncated": False}


@pytest.fixture
def site() -> Iterator[Pages]:
    with pages() as one:
        yield one


def two_versions(site: Pages) -> tuple[dict[str, object], str, str]:
    """Release a table, then submit its next version; return the request, its file and the earlier release."""
    released = site.stage.released(site.stage.complete_run({TSV: "count"}), TSV)
    request = site.stage.submitted(site.stage.complete_run({TSV: "count"}), TSV)
    objects = [one["object"] for one in site.stage.inspector.asked if one["kind"] == "check"]
    site.stage.inspector.views = {objects[0]: {**OLD, **WHOLE}, objects[-1]: {**NEW, **WHOLE}}
    return request, request["files"][0]["id"], released["id"]


def test_a_steward_sees_cell_by_cell_what_changed_since_the_last_release(site: Pages) -> None:
    request, file, earlier = two_versions(site)
    there = f"/reviews/{request['id']}/files/{file}/beside"
    sam = site.browser("sam")
    assert f'hx-get="{there}"' in sam.get(f"/reviews/{request['id']}").text
    page = sam.get(there).text
    assert "1 cells changed, 2 added, 2 removed" in page
    # By words and signs, not by colour alone; and inert.
    for words in ("≠ changed", "+ added", "− removed", "&lt;b&gt;17", "was </span>12", earlier[:8]):
        assert words in page, words
    assert "<b>17" not in page
    views = [one for one in site.stage.inspector.asked if one["kind"] == "view"]
    assert {one["person"] for one in views} == {person("sam")}
    assert len({one["decision"] for one in views}) == 2  # each object is read under its own run's decision
    assert [one["facts"].get("release") for one in site.stage.events(Event.FILE_VIEWED)] == [None, earlier]
    body = site.stage.ask("sam").get(f"{API}{there}").json()
    assert (body["release"], body["changed"], body["whole"]) == (earlier, 1, True)


def test_nobody_else_sees_it(site: Pages) -> None:
    request, file, earlier = two_versions(site)
    path = f"{API}/reviews/{request['id']}/files/{file}/beside"
    for name in ("ruth", "rob", "both", "former", "nobody"):
        assert site.stage.ask(name).get(path).status_code in (403, 404), name
    # Who has an interest in the earlier request is off that one for good, and does not read it by this door.
    with transaction(site.stage.engine) as session:
        session.add(Interest(request=earlier, steward=person("sam"), time=now()))
    assert site.stage.ask("sam").get(path).status_code == 404
    assert not [one for one in site.stage.inspector.asked if one["kind"] == "view"]


@pytest.mark.parametrize("change", [{"project": "another"}, {"workflow": "another"}, {"workflow": ""}])
def test_only_the_same_output_of_the_same_project_and_workflow_counts(site: Pages, change: dict[str, str]) -> None:
    request, file, _ = two_versions(site)
    with transaction(site.stage.engine) as session:
        run = session.get_one(IntakeRun, str(request["run"]))
        assert run.project == PROJECT
        if "workflow" in change:
            run.workflow = change["workflow"]
        else:
            for one in session.query(Release):
                one.project = change["project"]
    path = f"{API}/reviews/{request['id']}/files/{file}/beside"
    assert site.stage.ask("sam").get(path).status_code == 404
    assert "Beside the last release" not in site.browser("sam").get(f"/reviews/{request['id']}").text


def test_long_tables_are_walked_by_links(site: Pages) -> None:
    request = site.stage.submitted(site.stage.complete_run({TSV: "count", PNG: "plot"}), TSV)
    file = f"/reviews/{request['id']}/files/{request['files'][0]['id']}"
    rows = [["18-39", str(n)] for n in range(200)]
    site.stage.inspector.view = {**OLD, "rows": rows, "first": 201, "total_rows": 1000, "truncated": True}
    page = site.browser("sam").get(f"{file}?from=201").text
    assert site.stage.inspector.asked[-1]["request"]["rows"] == [201, 200]
    assert "Rows 201 to 400 of 1000" in page
    assert f'href="{file}?from=1"' in page
    assert f'href="{file}?from=401"' in page
    assert '<td class="at">201</td>' in page
    assert site.browser("sam").get(f"{file}?from=0").status_code == 400
