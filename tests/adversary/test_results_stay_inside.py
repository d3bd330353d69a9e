"""What a run leaves goes to the airlock whole and as promised, or nowhere; what is derived stays in its project."""

import io
import json
import secrets
from pathlib import Path

import pytest
from hostile import GATEWAY, events, eventually, held_still, in_state, rows, vetted
from site_of_tests import Site

from archive import ingest
from strongroom.cli.run import WES
from strongroom.projects import Role

TABLE = r"printf 'metric\tpeople\ncalled\t20\n' > {output}"
PROMISE = {
    "release": "airlock",
    "rule": "count",
    "format": "tsv",
    "statbarn": "Frequencies",
    "unit": "person",
    "keys": {"metric": ["called"]},
    "counts": ["people"],
    "columns": ["metric", "people"],
    "max_rows": 10,
}
RESOURCES = "    resources: mem_mb=100, disk_mb=50\n"
FAILS = f'''
rule all:
    input: "results/table.tsv", "last.txt"
rule count:
    output: "results/table.tsv"
{RESOURCES}    shell: r"""{TABLE}"""
rule last:
    input: "results/table.tsv"
    output: "last.txt"
{RESOURCES}    shell: "exit 3"
'''
# Everything is there and looks right, but who wrote it last is not who the contract says.
OVERWRITES = f'''
table = r"""{TABLE}"""
for path in ("results/overwritten.tsv",):
    do(job(table.replace("{{output}}", path), [f"/run/work/{{path}}"], rule="count"))
    do(job(table.replace("{{output}}", path).replace("20", "30"), [f"/run/work/{{path}}"], rule="sneak"))
rule all:
    input: "results/table.tsv", "results/other.tsv", "results/overwritten.tsv", "results/more.tsv"
rule count:
    output: "results/table.tsv"
{RESOURCES}    shell: table
rule other:
    output: "results/other.tsv"
{RESOURCES}    shell: table
rule more:
    output: "results/more.tsv"
{RESOURCES}    shell: table
'''
COPIES = f"""
rule all:
    input: "inside/copy.txt"
rule copy:
    input: config["inputs"]["notes"]
    output: "inside/copy.txt"
{RESOURCES}    shell: "cp {{input}} {{output}}"
"""
NOTES = [{"name": "notes", "pattern": "*.txt", "min_files": 1, "max_files": 1}]
INSIDE = [{"match": "inside/*", "release": "inside"}]
OUTPUTS = "/api/airlock/v1/outputs"
REQUESTS = "/api/airlock/v1/requests"
DATASETS = "/api/archive/v1/datasets"


def ask_for(site: Site, run: str, *files: str) -> int:
    """Ask to have files of a run released; return the status."""
    asked = {"run": run, "purpose": "Please.", **({"files": list(files)} if files else {})}
    with site.stage.client(site.cast.researcher) as client:
        return client.http.post(REQUESTS, json=asked).status_code


def test_t16_outputs_of_a_run_that_failed_never_reach_the_airlock(site: Site, tmp_path: Path) -> None:
    outputs = [{"match": "results/table.tsv", **PROMISE}]
    run = site.submit(vetted(site, tmp_path / "w", "fails", FAILS, outputs=outputs), {"inputs": {}})
    assert site.ended(run) == "EXECUTOR_ERROR"
    made = rows(site, "select object, rule from run_files where run = ? and path = 'results/table.tsv'", run)
    assert [rule for _, rule in made] == ["count"]  # the table was made, as promised
    assert rows(site, "select count(*) from airlock_runs where run = ?", run) == [(0,)]
    assert rows(site, "select count(*) from airlock_files where run = ?", run) == [(0,)]
    with site.stage.client(site.cast.researcher) as client:
        shown = client.http.get(OUTPUTS, params={"run": run})
        whole = client.get(f"{WES}/runs/{run}")["outputs"]
    assert shown.status_code == 404 or shown.json()["files"] == []
    assert set(whole) == {"progress"}
    for files in ((), ("results/table.tsv",)):
        assert ask_for(site, run, *files) in (403, 404, 409)
    # Nor by the other way: nothing of it becomes a dataset.
    with site.stage.client(site.cast.researcher) as client:
        derived = client.http.post(f"{DATASETS}/from-run", json={"run": run, "dataset": "of-a-failure"})
    assert derived.status_code == 409
    assert events(site, "intake.taken", run) == []


