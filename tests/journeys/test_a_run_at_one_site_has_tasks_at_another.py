"""A run at A has a task at B, where the data is: only headers and what B's stewards released cross."""

import base64
import hashlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from two_sites import SNAKEFILE, TwoSites

from sandbox.crypt4gh import new_private_key, public_key_of, seal_stream
from strongroom.cli.run import WES


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSites]:
    homes = [Path(tempfile.mkdtemp(prefix="strongroom-")) for _ in "ab"]
    both = TwoSites(*homes)
    try:
        both.open(tmp_path_factory.mktemp("two"))
        yield both
    finally:
        both.close()
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


def test_t29_a_run_at_one_site_has_its_task_where_the_data_is(sites: TwoSites) -> None:
    run = sites.a.submit("abroad/1.0.0", {"inputs": {}})
    ((person, client),) = sites.eventually(
        "select t.person, f.client from tasks t join federated_tasks f on f.task = t.id where t.state = 'COMPLETE'",
        sites.b,
    )
    assert (person, client) == ("ruth/development@site-a", "site-a")  # B knows for whom A asks
    sites.eventually("select id from release_requests where state = 'SUBMITTED'", sites.b)
    time.sleep(2)
    assert sites.rows(sites.a, "select state from runs where id = ?", run) == [("RUNNING",)]
    assert sites.rows(sites.a, "select count(*) from dataset_files") == [(0,)]  # nothing came before release
    sites.release_at_b()
    assert sites.a.ended(run) == "COMPLETE", sites.a.what_happened()
    assert {path: one["verdict"] for path, one in sites.a.held(run).items()} == {"results/total.tsv": "pass"}
    ((size,),) = sites.rows(
        sites.a,
        "select s.size from stored_objects s join dataset_files d on d.object = s.id where dataset = 'from-b'",
    )
    assert size == len("group\tpeople\na\t20\nb\t20\n")
    moved = [event["facts"]["to"] for event in remote_events(sites)]
    assert (moved[0], moved[-1]) == ("INITIALIZING", "COMPLETE")


def test_t29_of_the_data_nothing_crosses_but_what_was_released(sites: TwoSites) -> None:
    label = b"alpha.tsv-7"  # a person's label, in B's data and, since its owner gave it, in the rows of B's objects
    for site, ends in ((sites.a, (".db", ".db-wal")), (sites.b, ())):
        for file in (path for path in site.stage.home.rglob("*") if path.is_file()):
            if file.name.endswith(ends) or "objects" in file.parts or "logs" in file.parts:
                assert label not in file.read_bytes(), file
    known = sites.rows(sites.b, "select body_sha256 from stored_objects")
    came = sites.rows(sites.a, "select body_sha256, size from stored_objects where owner = 'from-b'")
    released = sites.rows(sites.b, "select body_sha256, size from released_files")
    assert came == released
    others = {digest for (digest,) in known} - {digest for digest, _ in released}
    assert not others & {digest for (digest,) in sites.rows(sites.a, "select body_sha256 from stored_objects")}


def test_t29_a_ticket_lets_one_file_in_and_no_stranger(sites: TwoSites) -> None:
    before = sites.rows(sites.a, "select count(*) from dataset_files")
    ((tickets,),) = sites.rows(sites.a, "select tickets from remote_jobs limit 1")
    (spent,) = json.loads(tickets).values()
    assert sites.put("", b"x").status_code == 404
    assert sites.put("guess", b"x").status_code == 404
    assert sites.put(spent, b"crypt4gh" + b"\0" * 100).status_code == 200  # spent: passed over
    assert sites.rows(sites.a, "select count(*) from dataset_files") == before


def test_t3_a_task_that_fails_there_fails_the_run_here(sites: TwoSites, tmp_path: Path) -> None:
    run = sites.a.submit(sites.vet_workflow(tmp_path / "w", "failing", "fail"), {"inputs": {}})
    assert sites.a.ended(run) == "EXECUTOR_ERROR"


