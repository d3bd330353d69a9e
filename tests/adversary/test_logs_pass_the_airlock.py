"""What tasks print comes to its researcher by a signed promise, checks and two votes, and in no other way."""

from pathlib import Path
from typing import Any

import pytest
from hostile import rows, vetted
from site_of_tests import AIRLOCK, Site

from strongroom.cli.run import WES

SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1, "max_files": 100}]
RESOURCES = "    resources: mem_mb=100, disk_mb=50\n"
# One task says what its template allows, and beside it a person's address; what the other says nobody promised.
PRINTS = f"""
rule all:
    input: "a.txt", "b.txt"
rule count:
    output: "a.txt"
{RESOURCES}    shell: "echo counted 3 rows; echo of jane.doe@example.org >&2; echo > {{output}}"
rule quiet:
    output: "b.txt"
{RESOURCES}    shell: "echo counted 3 rows; echo > {{output}}"
"""
DATA = "hapmap-logs"  # of its own: what left of it names nobody, so nothing else of it leaves after that
LOG = {"format": "log", "release": "airlock", "rule": "count", "max_rows": 20}
PROMISED = [{**LOG, "stream": "stdout", "lines": ["counted [0-9]{1,3} rows"]}, {**LOG, "stream": "stderr"}]
INSIDE = {"release": "inside"}
SAID, NAMED = (f"logs/tasks/count-1.{stream}.txt" for stream in ("stdout", "stderr"))


