"""The airlock's API on a real database: outputs, requests, reviews, releases."""

import hashlib
from collections.abc import Iterator

import pytest
from airlock_scene import API, FINGERPRINT, KEY, PNG, TSV, VCF, Scene, block, person, scene

from strongroom.audit import Event
from strongroom.persons import NOBODY

ALL = {TSV: "count", PNG: "plot", VCF: "sites", "work/person.vcf": "call", "results/extra.tsv": "count"}


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


def test_intake_takes_what_the_contract_releases_and_leaves_the_rest_inside(stage: Scene) -> None:
    run = stage.complete_run(ALL)
    held = stage.ask("ruth").get(f"{API}/outputs", params={"run": run}).json()
    assert [f["path"] for f in held["files"]] == sorted([TSV, PNG, VCF])
    assert {f["verdict"] for f in held["files"]} == {"pass"}
    assert held["left_inside"] == 2
    assert stage.events(Event.INTAKE_LEFT)[0]["facts"]["files"] == 2
    assert "person.vcf" not in str(stage.events(Event.INTAKE_TAKEN, Event.INTAKE_LEFT))


def test_offering_a_run_twice_changes_nothing(stage: Scene) -> None:
    from airlock import intake
    from strongroom.database import transaction

    run = stage.complete_run(ALL)
    with transaction(stage.engine) as session:
        again = intake.offer(
            session,
            run=run,
            project="cohort",
            person=person("ruth"),
            workflow="frequencies",
            datasets=[],
            lineage=[],
            coarse=False,
            contract=intake.Contract(()),
            policy=intake.project_policy(version=1, min_count=5),
            files=[],
        )
    assert again == 3
    assert len(stage.events(Event.INTAKE_TAKEN)) == 1


def test_the_clean_copy_of_a_needed_table_is_there_when_its_picture_is_checked(stage: Scene) -> None:
    run = stage.complete_run({PNG: "plot", TSV: "count"})
    files = stage.files(run)
    (check,) = [m for m in stage.inspector.asked if m["kind"] == "check" and m["request"]["name"] == PNG]
    assert list(check["supporting"].values()) == [files[TSV].clean]
    assert check["request"]["rule"]["needs"] == list(check["supporting"])
    assert all(m["supporting"] == {} for m in stage.inspector.asked if m["kind"] == "repack")
    assert {m["object"] for m in stage.inspector.asked if m["kind"] == "check"} == {f.clean for f in files.values()}


def test_the_whole_way_out(stage: Scene) -> None:
    run = stage.complete_run(ALL)
    done = stage.released(run)
    assert done["state"] == "RELEASED"
    (asked,) = stage.broker.asked
    assert set(asked) == {"verb", "request", "submitted", "votes"}
    frozen = next(e for e in stage.events(Event.REQUEST_STATE) if e["seq"] == asked["submitted"])
    assert frozen["facts"]["recipient"] == KEY
    assert frozen["facts"]["state"] == "SUBMITTED"
    assert {f["object"] for f in frozen["facts"]["files"]} == set(asked["votes"])
    votes = {e["seq"]: e for e in stage.events(Event.VOTE_CAST)}
    for name, seqs in asked["votes"].items():
        assert {votes[seq]["actor"] for seq in seqs} == {person("sam"), person("sina")}
        assert {votes[seq]["facts"]["object"] for seq in seqs} == {name}
    file = done["files"][0]
    sealed = stage.ask("").get(file["link"])
    assert sealed.status_code == 200
    assert sealed.headers["cache-control"] == "no-store"
    assert hashlib.sha256(sealed.content[124:]).hexdigest() == file["body_sha256"]
    assert stage.ask("ruth").get(f"{API}/releases/{done['id']}/files/{file['id']}").content == sealed.content
    again = stage.ask("ruth").get(f"{API}/requests/{done['id']}").json()
    assert next(f for f in again["files"] if f["id"] == file["id"])["downloads"] == 2
    assert len(stage.events(Event.RELEASE_DOWNLOADED)) == 2


