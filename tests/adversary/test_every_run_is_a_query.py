"""Whoever asks about many nearly equal groups of people is stopped before the difference tells of one person (T6)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from hostile import events, eventually, rows, vetted
from refusals import nothing_ran, submit
from site_of_tests import Site

from strongroom.cli.run import WES
from strongroom.projects import Role

COUNTS = """
rule all:
    input: "results/counts.tsv"
rule count:
    input: config["inputs"]["notes"]
    output: "results/counts.tsv"
    resources: mem_mb=100, disk_mb=50
    shell: "cat {input} | wc -l > {output}"
"""
NOTES = [{"name": "notes", "pattern": "*.txt", "min_files": 1}]
LEAVES = [
    {
        "match": "results/counts.tsv",
        "release": "airlock",
        "rule": "count",
        "format": "tsv",
        "counts": ["people"],
        "columns": ["people"],
        "max_rows": 1,
    }
]
PEOPLE = [f"p{n:02}.txt" for n in range(12)]


@pytest.fixture(scope="module")
def counting(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A workflow whose outputs may leave, on notes of twelve people."""
    folder = tmp_path_factory.mktemp("notes")
    for name in PEOPLE:
        (folder / name).write_text(f"about {name}\n")
    site.add("notes-of-twelve", [folder / name for name in PEOPLE], observability="coarse")
    return vetted(site, folder / "w", "counting", COUNTS, inputs=NOTES, outputs=LEAVES)


def ask(site: Site, workflow: str, people: list[str]) -> httpx.Response:
    """Submit a run about these people, and cancel it at once: asking is what counts."""
    chosen = {"inputs": {"notes": {"dataset": "notes-of-twelve", "files": people}}}
    answer = submit(site, workflow, workflow_params=chosen)
    if answer.status_code == 200:
        with site.stage.client(site.cast.researcher) as client:
            client.post(f"{WES}/runs/{answer.json()['run_id']}/cancel")
        over(site, answer.json()["run_id"])
    return answer


def over(site: Site, run: str) -> str:
    """Wait until a run has ended, whatever is told of it; return its true state."""
    query = "select state from runs where id = ? and ended is not null"
    return str(eventually(lambda: rows(site, query, run), "the run does not end", within=site.patience)[0][0])


def test_t6_fewer_people_than_k_are_refused_where_results_may_leave(
    site: Site, counting: str, tmp_path: Path
) -> None:
    before = len(events(site, "run.refused"))
    with nothing_ran(site):
        answer = ask(site, counting, PEOPLE[:4])
    assert (answer.status_code, "for 5 or more" in answer.json()["msg"]) == (403, True)
    assert len(events(site, "run.refused")) == before + 1
    inside: list[dict[str, Any]] = [{"match": "results/*", "release": "inside"}]
    stays = vetted(site, tmp_path / "w", "counting-inside", COUNTS, inputs=NOTES, outputs=inside)
    assert ask(site, stays, PEOPLE[:1]).status_code == 200


FAILS = COUNTS.replace("cat {input}", "test ! -s {input} && cat {input}")


def test_t6_about_one_person_success_and_failure_look_the_same(site: Site, counting: str, tmp_path: Path) -> None:
    inside: list[dict[str, Any]] = [{"match": "results/*", "release": "inside"}]
    told = {}
    for name, text, end in (("one-good", COUNTS, "COMPLETE"), ("one-bad", FAILS, "EXECUTOR_ERROR")):
        workflow = vetted(site, tmp_path / name, name, text, inputs=NOTES, outputs=inside)
        asked = {"inputs": {"notes": {"dataset": "notes-of-twelve", "files": PEOPLE[:1]}}}
        run = submit(site, workflow, workflow_params=asked).json()["run_id"]
        assert over(site, run) == end, site.engine_log(run)
        with site.stage.client(site.cast.researcher) as client:
            whole, tasks = client.get(f"{WES}/runs/{run}"), client.get(f"{WES}/runs/{run}/tasks")
            held = client.http.get("/api/airlock/v1/outputs", params={"run": run})
            made = rows(site, "select id from tasks where run = ?", run)
            found = [client.http.get(f"/ga4gh/tes/v1/tasks/{task}").status_code for (task,) in made]
        assert found == [404]
        told[name] = (whole["state"], whole["outputs"], whole["run_log"].get("end_time"), tasks, held.status_code)
        assert rows(site, "select outcome from dataset_queries where run = ?", run) == [(end.lower(),)]
    assert told["one-good"] == told["one-bad"]
    assert told["one-good"][0] == "RUNNING"  # a quarter of an hour is not over


def test_t6_runs_that_narrow_on_one_person_are_stopped_and_the_dac_decides(site: Site, counting: str) -> None:
    answers = [ask(site, counting, PEOPLE[: 12 - n]) for n in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 409, 409]
    assert "ask a member of the dataset's DAC" in answers[-1].json()["msg"]
    ledger = "select size, near from dataset_queries where dataset = 'notes-of-twelve' and leaves order by number"
    assert rows(site, ledger) == [(12, 0), (11, 1), (10, 1), (9, 1)]
    assert ask(site, counting, PEOPLE).status_code == 200  # the same people again tell nothing new
    with site.stage.client(site.stage.token("dan", Role.DAC_MEMBER)) as dac:
        dac.post("/api/archive/v1/datasets/notes-of-twelve:allow-queries", {"project": "cohort", "queries": 1})
    with site.stage.client(site.cast.researcher) as ruth:
        path = "/api/archive/v1/datasets/notes-of-twelve:allow-queries"
        assert ruth.http.post(path, json={"project": "cohort", "queries": 9}).status_code == 403
    assert [ask(site, counting, PEOPLE[: 8 - n]).status_code for n in range(2)] == [200, 409]
    assert len(events(site, "queries.allowed")) == 1