def test_t3_a_task_that_no_profile_there_describes_fails_the_run_here(sites: TwoSites, tmp_path: Path) -> None:
    run = sites.a.submit(sites.vet_workflow(tmp_path / "w", "unsigned", "anything"), {"inputs": {}})
    assert sites.a.ended(run) == "SYSTEM_ERROR"


def test_t29_no_file_of_a_run_goes_along_to_another_site(sites: TwoSites, tmp_path: Path) -> None:
    sneaky = SNAKEFILE.replace(
        "rule count_there:\n",
        'rule mine:\n    output: "mine.txt"\n    shell: "echo x > {output}"\n\nrule count_there:\n'
        '    input: "mine.txt"\n',
    )
    run = sites.a.submit(sites.vet_workflow(tmp_path / "w", "sneaky", snakefile=sneaky), {"inputs": {}})
    assert sites.a.ended(run) == "EXECUTOR_ERROR"
    assert sites.rows(sites.a, "select count(*) from remote_jobs where run = ?", run) == [(0,)]


def test_a_run_that_is_canceled_cancels_its_task_there(sites: TwoSites, tmp_path: Path) -> None:
    run = sites.a.submit(sites.vet_workflow(tmp_path / "w", "slow", "slow"), {"inputs": {}})
    ((theirs,),) = sites.eventually(
        "select theirs from remote_jobs where run = ? and state = 'RUNNING'", sites.a, run
    )
    with sites.a.stage.client(sites.a.cast.researcher) as client:
        client.post(f"{WES}/runs/{run}/cancel")
    assert sites.a.ended(run) == "CANCELED"
    sites.eventually("select id from tasks where id = ? and state = 'CANCELED'", sites.b, theirs)
    ((tickets,),) = sites.rows(sites.a, "select tickets from remote_jobs where run = ?", run)
    (ticket,) = json.loads(tickets).values()
    assert sites.put(ticket, b"x").status_code == 409  # nothing comes home to a run that is over


def test_t29_what_comes_by_a_ticket_is_sealed_to_the_inbox_or_refused(sites: TwoSites) -> None:
    run = sites.a.submit("abroad/1.0.0", {"inputs": {}})
    query = "select tickets from remote_jobs where run = ? and state = 'RUNNING'"
    ((tickets,),) = sites.eventually(query, sites.a, run)
    (ticket,) = json.loads(tickets).values()
    stranger = public_key_of(new_private_key())
    body = io.BytesIO()
    sealed = seal_stream(io.BytesIO(b"poison").readinto, body.write, stranger)
    note = io.BytesIO()
    start = seal_stream(io.BytesIO(hashlib.sha256(b"poison").digest()).readinto, note.write, stranger)
    digest = base64.b64encode(start.header + note.getvalue()).decode()
    whole = sealed.header + body.getvalue()
    before = sites.rows(sites.a, "select count(*) from dataset_files")
    for raw, headers in (
        (b"", {}),
        (b"plain text, not sealed", {}),
        (whole, {}),
        (whole, {"Strongroom-Digest": "x"}),
        (whole, {"Strongroom-Digest": digest}),
        (whole[:-1], {"Strongroom-Digest": digest}),
        (sealed.header, {"Strongroom-Digest": digest}),
    ):
        answer = sites.put(ticket, raw, **headers)
        assert 400 <= answer.status_code < 500, (raw[:20], answer.text)
    assert sites.rows(sites.a, "select count(*) from dataset_files") == before
    sites.release_at_b()
    assert sites.a.ended(run) == "COMPLETE"


def remote_events(sites: TwoSites) -> list[dict]:
    """Return what A's log says of jobs at other sites."""
    found = sites.rows(sites.a, "select body from audit_events where event = 'run.remote' order by seq")
    return [json.loads(body) for (body,) in found]
