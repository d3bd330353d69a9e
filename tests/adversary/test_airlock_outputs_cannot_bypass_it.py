"""Nothing leaves but by the airlock, whatever a researcher, a steward, a workflow or the store tries."""

import stat
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from airlock_scene import API, FINGERPRINT, PNG, TSV, VCF, Scene, block, person, scene

from airlock.store import FileVote, ReleaseRequest, RequestFile
from strongroom.audit import Event
from strongroom.database import now, transaction
from strongroom.projects import Membership, Role


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


def state_of(stage: Scene, request: dict[str, Any]) -> str:
    found: str = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"]
    return found


def reviewed(stage: Scene) -> dict[str, Any]:
    """Return a request that two stewards said yes to, just before their decision."""
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    return request


def approve(stage: Scene, request: dict[str, Any]) -> None:
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.json()["state"] == "APPROVED"


@pytest.mark.parametrize("files", [{TSV: "other_rule"}, {"results/extra.tsv": "count"}, {VCF: "count"}, {PNG: ""}])
def test_t16_a_file_that_another_rule_wrote_last_stays_inside(stage: Scene, files: dict[str, str]) -> None:
    run = stage.complete_run(files)
    assert stage.files(run) == {}
    assert stage.inspector.asked == []
    answer = stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": list(files), "purpose": "x"})
    assert answer.status_code == 403


def test_t16_a_run_that_was_never_offered_has_nothing_to_ask_for(stage: Scene) -> None:
    asked = stage.ask("ruth").post(f"{API}/requests", {"run": "0" * 32, "purpose": "x"})
    assert asked.status_code == 404


def test_t12_only_the_clean_copy_is_ever_asked_for(stage: Scene) -> None:
    run = stage.complete_run({TSV: "count"})
    stage.released(run)
    file = stage.files(run)[TSV]
    assert list(stage.broker.asked[0]["votes"]) == [file.clean]
    assert file.source not in str(stage.broker.asked)


def test_t2_the_broker_is_told_no_recipient(stage: Scene) -> None:
    stage.released(stage.complete_run({TSV: "count"}))
    assert set(stage.broker.asked[0]) == {"verb", "request", "submitted", "votes"}


@pytest.mark.parametrize("name", ["ruth", "rob", "both", "former", "nobody"])
def test_t28_who_is_or_was_of_the_project_never_reviews(stage: Scene, name: str) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    file = request["files"][0]["id"]
    who = stage.ask(name)
    assert stage.vote(name, request).status_code in (403, 404)
    assert who.get(f"{API}/reviews/{request['id']}").status_code in (403, 404)
    assert who.get(f"{API}/reviews/{request['id']}/files/{file}/view").status_code in (403, 404)
    assert who.get(f"{API}/reviews").json() == {"requests": []}
    consolidate = who.post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert consolidate.status_code in (403, 404)
    assert state_of(stage, request) == "SUBMITTED"
    assert [m for m in stage.inspector.asked if m["kind"] == "view"] == []