def test_t16_only_the_rule_that_the_contract_names_may_have_written_a_file_last(site: Site, tmp_path: Path) -> None:
    names = ("table", "other", "overwritten")
    outputs = [{"match": f"results/{name}.tsv", **PROMISE} for name in names]
    url = vetted(site, tmp_path / "w", "overwrites", GATEWAY + OVERWRITES, outputs=outputs)
    run = site.submit(url, {"inputs": {}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    made = dict(rows(site, "select path, rule from run_files where run = ?", run))
    assert made == {
        "results/table.tsv": "count",
        "results/other.tsv": "other",
        "results/overwritten.tsv": "sneak",
        "results/more.tsv": "more",
    }
    assert list(site.held(run)) == ["results/table.tsv"]
    assert rows(site, "select left_inside from airlock_runs where run = ?", run) == [(3,)]
    for path in made:
        if path != "results/table.tsv":
            assert ask_for(site, run, path) == 403
            assert ask_for(site, run, "results/table.tsv", path) == 403


@pytest.fixture(scope="module")
def parent(site: Site) -> str:
    """A dataset of the data's owner, shared with the project."""
    name = f"parent-{secrets.token_hex(4)}"
    with site.stage.client(site.cast.operator) as client:
        client.post(DATASETS, {"id": name, "title": "notes", "observability": "open"})
        ingest.add(client, name, io.BytesIO(b"of one person\n"), name="notes.txt", person="somebody")
        client.post(f"{DATASETS}/{name}:share", {"project": "cohort"})
    return name


@pytest.fixture(scope="module")
def copies(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("w") / "w"
    return vetted(site, folder, "copies", COPIES, inputs=NOTES, outputs=INSIDE)


@pytest.fixture(scope="module")
def child(site: Site, parent: str, copies: str) -> str:
    """What a run made of the parent, as a dataset of the project."""
    run = site.submit(copies, {"inputs": {"notes": parent}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    name = parent.replace("parent", "child")
    with site.stage.client(site.cast.researcher) as client:
        assert client.post(f"{DATASETS}/from-run", {"run": run, "dataset": name})["files"] == ["inside/copy.txt"]
        shown = client.get(f"{DATASETS}/{name}")
    assert (shown["ancestors"], shown["projects"]) == ([parent], ["cohort"])
    return name


def submitted(site: Site, workflow: str, dataset: str, *, token: str, project: str) -> tuple[int, str]:
    """Submit a run on a dataset and return status and what was said."""
    fields = {
        "workflow_url": workflow,
        "workflow_type": "SMK",
        "workflow_type_version": "9.27.1",
        "workflow_params": json.dumps({"inputs": {"notes": dataset}}),
        "tags": json.dumps({"project": project}),
    }
    with site.stage.client(token) as client:
        answer = client.http.post(f"{WES}/runs", files={name: (None, value) for name, value in fields.items()})
    return answer.status_code, str(answer.json().get("msg", answer.json().get("run_id")))


def test_t21_a_derived_dataset_is_of_no_use_in_another_project(
    site: Site, parent: str, child: str, copies: str
) -> None:
    rob = site.stage.token("rob", Role.RESEARCHER, "elsewhere")
    with site.stage.client(site.cast.operator) as client:
        # Even where the parent may be used, the child may not.
        client.post(f"{DATASETS}/{parent}:share", {"project": "elsewhere"})
        shared = client.http.post(f"{DATASETS}/{child}:share", json={"project": "elsewhere"})
    assert (shared.status_code, shared.json()["msg"]) == (403, "A derived dataset stays in the project that made it.")
    status, said = submitted(site, copies, child, token=rob, project="elsewhere")
    assert (status, "This project has no such dataset" in said) == (404, True)
    with site.stage.client(rob) as client:
        assert client.http.get(f"{DATASETS}/{child}").status_code == 404
        assert child not in [one["id"] for one in client.get(DATASETS)]
        mine = {"run": rows(site, "select derived_from_run from datasets where id = ?", child)[0][0], "dataset": "x"}
        assert client.http.post(f"{DATASETS}/from-run", json=mine).status_code == 404
    status, said = submitted(site, copies, child, token=site.cast.researcher, project="cohort")
    assert status == 200, said  # where it was made, it is of use
    assert site.ended(said) == "COMPLETE", site.engine_log(said)


def test_t21_where_the_parents_share_ends_the_child_gives_no_keys(
    site: Site, parent: str, child: str, copies: str
) -> None:
    before = len(events(site, "keys.refused"))
    with site.stage.client(site.cast.operator) as client:
        with held_still(site, "dispatcher"):
            run = site.submit(copies, {"inputs": {"notes": child}})  # accepted: the parent is shared
            (task,) = eventually(lambda: in_state(site, run, "QUEUED"), "the engine asked for no task")
            client.post(f"{DATASETS}/{parent}:unshare", {"project": "cohort"})
        try:
            assert site.ended(run) == "SYSTEM_ERROR"
            ((attempt,),) = rows(site, "select id from attempts where task = ?", task)
            (refusal,) = events(site, "keys.refused")[before:]
            sentence = "A dataset of this run, or one that it was derived from, is not shared any more."
            assert (refusal["facts"]["verb"], refusal["facts"]["reason"]) == ("grant", sentence)
            assert rows(site, "select count(*) from grants where attempt = ?", attempt) == [(0,)]
            assert [e for e in events(site, "keys.granted") if attempt in json.dumps(e)] == []
            status, said = submitted(site, copies, child, token=site.cast.researcher, project="cohort")
            assert (status, "one that it comes from was taken back" in said) == (404, True)
        finally:
            client.post(f"{DATASETS}/{parent}:share", {"project": "cohort"})
    status, run = submitted(site, copies, child, token=site.cast.researcher, project="cohort")
    assert (status, site.ended(run)) == (200, "COMPLETE")  # it was the share alone