def test_a_person_s_calls_are_refused_with_the_reason_and_the_log_knows(stage: Scene) -> None:
    run = stage.complete_run({"work/person.vcf": "call"})
    everything = stage.ask("ruth").post(f"{API}/requests", {"run": run, "purpose": "x"})
    one = stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": ["work/person.vcf"], "purpose": "x"})
    never = stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": ["no/such.file"], "purpose": "x"})
    assert {everything.status_code, one.status_code, never.status_code} == {403}
    assert "contract" in everything.json()["msg"]
    assert one.json() == never.json()  # nobody learns which files there are
    assert len(stage.events(Event.REQUEST_REFUSED)) == 3


def test_a_picture_leaves_only_together_with_its_numbers(stage: Scene) -> None:
    run = stage.complete_run(ALL)
    answer = stage.ask("ruth").post(f"{API}/requests", {"run": run, "files": [PNG], "purpose": "x"})
    assert answer.status_code == 400
    assert TSV in answer.json()["msg"]


def test_votes_stay_hidden_until_both_reviews_are_in(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL))
    assert stage.vote("sam", request, tsv="small-counts").json()["state"] == "FIRST_REVIEW"
    seen = stage.ask("sina").get(f"{API}/reviews/{request['id']}").json()
    assert all(f["votes"] == [] and f["my_vote"] is None for f in seen["files"])
    own = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()
    assert {f["my_vote"] for f in own["files"]} == {"yes", "no"}
    requester = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert all(f["votes"] == [] and f["reasons"] == [] for f in requester["files"])
    assert stage.vote("sina", request).json()["state"] == "CONSOLIDATING"
    seen = stage.ask("sina").get(f"{API}/reviews/{request['id']}").json()
    assert all(len(f["votes"]) == 2 for f in seen["files"])


def test_refused_files_go_back_in_a_request_of_their_own(stage: Scene) -> None:
    run = stage.complete_run({TSV: "count", VCF: "sites"})
    request = stage.submitted(run)
    stage.vote("sam", request)
    stage.vote("sina", request, gz="too-much")
    consolidate = f"{API}/reviews/{request['id']}:consolidate"
    assert stage.ask("sam").post(consolidate, {"outcome": "approve"}).status_code == 409
    assert stage.ask("sara").post(consolidate, {"outcome": "split"}).status_code == 403
    assert stage.ask("sam").post(consolidate, {"outcome": "split"}).json()["state"] == "APPROVED"
    stage.work()
    (asked,) = stage.broker.asked
    assert list(asked["votes"]) == [stage.files(run)[TSV].clean]
    lines = stage.ask("ruth").get(f"{API}/requests").json()["requests"]
    (other,) = [line["id"] for line in lines if line["id"] != request["id"]]
    child = stage.ask("ruth").get(f"{API}/requests/{other}").json()
    assert (child["state"], child["parent"]) == ("RETURNED", request["id"])
    assert [f["path"] for f in child["files"]] == [VCF]
    assert [r["reason"] for r in child["files"][0]["reasons"]] == ["too-much"]
    parent = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert parent["state"] == "RELEASED"
    assert [f["link"] is None for f in parent["files"]] == [f["split_off"] for f in parent["files"]]
    edited = stage.ask("ruth").post(f"{API}/requests/{child['id']}:edit", {"purpose": "Only what is needed."}).json()
    assert (edited["state"], edited["turn"]) == ("READY", 2)


def test_an_appeal_goes_to_two_other_stewards_once(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    for name in ("sam", "sina"):
        stage.vote(name, request, tsv="unclear")
    stage.ask("sina").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "reject"})
    appeal = f"{API}/requests/{request['id']}:appeal"
    assert stage.ask("ruth").post(appeal, {"key": FINGERPRINT}).json()["turn"] == 2
    assert stage.vote("sam", request).status_code == 403
    assert stage.vote("sara", request).json()["state"] == "FIRST_REVIEW"
    assert stage.ask("ruth").post(appeal, {"key": FINGERPRINT}).status_code == 409


def test_a_view_is_bounded_never_stored_and_in_the_log(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run({TSV: "count"}))
    file = request["files"][0]["id"]
    seen = stage.ask("sam").get(f"{API}/reviews/{request['id']}/files/{file}/view")
    assert seen.status_code == 200, seen.text
    assert seen.headers["cache-control"] == "no-store"
    assert seen.json()["view"]["rows"] == [["18-39", "12"]]
    (event,) = stage.events(Event.FILE_VIEWED)
    assert (event["actor"], event["subject"]) == (person("sam"), file)
    asked = stage.inspector.asked[-1]
    assert (asked["kind"], asked["person"], asked["supporting"]) == ("view", person("sam"), {})
    assert stage.ask("ruth").get(f"{API}/reviews/{request['id']}/files/{file}/view").status_code == 403