def test_t28_one_steward_is_not_two(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    assert stage.vote("sam", request).status_code == 200
    assert stage.vote("sam", request).status_code == 409
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.status_code == 409
    assert state_of(stage, request) == "FIRST_REVIEW"


def test_t28_two_votes_cast_at_once_by_one_steward_count_once(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(stage.vote("sam", request).status_code)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409, 409, 409, 409, 409]
    assert len(stage.events(Event.VOTE_CAST)) == 1


def test_a_vote_for_other_bytes_is_refused(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    votes = [{"file": request["files"][0]["id"], "vote": "yes", "body_sha256": "0" * 64}]
    assert stage.ask("sam").post(f"{API}/reviews/{request['id']}:vote", {"votes": votes}).status_code == 409


def test_a_block_is_not_voted_away(stage: Scene) -> None:
    stage.inspector.findings["check", TSV] = block("small-count")
    request = stage.submitted(stage.complete_run({TSV: "count"}, coarse=True))
    assert stage.vote("sam", request).status_code == 409
    for name in ("sam", "sina"):
        assert stage.vote(name, request, tsv="blocked-by-checks").status_code == 200
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert done.status_code == 409


def test_t5_in_coarse_mode_small_counts_look_like_large_ones(stage: Scene) -> None:
    good = stage.complete_run({TSV: "count", PNG: "plot"}, coarse=True)
    stage.inspector.findings["check", TSV] = block("small-count")
    stage.inspector.findings["repack", PNG] = block("contract-value")
    bad = stage.complete_run({TSV: "count", PNG: "plot"}, coarse=True)
    seen = [_blurred(stage, run) for run in (good, bad)]
    assert seen[0] == seen[1]
    assert "small-count" not in str(seen)
    # The stewards see why.
    held = stage.ask("sam").get(f"{API}/outputs", params={"run": bad}).json()
    assert {f["findings"][0]["code"] for f in held["files"]} == {"small-count", "contract-value"}


def _blurred(stage: Scene, run: str) -> str:
    """Return all that ruth sees of a run, up to a returned request, with every id and time taken out."""
    held = stage.ask("ruth").get(f"{API}/outputs", params={"run": run}).json()
    submitted = stage.submitted(run)
    assert submitted.pop("place") == len(
        stage.ask("ruth").get(f"{API}/requests").json()["requests"]
    )  # who came first
    lines = [line for line in stage.ask("ruth").get(f"{API}/requests").json()["requests"] if line["run"] == run]
    text = str((held, submitted, lines))
    names = {run, submitted["id"], submitted["created"], submitted["changed"], *(f["id"] for f in held["files"])}
    for name in names:
        text = text.replace(name, "-")
    return text


def test_t11_a_row_set_to_approved_by_hand_releases_nothing(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    with transaction(stage.engine) as session:
        row = session.get_one(ReleaseRequest, request["id"])
        row.state, row.next_try = "APPROVED", now()
    stage.work()
    assert stage.broker.asked == []
    assert state_of(stage, request) == "APPROVED"
    assert (
        stage.ask("ruth").get(f"{API}/releases/{request['id']}/files/{request['files'][0]['id']}").status_code == 409
    )


def test_t11_votes_written_by_hand_for_a_member_release_nothing(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    with transaction(stage.engine) as session:
        row = session.get_one(ReleaseRequest, request["id"])
        file = session.get_one(RequestFile, (row.id, request["files"][0]["id"]))
        for n, name in enumerate(("ruth", "sam")):
            session.add(
                FileVote(
                    request=row.id,
                    turn=1,
                    file=file.file,
                    steward=person(name),
                    vote="yes",
                    body_sha256=file.body_sha256,
                    audit_seq=n,
                    time=now(),
                )
            )
        row.state, row.next_try = "APPROVED", now()
    stage.work()
    assert stage.broker.asked == []


def test_bytes_that_changed_after_review_are_not_released(stage: Scene) -> None:
    request = reviewed(stage)
    stored = stage.inspector.store.path(next(iter(stage.files(request["run"]).values())).clean or "")
    stored.chmod(stat.S_IRUSR | stat.S_IWUSR)
    stored.write_bytes(stored.read_bytes()[:-1] + b"\0")
    approve(stage, request)
    stage.work()
    assert stage.broker.asked == []
    seen = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert (seen["state"], seen["files"][0]["link"]) == ("RELEASING", None)
    assert "bytes" in seen["trouble"]


def test_bytes_that_changed_after_release_are_never_sent_whole(stage: Scene) -> None:
    request = stage.released(stage.complete_run({TSV: "count"}))
    stored = stage.inspector.store.path(next(iter(stage.files(request["run"]).values())).clean or "")
    stored.chmod(stat.S_IRUSR | stat.S_IWUSR)
    stored.write_bytes(bytes(stored.stat().st_size))
    from airlock import downloads
    from airlock.release import BytesChanged

    with transaction(stage.engine) as session:
        row = session.get_one(ReleaseRequest, request["id"])
        going = downloads.open_download(session, row, request["files"][0]["id"], actor="ruth")
    pieces = downloads.stream(stage.inspector.store, going)
    assert next(pieces) == going.header
    with pytest.raises(BytesChanged):
        next(pieces)


def test_a_requester_who_left_the_project_gets_nothing(stage: Scene) -> None:
    request = reviewed(stage)
    with transaction(stage.engine) as session:
        for row in session.query(Membership).filter_by(person=person("ruth"), role=Role.RESEARCHER.value):
            row.until = now()
    approve(stage, request)
    stage.work()
    assert stage.broker.asked == []


@pytest.mark.parametrize("answered", [{}, {"headers": {}, "sha256": {}}, {"headers": "x", "sha256": 3}])
def test_a_broker_that_exports_nothing_releases_nothing(stage: Scene, answered: dict[str, Any]) -> None:
    stage.broker.answered = answered
    request = reviewed(stage)
    approve(stage, request)
    stage.work()
    assert state_of(stage, request) == "RELEASING"
    stage.broker.answered = None
    with transaction(stage.engine) as session:
        session.get_one(ReleaseRequest, request["id"]).next_try = now()
    stage.work()
    assert state_of(stage, request) == "RELEASED"


def test_a_link_is_for_one_file_and_one_end(stage: Scene) -> None:
    request = stage.released(stage.complete_run({TSV: "count", VCF: "sites"}))
    first, second = (file["link"] for file in request["files"])
    stranger = stage.ask("")
    path, query = first.split("?")
    other = second.split("?")[0]
    expires = query.split("&")[0].removeprefix("expires=")
    later = query.replace(expires, str(int(expires) + 3600))
    assert stranger.get(f"{other}?{query}").status_code == 403
    assert stranger.get(f"{path}?{later}").status_code == 403
    assert stranger.get(path).status_code == 401
    assert stranger.get(f"{path}?expires={expires}").status_code == 401
    assert stage.ask("rob").get(path).status_code == 404
    assert stage.ask("sam").get(path).status_code == 404
    assert stage.ask("sam").get(f"{API}/requests/{request['id']}").json()["files"][0]["link"] is None
    assert (stage.settings.home / "keys" / "links").stat().st_mode & 0o777 == 0o600
    assert stranger.get(first).status_code == 200


@pytest.mark.parametrize("state", ["SUBMITTED", "FIRST_REVIEW", "CONSOLIDATING", "APPROVED"])
def test_nothing_is_downloaded_before_it_is_released(stage: Scene, state: str) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    for name in {"FIRST_REVIEW": ["sam"], "CONSOLIDATING": ["sam", "sina"], "APPROVED": ["sam", "sina"]}.get(
        state, []
    ):
        stage.vote(name, request)
    if state == "APPROVED":
        approve(stage, request)
    assert state_of(stage, request) == state
    answer = stage.ask("ruth").get(f"{API}/releases/{request['id']}/files/{request['files'][0]['id']}")
    assert answer.status_code == 409


def test_t20_the_recipient_is_frozen_once_submitted(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    again = stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {"key": FINGERPRINT})
    assert again.status_code == 409
    assert len([e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED"]) == 1
    seen = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()
    assert seen["recipient_fingerprint"] == FINGERPRINT


@pytest.mark.parametrize("name", ["rob", "sam", "nobody"])
def test_a_request_is_its_requester_s_alone(stage: Scene, name: str) -> None:
    request = stage.ready(stage.complete_run({TSV: "count"}))
    who = stage.ask(name)
    for verb, body in (
        ("submit", {"key": FINGERPRINT}),
        ("withdraw", None),
        ("edit", {"purpose": "x"}),
        ("scan", None),
    ):
        assert who.post(f"{API}/requests/{request['id']}:{verb}", body).status_code in (403, 404, 409)
    assert who.post(f"{API}/requests", {"run": request["run"], "purpose": "x"}).status_code in (403, 404)
    assert state_of(stage, request) == "READY"


def test_t14_a_steward_sends_the_requester_no_free_text(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    votes = [{"file": request["files"][0]["id"], "vote": "no", "reason": "patient 17 is Jane"}]
    assert stage.ask("sam").post(f"{API}/reviews/{request['id']}:vote", {"votes": votes}).status_code == 400


def test_t27_a_hostile_answer_becomes_no_row(stage: Scene) -> None:
    stage.inspector.findings["check", TSV] = [
        {"code": "small-count", "severity": "block", "place": {"row": 1}, "reason": "MRSJANEDOE", "cure": "x" * 9999}
    ]
    stage.complete_run({TSV: "count"})
    stored = b"".join(p.read_bytes() for p in (stage.settings.home / "database").iterdir())
    assert b"MRSJANEDOE" not in stored
    assert b"small-count" in stored
