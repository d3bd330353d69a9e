"""The main job: a vetted workflow over WES, tasks in walls, the airlock, two stewards, a key of one's own."""

from pathlib import Path

from site_of_tests import FREQUENCIES, Site

from demo import bare
from strongroom.cli.run import WES


def test_a_researcher_gets_reviewed_results(
    site: Site, sources: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    run = site.frequencies()
    held = site.held(run)
    assert {path: file["verdict"] for path, file in held.items()} == {
        "results/sites.vcf.gz": "pass",
        "results/quality.tsv": "pass",
        "results/spectrum.tsv": "pass",
        "results/spectrum.png": "pass",
    }
    request = site.requested(run)
    site.approved(request)
    released = site.downloaded(request, tmp_path / "released")
    plainly = bare.run(FREQUENCIES, {"calls": sources[0]}, tmp_path / "bare")
    assert "393 sites" in bare.compare(list(released.values()), plainly)
    assert released["spectrum.png"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_person_is_a_task_and_every_task_is_told(site: Site) -> None:
    run = site.frequencies()
    with site.stage.client(site.cast.researcher) as client:
        tasks = client.get(f"{WES}/runs/{run}/tasks")["task_logs"]
        whole = client.get(f"{WES}/runs/{run}")
    assert len(tasks) == 73
    assert {task["system_logs"][0] for task in tasks} == {"COMPLETE"}
    assert whole["outputs"]["progress"]["tasks_done"] == 73


def test_one_persons_calls_stay_inside_and_become_a_dataset(site: Site) -> None:
    run = site.calling()
    with site.stage.client(site.cast.researcher) as client:
        assert client.get("/api/airlock/v1/outputs", run=run)["files"] == []
        refused = client.http.post("/api/airlock/v1/requests", json={"run": run, "purpose": "These calls."})
        assert refused.status_code in (403, 409)
        asked = {"run": run, "dataset": "calls-of-one", "title": "Calls"}
        made = client.post("/api/archive/v1/datasets/from-run", asked)
        assert made["files"] == ["calls/ex1.vcf.gz", "calls/ex1.vcf.gz.csi"]
        again = client.http.post("/api/archive/v1/datasets/from-run", json=asked)
        assert (again.status_code, again.json()) == (200, made)  # asking twice is asking once


def test_the_audit_log_of_it_all_is_whole(site: Site) -> None:
    site.frequencies()
    done = site.stage.run("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