def test_revoked_and_expired_releases_answer_no_more(stage: Scene) -> None:
    from airlock.store import Release
    from strongroom.database import now, transaction

    run = stage.complete_run({TSV: "count"})
    first, second = stage.released(run), stage.released(run)
    assert stage.ask("ruth").post(f"{API}/releases/{first['id']}:revoke").status_code == 403
    assert stage.ask("sara").post(f"{API}/releases/{first['id']}:revoke").json()["state"] == "REVOKED"
    assert stage.ask("").get(first["files"][0]["link"]).status_code == 410
    with transaction(stage.engine) as session:
        session.get_one(Release, second["id"]).expires = now()
    assert stage.ask("").get(second["files"][0]["link"]).status_code == 410
    stage.work()
    assert stage.ask("ruth").get(f"{API}/requests/{second['id']}").json()["state"] == "EXPIRED"


def test_an_inspection_that_fails_is_tried_again_and_then_blocks(stage: Scene) -> None:
    stage.inspector.report = {"cause": "out_of_memory", "exit_code": None, "answer": None, "outputs": []}
    run = stage.complete_run({TSV: "count"})
    for _ in range(4):
        stage.make_due(run)
        stage.work()
    assert len(stage.inspector.asked) == 3
    (output,) = stage.ask("ruth").get(f"{API}/outputs", params={"run": run}).json()["files"]
    assert (output["verdict"], output["findings"][0]["code"]) == ("block", "inspection-failed")
    request = stage.ready(run)
    # Asking for it is a reason to try once more.
    assert request["state"] == "SCANNING"
    stage.inspector.report = None
    stage.work()
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"] == "READY"


def test_a_blocked_file_blocks_its_request_and_a_stricter_policy_means_another_check(stage: Scene) -> None:
    from strongroom.database import transaction
    from strongroom.projects import Project

    run = stage.complete_run({TSV: "count"})
    assert stage.ready(run)["state"] == "READY"
    stage.inspector.findings["check", TSV] = block("small-count")
    with transaction(stage.engine) as session:
        project = session.get_one(Project, "cohort")
        project.min_count, project.policy_version = 10, 2
    request = stage.ready(run)
    assert request["state"] == "SCANNING"
    stage.work()
    seen = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert (seen["state"], seen["files"][0]["findings"][0]["code"]) == ("BLOCKED", "small-count")
    assert stage.inspector.asked[-1]["request"]["policy"]["min_count"] == 10
    submit = stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {"key": FINGERPRINT})
    assert submit.status_code == 409


def test_an_unregistered_key_freezes_nothing(stage: Scene) -> None:
    request = stage.ready(stage.complete_run({TSV: "count"}))
    answer = stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {"key": "0" * 64})
    assert answer.status_code == 409
    assert stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()["state"] == "READY"


def test_the_key_broker_reads_in_the_log_what_the_airlock_wrote(stage: Scene) -> None:
    from archive.keys import ballots
    from strongroom.audit import AuditEvent
    from strongroom.database import reading

    done = stage.released(stage.complete_run(ALL))
    (asked,) = stage.broker.asked
    with reading(stage.engine) as session:
        rows = [e for e in session.query(AuditEvent) if e.subject == done["id"]]
        lines = {e.seq: ballots.read_line(e.seq, bytes(e.body), salt=bytes(e.salt), leaf=e.leaf) for e in rows}
    submitted = ballots.read_submitted(lines.pop(asked["submitted"]), done["id"])
    assert submitted.recipient == b"r" * 32
    later = [line for seq, line in lines.items() if seq > asked["submitted"]]
    # What the broker saw: the request on its way, before it was RELEASED.
    before = [line for line in later if line.facts.get("state") != "RELEASED"]
    ballots.check_still_on(submitted, before)
    voters = {
        person(name): ballots.Voter(steward=True, ever_researcher=False, trained=True) for name in ("sam", "sina")
    }
    for name, seqs in asked["votes"].items():
        ballots.check_voted(
            submitted, name, named=[lines[s] for s in seqs], later=later, voters=voters, joined=NOBODY
        )
