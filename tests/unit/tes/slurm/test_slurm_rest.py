"""How slurmrestd's answers are read: v0.0.38.json was recorded from 22.05.8, v0.0.42.json from 24.11.5."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tes.backends.slurm import rest_bodies
from tes.backends.slurm.client import Job, SlurmRefused, SlurmUnavailable
from tes.backends.slurm.options import Options
from tes.backends.slurm.rest import Rest
from tes.backends.slurm.states import meaning
from tes.tasks import Cause, TaskState

HERE = Path(__file__).parent
RECORDED = {version: json.loads((HERE / f"{version}.json").read_text()) for version in ("v0.0.38", "v0.0.42")}
both = pytest.mark.parametrize("version", RECORDED)
Answer = dict[str, Any]


@contextmanager
def replayed(answers: dict[str, Answer], tokens: Path | None = None) -> Iterator[tuple[Rest, list[str]]]:
    """Yield a driver of a server that gives these answers by path, and the paths that it was asked for."""
    asked: list[str] = []

    class Replay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            answer = answers.get(urlsplit(self.path).path, {"status": 404, "body": None})
            raw = json.dumps(answer["body"]).encode() if "body" in answer else answer["raw"]
            self.send_response(answer["status"])
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Replay)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    rest = Rest(f"http://127.0.0.1:{server.server_port}", user="alice", tokens=tokens, seconds=10)
    try:
        with closing(rest):
            yield rest, asked
    finally:
        server.shutdown()
        server.server_close()


def recorded(version: str, kind: str) -> Answer:
    body: Answer = RECORDED[version][kind]["body"]
    return body


def openapi(*versions: str) -> dict[str, Answer]:
    paths = {f"/slurm/{version}/job/submit": {} for version in versions}
    return {"/openapi/v3": {"status": 200, "body": {"paths": paths}}}


def a_job(**changed: Any) -> Job:
    options = Options(partition="main", gres="gpu:2,token:1", constraint="n2", minutes=7)
    fields = {"name": "tes-1-1", "user": "alice", "script": "#!/bin/sh\n", "cpus": 2, "memory_mb": 20}
    return Job(**{**fields, "options": options, **changed})


@both
def test_how_a_job_ended_is_read_from_slurmctld(version: str) -> None:
    kinds = ("job_failed", "job_signalled", "job_canceled", "job_pending")
    (failed,), (killed,), (canceled,), (pending,) = (rest_bodies.jobs(recorded(version, kind)) for kind in kinds)
    assert (failed.state, failed.exit_code, failed.signal) == ("FAILED", 3, 0)
    assert (killed.state, killed.exit_code or 0, killed.signal) == ("FAILED", 0, 11)
    assert (canceled.state, canceled.signal) == ("CANCELLED", 15)
    assert (pending.state, pending.reason) == ("PENDING", "PartitionDown")
    assert {job.user for job in (failed, killed, canceled, pending)} == {"strongroom-job1"}
    assert all(job.name.startswith("tes-") and job.id > 0 for job in (failed, killed, canceled, pending))
    assert meaning(failed, cancel_asked=False) == Cause.EXITED
    assert meaning(killed, cancel_asked=False) == Cause.SIGNAL
    assert meaning(canceled, cancel_asked=True) == Cause.CANCELED
    assert meaning(pending, cancel_asked=False) == TaskState.QUEUED


@both
def test_how_a_job_ended_is_read_from_accounting(version: str) -> None:
    failed, killed, canceled = rest_bodies.jobs(recorded(version, "accounting"))
    # v0.0.38 says "SUCCESS, 0" of a job that exited with 3: better to know nothing.
    assert (failed.state, failed.exit_code) == ("FAILED", None if version == "v0.0.38" else 3)
    assert (killed.state, killed.signal) == ("FAILED", 11)
    assert canceled.state == "CANCELLED"
    assert {job.user for job in (failed, killed, canceled)} == {"strongroom-job1"}


def test_states_come_in_one_short_answer() -> None:
    words = rest_bodies.words(recorded("v0.0.42", "states"))
    assert sorted(words.values()) == ["CANCELLED", "FAILED", "FAILED", "PENDING"]


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["RUNNING", "COMPLETING"], "COMPLETING"),
        (["FAILED", "COMPLETING"], "COMPLETING"),
        (["RUNNING", "CONFIGURING"], "CONFIGURING"),
        (["PENDING", "REQUEUED"], "REQUEUED"),
        (["RUNNING"], "RUNNING"),
        ("CANCELLED by 0", "CANCELLED"),
    ],
)
def test_flags_that_mean_not_over_come_first(flags: object, word: str) -> None:
    assert rest_bodies.jobs({"jobs": [{"job_id": 1, "job_state": flags}]})[0].state == word


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"jobs": None},
        {"jobs": ["x"]},
        {"jobs": [{"job_id": "x", "job_state": "RUNNING"}]},
        {"jobs": [{"job_id": 1, "job_state": []}]},
        {"jobs": [{"job_id": 1, "job_state": [1]}]},
        {"jobs": [{"job_state": "RUNNING"}]},
    ],
)
def test_an_answer_that_cannot_be_read_is_no_answer(body: Answer) -> None:
    answers = openapi("v0.0.38") | {"/slurm/v0.0.38/jobs": {"status": 200, "body": body}}
    with replayed(answers) as (rest, _), pytest.raises(SlurmUnavailable):
        rest.states([1])


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_no_answer(raw: bytes) -> None:
    answers = openapi("v0.0.38") | {"/slurm/v0.0.38/ping": {"status": 200, "raw": raw}}
    with replayed(answers) as (rest, _), pytest.raises(SlurmUnavailable):
        rest.ping()


def test_the_old_body_says_what_the_new_one_says() -> None:
    old = rest_bodies.submission(a_job(), "v0.0.38")
    new = rest_bodies.submission(a_job(), "v0.0.42")
    assert old["script"] == new["job"]["script"] == "#!/bin/sh\n"
    same = {"name", "partition", "constraints", "dependency", "cpus_per_task", "current_working_directory"}
    same |= {"standard_input", "standard_output", "standard_error"}
    assert {key: old["job"][key] for key in same} == {key: new["job"][key] for key in same}
    assert old["job"]["dependency"] == "singleton"
    assert (old["job"]["no_requeue"], new["job"]["requeue"]) == (True, False)
    assert (old["job"]["time_limit"], new["job"]["time_limit"]) == (7, {"set": True, "number": 7})
    assert (old["job"]["gres"], new["job"]["tres_per_node"]) == ("gpu:2,token:1", "gres/gpu:2,gres/token:1")
    assert (old["job"]["environment"], new["job"]["environment"]) == (
        {"PATH": "/usr/bin:/bin"},
        ["PATH=/usr/bin:/bin"],
    )


@pytest.mark.parametrize(
    ("spoken", "chosen"),
    [
        (["v0.0.36", "v0.0.37", "v0.0.38"], "v0.0.38"),
        (["v0.0.40", "v0.0.41", "v0.0.42"], "v0.0.42"),
        (["v0.0.42", "v0.0.43", "v0.0.44", "v0.0.45", "v0.0.99"], "v0.0.45"),
    ],
)
def test_the_newest_version_that_both_know_is_spoken(spoken: list[str], chosen: str) -> None:
    answers = openapi(*spoken) | {f"/slurm/{chosen}/job/submit": {"status": 200, "body": {"job_id": 5, "errors": []}}}
    with replayed(answers) as (rest, asked):
        assert rest.submit(a_job()) == 5
        assert rest.submit(a_job()) == 5
    assert asked == ["/openapi/v3", *[f"/slurm/{chosen}/job/submit"] * 2]


def test_a_slurmrestd_of_no_version_that_we_know_is_told_apart() -> None:
    with replayed(openapi("v0.0.36", "v1.0.0")) as (rest, _), pytest.raises(SlurmUnavailable) as unknown:
        rest.submit(a_job())
    assert "version" in unknown.value.detail


@both
def test_a_refusal_is_told_and_a_bad_token_is_none(version: str) -> None:
    submit = f"/slurm/{version}/job/submit"
    answers = openapi(version)
    with replayed(answers) as (rest, _):
        answers[submit] = RECORDED[version]["refused"]
        with pytest.raises(SlurmRefused, match="Invalid partition name specified"):
            rest.submit(a_job())
        answers[submit] = RECORDED[version]["token_refused"]
        with pytest.raises(SlurmUnavailable):
            rest.submit(a_job())


@both
def test_slurmrestds_own_list_of_paths_is_understood(version: str) -> None:
    ping = f"/slurm/{version}/ping" + ("" if version == "v0.0.38" else "/")
    with replayed({"/openapi/v3": RECORDED[version]["openapi"], ping: RECORDED[version]["ping"]}) as (rest, asked):
        rest.ping()
    assert asked == ["/openapi/v3", ping]


def test_only_a_state_that_is_news_is_asked_about_further() -> None:
    failed, pending = recorded("v0.0.42", "job_failed")["jobs"][0], recorded("v0.0.42", "job_pending")["jobs"][0]
    ids = [failed["job_id"], pending["job_id"]]
    answers = openapi("v0.0.42") | {
        "/slurm/v0.0.42/jobs/state/": RECORDED["v0.0.42"]["states"],
        f"/slurm/v0.0.42/job/{ids[0]}": RECORDED["v0.0.42"]["job_failed"],
        f"/slurm/v0.0.42/job/{ids[1]}": RECORDED["v0.0.42"]["job_pending"],
    }
    with replayed(answers) as (rest, asked):
        first = rest.states(ids)
        assert (first[ids[0]].exit_code, first[ids[1]].reason) == (3, "PartitionDown")
        assert len(asked) == 4
        assert rest.states(ids) == first
    states = "/slurm/v0.0.42/jobs/state/?" + "&".join(f"job_id={job_id}" for job_id in ids)
    # The reason of one that waits may change though its state does not.
    assert asked[4:] == [states, f"/slurm/v0.0.42/job/{ids[1]}"]


def test_a_list_of_all_jobs_is_asked_for_since_a_time_only() -> None:
    answers = openapi("v0.0.42") | {"/slurm/v0.0.42/jobs/": {"status": 304, "raw": b""}}
    since = datetime(2026, 1, 2, tzinfo=UTC)
    with replayed(answers) as (rest, asked):
        assert rest.find({"tes-1-1": "alice"}, since=since) == []
    assert asked[1:] == [f"/slurm/v0.0.42/jobs/?update_time={int(since.timestamp())}"]


@pytest.mark.parametrize(
    "url", ["http://slurm.example.org:6820", "http://10.0.0.1:6820", "ftp://127.0.0.1", "127.0.0.1:1", "unix:x", ""]
)
def test_a_token_does_not_cross_a_network_in_the_clear(url: str) -> None:
    with pytest.raises(ValueError, match="slurmrestd is reached by"):
        Rest(url, user="alice", tokens=None)


def test_without_tokens_only_its_own_users_jobs_go_in(tmp_path: Path) -> None:
    with replayed(openapi("v0.0.42")) as (rest, asked):
        with pytest.raises(SlurmRefused):
            rest.submit(a_job(user="bob"))
        assert asked == ["/openapi/v3"]


def test_a_users_name_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("token")
    (tmp_path.parent / "secret").write_text("x")
    with replayed(openapi("v0.0.42"), tokens=tmp_path) as (rest, _), pytest.raises(SlurmRefused):
        rest.cancel(1, user="../secret")