def ran(site: Site, url: str, calls: str = "") -> str:
    """Run it to its end, on a dataset if one is named; return the run."""
    run = site.submit(url, {"inputs": {"calls": calls} if calls else {}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    return run


@pytest.fixture(scope="module")
def prints(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("prints") / "w"
    return vetted(site, folder, "prints", PRINTS, inputs=SLOT, outputs=[*PROMISED, INSIDE])


def led(site: Site, run: str) -> dict[str, Any]:
    """Return what the URL of each log of a run answers, by the task's name and stream."""
    with site.stage.client(site.cast.researcher) as client:
        logs = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
        logs.append(client.get(f"{WES}/runs/{run}")["run_log"] | {"name": "engine"})
        return {
            f"{log['name']}.{stream}": client.http.get(f"/ga4gh/{log[stream].partition('/ga4gh/')[2]}")
            for log in logs
            for stream in ("stdout", "stderr")
        }


def test_t16_what_a_task_printed_is_had_by_its_promise_and_two_votes(
    site: Site, prints: str, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    site.add(DATA, sources[0][:5], observability="open")
    run = ran(site, prints, DATA)
    held = site.held(run)
    # The address is blocked; what `quiet` and the engine printed was promised by nobody, and is not even there.
    assert {path: file["verdict"] == "block" for path, file in held.items()} == {SAID: False, NAMED: True}
    answers = led(site, run)
    assert {answer.status_code for answer in answers.values()} == {409}
    waits = {name for name, answer in answers.items() if "waits in the airlock" in answer.json()["msg"]}
    assert waits == {"count-1.stdout", "count-1.stderr"}
    with site.stage.client(site.cast.researcher) as client:
        asked = {"run": run, "files": [SAID], "purpose": "To see that all rows were counted."}
        request = client.post(f"{AIRLOCK}/requests", asked)["id"]
        site.wait_for(request, "READY")
        client.post(f"{AIRLOCK}/requests/{request}:submit", {"key": site.fingerprint})
    site.vote(request, site.cast.first_steward)
    assert led(site, run)["count-1.stdout"].status_code == 409  # one steward is never enough
    site.vote(request, site.cast.second_steward)
    with site.stage.client(site.cast.first_steward) as steward:
        steward.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": "approve"})
    site.wait_for(request, "RELEASED")
    answers = led(site, run)
    there = answers.pop("count-1.stdout")
    assert there.status_code == 303
    assert {answer.status_code for answer in answers.values()} == {409}
    path = "/api/" + there.headers["location"].partition("/api/")[2]
    with site.stage.client(site.cast.researcher) as client:
        assert client.http.get(path).content[:8] == b"crypt4gh"
    with site.stage.client(site.cast.first_steward) as steward:
        assert steward.http.get(path).status_code in (403, 404)  # the URL alone opens nothing
    assert site.downloaded(request, tmp_path)["count-1.stdout.txt"].read_bytes() == b"counted 3 rows\n"


def test_t4_of_a_coarse_run_no_list_tells_what_printed_at_all(site: Site, prints: str) -> None:
    run = ran(site, prints, "hapmap-coarse")
    assert rows(site, "select count(*) from run_tasks where run = ? and printed <> '{}'", run) == [(2,)]
    assert site.held(run) == {}
    assert rows(site, "select left_inside from airlock_runs where run = ?", run) == [(2,)]  # a.txt, b.txt
    assert {answer.status_code for answer in led(site, run).values()} == {409}
    assert not any("waits" in answer.json()["msg"] for answer in led(site, run).values())


def test_t16_what_no_contract_promises_never_comes_to_intake(site: Site, tmp_path: Path) -> None:
    # Paths like those of logs promise files that rules write, and not what they print.
    paths = [{**LOG, "match": f"logs/tasks/*.{stream}.txt"} for stream in ("stdout", "stderr")]
    url = vetted(site, tmp_path / "w", "prints-more", PRINTS, outputs=[*paths, INSIDE])
    run = ran(site, url)
    assert site.held(run) == {}
    assert not any("waits" in answer.json()["msg"] for answer in led(site, run).values())


ENGINE = {"format": "log", "release": "airlock", "stream": "engine", "max_rows": 200, "lines": ["rule [a-z]{1,8}:"]}
ENGINE_LOG = "logs/engine.txt"
OF_ENGINE = "select count(*) from tasks where run = ? and name = 'engine-log'"
SHEET = """
text = open(config["inputs"]["sheet"][0]).read()
rule all:
    input: "a.txt"
rule one:
    output: "a.txt"
@RESOURCES@    shell: "echo > {output}"
""".replace("@RESOURCES@", RESOURCES)
CLEAR = [{"input": "sheet", "file": "samples.tsv", "characters": "a-z0-9\t", "longest": 40, "most": 4}]


@pytest.fixture(scope="module")
def talks(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("talks") / "w"
    return vetted(
        site, folder, "talks", PRINTS.replace("jane.doe@example.org", "nobody"), inputs=SLOT, outputs=[ENGINE, INSIDE]
    )


def test_t16_what_an_engine_printed_is_had_by_its_promise_and_two_votes(
    site: Site, talks: str, tmp_path: Path
) -> None:
    run = ran(site, talks, "hapmap")
    held = site.held(run)
    assert list(held) == [ENGINE_LOG]
    assert held[ENGINE_LOG]["verdict"] != "block", (held[ENGINE_LOG], site.engine_log(run))
    waits = {name for name, answer in led(site, run).items() if "waits in the airlock" in answer.text}
    assert waits == {"engine.stdout", "engine.stderr"}
    assert rows(site, OF_ENGINE, run) == [(1,)]
    with site.stage.client(site.cast.researcher) as client:  # it is no job of the workflow
        assert len(client.get(f"{WES}/runs/{run}/tasks")["task_logs"]) == 2
    request = site.requested(run)
    site.approved(request)
    answers = led(site, run)
    assert {name for name, answer in answers.items() if answer.status_code == 303} == waits
    assert set(site.downloaded(request, tmp_path)["engine.txt"].read_text().split("\n")) == {
        "rule count:",
        "rule quiet:",
        "",
    }


def test_t4_an_engines_log_of_a_coarse_run_is_not_even_sealed(site: Site, talks: str) -> None:
    run = ran(site, talks, "hapmap-coarse")
    assert site.held(run) == {}
    assert rows(site, OF_ENGINE, run) == [(0,)]
    assert {answer.status_code for answer in led(site, run).values()} == {409}


def test_t17_an_engine_that_read_of_data_has_no_log_for_anybody(site: Site, tmp_path: Path) -> None:
    sheet = tmp_path / "samples.tsv"
    sheet.write_text("na1\t1\n")
    site.add("sheet-open", [sheet], observability="open", min_population=0, clear=["samples.tsv"])
    slot = [{"name": "sheet", "pattern": "*.tsv"}]
    url = vetted(site, tmp_path / "w", "talks-sheet", SHEET, inputs=slot, outputs=[ENGINE, INSIDE], clear=CLEAR)
    run = site.submit(url, {"inputs": {"sheet": "sheet-open"}})
    assert site.ended(run) == "COMPLETE", site.engine_log(run)
    assert site.held(run) == {}
    assert rows(site, OF_ENGINE, run) == [(0,)]
