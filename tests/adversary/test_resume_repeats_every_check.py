"""Resume is the owner's, and whoever lost a right since the submit does not get it back by resuming (T19)."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from hostile import events, rows, vetted
from site_of_tests import Site

from strongroom.cli.run import WES
from strongroom.database import open_database, transaction
from strongroom.projects import Role

READER = """
rule all:
    input: "done.txt"
rule one:
    input: config["inputs"]["calls"]
    output: "done.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "exit 3"
"""
SLOT = [{"name": "calls", "pattern": "*.vcf.gz", "min_files": 1}]


@pytest.fixture(scope="module")
def failed(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of Ruth's that failed, on a dataset of its own project."""
    url = vetted(site, tmp_path_factory.mktemp("w") / "reader", "reader", READER, inputs=SLOT)
    run = site.submit(url, {"inputs": {"calls": "hapmap"}})
    assert site.ended(run) == "EXECUTOR_ERROR"
    return run


def resume(site: Site, run: str, token: str = "") -> httpx.Response:
    with site.stage.client(token or site.cast.researcher) as client:
        return client.http.post(f"{WES}/runs/{run}/resume")


def refused(site: Site, run: str, status: int, *words: str) -> None:
    """Resuming is refused, says what to do, and leaves run and decision as they were."""
    state = "select state, resumed, ended from runs where id = ?"
    decision = "select closed_at, closed_as, expires from decisions where run = ?"
    before = rows(site, state, run), rows(site, decision, run), len(events(site, "run.refused"))
    answer = resume(site, run)
    assert (answer.status_code, answer.json()["status_code"]) == (status, status), answer.text
    assert [word for word in words if word not in answer.json()["msg"]] == []
    logged = before[2] + (status == 403)
    assert (rows(site, state, run), rows(site, decision, run), len(events(site, "run.refused"))) == (
        *before[:2],
        logged,
    )


@contextmanager
def changed(site: Site, change: str, back: str) -> Iterator[None]:
    """Let the tables say something else for a while."""
    with sql(site, change):
        try:
            yield
        finally:
            with sql(site, back):
                pass


@contextmanager
def sql(site: Site, statement: str) -> Iterator[None]:
    import sqlalchemy as sa

    engine = open_database(site.stage.settings.database)
    with transaction(engine) as session:
        session.execute(sa.text(statement))
    engine.dispose()
    yield


def test_t19_only_its_owner_resumes_a_run(site: Site, failed: str) -> None:
    rita = site.stage.token("rita", Role.RESEARCHER, "cohort")
    for token in (rita, site.cast.operator, site.cast.first_steward):
        assert resume(site, failed, token).status_code == 404
    assert resume(site, "0" * 32).status_code == 404
    with site.stage.client("") as nobody:
        assert nobody.http.post(f"{WES}/runs/{failed}/resume").status_code == 401


def test_t19_who_is_no_researcher_any_more_does_not_resume(site: Site, failed: str) -> None:
    mine = "person = 'ruth@development' and role = 'researcher' and project = 'cohort'"
    with changed(
        site,
        f"update memberships set until = '2020-01-01 00:00:00' where {mine}",
        f"update memberships set until = null where {mine}",
    ):
        refused(site, failed, 403, "researcher of this project")


def test_t19_a_project_that_ended_resumes_nothing(site: Site, failed: str) -> None:
    with changed(
        site,
        "update projects set ends = '2020-01-01 00:00:00' where id = 'cohort'",
        "update projects set ends = null where id = 'cohort'",
    ):
        refused(site, failed, 404, "no open project")


def test_t19_a_dataset_that_was_taken_back_is_not_read_again(site: Site, failed: str) -> None:
    with site.stage.client(site.cast.operator) as operator:
        operator.post("/api/archive/v1/datasets/hapmap:unshare", {"project": "cohort"})
        try:
            refused(site, failed, 404, "no such dataset")
        finally:
            operator.post("/api/archive/v1/datasets/hapmap:share", {"project": "cohort"})


def test_t19_a_workflow_whose_signature_was_taken_back_does_not_go_on(site: Site, failed: str) -> None:
    file = site.stage.home / "catalogue" / "records" / "reader" / "1.0.0" / "envelope.json"
    kept = file.read_text()
    envelope = json.loads(kept)
    envelope["signatures"].pop()
    file.write_text(json.dumps(envelope))
    try:
        refused(site, failed, 403, "Only vetted workflows")
    finally:
        file.write_text(kept)


def test_t19_stricter_rules_of_the_project_are_not_got_round(site: Site, failed: str) -> None:
    raised = "update projects set min_count = {} where id = 'cohort'"
    with changed(site, raised.format(9), raised.format(5)):
        refused(site, failed, 409, "submit it again")


def test_t19_a_file_that_came_to_the_dataset_since_is_not_in_the_run(site: Site, failed: str) -> None:
    base = sqlite3.connect(f"file:{site.stage.home}/database/strongroom.db?mode=ro", uri=True)
    before = base.execute("select count(*) from run_files where run = ?", (failed,)).fetchone()
    with changed(
        site,
        "insert into dataset_files (dataset, name, object) values ('hapmap', 'NEW.vcf.gz', 'f')",
        "delete from dataset_files where object = 'f'",
    ):
        assert resume(site, failed).status_code == 200
        assert site.ended(failed) == "EXECUTOR_ERROR"
    assert base.execute("select count(*) from run_files where run = ?", (failed,)).fetchone() == before
    assert "NEW" not in (site.stage.home / "runs" / failed / "config.yaml").read_text()
    base.close()


def test_t19_neither_a_complete_nor_a_running_run_is_resumed(site: Site) -> None:
    done = site.frequencies()
    refused(site, done, 409, "COMPLETE", "Submit it again")
    assert rows(site, "select closed_as from decisions where run = ?", done) == [("complete",)]
    run = site.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": "hapmap"}})
    answer = resume(site, run)
    assert (answer.status_code, "has not ended" in answer.json()["msg"]) == (409, True)
    with site.stage.client(site.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    site.ended(run)


def test_t16_a_complete_decision_is_never_opened_again(site: Site) -> None:
    from archive import decisions
    from strongroom.errors import Conflict

    (run,) = rows(site, "select run from decisions where closed_as = 'complete' limit 1")[0]
    engine = open_database(site.stage.settings.database)
    opened: Callable[..., object] = decisions.reopen
    with pytest.raises(Conflict), transaction(engine) as session:
        opened(session, run, envelope={}, policy_version=1, seconds=60)
    engine.dispose()
