"""What stands beside the votes: groups, words, draws, interests, lifted blocks, kept votes, ends."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import API, FINGERPRINT, PNG, PROJECT, TSV, VCF, Scene, block, person, scene

from airlock.review_store import Draw
from airlock.store import IntakeFile, ReleaseRequest
from strongroom.audit import Event
from strongroom.database import now, transaction
from strongroom.projects import Membership, Project, Role

ALL = {TSV: "count", PNG: "plot", VCF: "sites"}
GROUPS = [
    {
        "name": "spectrum",
        "files": [TSV, PNG],
        "context": "All adults of the cohort.",
        "controls": "Counts of 5 or more.",
    },
    {"name": "sites", "files": [VCF], "context": "Sites of gene X.", "controls": "No sample columns."},
]


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as one:
        yield one


@pytest.fixture
def drawn() -> Iterator[Scene]:
    with scene(drawn=True) as one:
        yield one


def post(stage: Scene, name: str, path: str, body: Any = None, *, status: int = 200) -> Any:
    answer = stage.ask(name).post(f"{API}/{path}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


def shown(stage: Scene, name: str, request: str) -> Any:
    return stage.ask(name).get(f"{API}/requests/{request}").json()


def decide(stage: Scene, request: dict[str, Any], outcome: str, *names: str, **no: str) -> Any:
    for name in names:
        answer = stage.vote(name, {**request, "files": [f for f in request["files"] if not f["supporting"]]}, **no)
        assert answer.status_code == 200, answer.text
    return post(stage, names[0], f"reviews/{request['id']}:consolidate", {"outcome": outcome})


def resubmit(stage: Scene, request: dict[str, Any], **more: Any) -> Any:
    edited = post(stage, "ruth", f"requests/{request['id']}:edit", more)
    assert edited["state"] == "READY", edited
    return post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT})


def change_bytes(stage: Scene, path: str) -> None:
    """Let intake hold another clean copy of a file, as after a run that was repeated."""
    with transaction(stage.engine) as session:
        file = session.scalars(sa.select(IntakeFile).where(IntakeFile.path == path)).one()
        body, file.clean = secrets.token_bytes(150), secrets.token_hex(16)
        stage.inspector.store.put(file.clean, iter([body]))
        file.body_sha256 = hashlib.sha256(body).hexdigest()


def test_files_stand_in_groups_with_context_and_controls(stage: Scene) -> None:
    run = stage.complete_run(ALL)
    made = post(stage, "ruth", "requests", {"run": run, "purpose": "Figure 2.", "groups": GROUPS}, status=201)
    assert [(g["name"], g["files"]) for g in made["groups"]] == [("sites", [VCF]), ("spectrum", sorted([PNG, TSV]))]
    assert {f["path"]: f["group"] for f in made["files"]} == {TSV: "spectrum", PNG: "spectrum", VCF: "sites"}
    post(stage, "ruth", f"requests/{made['id']}:submit", {"key": FINGERPRINT})
    assert stage.ask("sam").get(f"{API}/reviews/{made['id']}").json()["groups"] == made["groups"]
    frozen = next(e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED")
    assert len(frozen["facts"]["groups_sha256"]) == 64
    assert "All adults" not in str(frozen)


def test_without_groups_the_purpose_is_the_context_and_the_contract_says_the_controls(stage: Scene) -> None:
    made = stage.ready(stage.complete_run(ALL), TSV)
    (group,) = made["groups"]
    assert (group["name"], group["context"]) == ("all", "Figure 2.")
    assert "counts in n" in group["controls"]
    assert "at most 10 rows" in group["controls"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": GROUPS[:1]},
        {"groups": [*GROUPS, {**GROUPS[1], "name": "again"}]},
        {"groups": [GROUPS[0], {**GROUPS[1], "context": ""}]},
        {"groups": [GROUPS[0], {**GROUPS[1], "controls": "\u202e"}]},
        {"supporting": ["no/such.file"]},
        {"supporting": [TSV, PNG, VCF]},
        {"supporting": [TSV]},  # the picture leaves only with its numbers
    ],
)
def test_groups_and_supporting_files_that_do_not_fit_are_refused(stage: Scene, wrong: dict[str, Any]) -> None:
    run = stage.complete_run(ALL)
    post(stage, "ruth", "requests", {"run": run, "purpose": "Figure 2.", **wrong}, status=400)
    assert stage.ask("ruth").get(f"{API}/requests").json()["requests"] == []


def test_supporting_files_are_seen_and_never_leave(stage: Scene) -> None:
    run = stage.complete_run(ALL)
    asked = {"run": run, "purpose": "Figure 2.", "supporting": [VCF]}
    made = post(stage, "ruth", "requests", asked, status=201)
    post(stage, "ruth", f"requests/{made['id']}:submit", {"key": FINGERPRINT})
    helping = next(f for f in made["files"] if f["path"] == VCF)
    looked = stage.ask("sam").get(f"{API}/reviews/{made['id']}/files/{helping['id']}/view")
    assert looked.status_code == 200
    refused = stage.ask("sam").post(
        f"{API}/reviews/{made['id']}:vote", {"votes": [{"file": helping["id"], "vote": "yes"}]}
    )
    assert refused.status_code == 404
    assert decide(stage, made, "approve", "sam", "sina")["state"] == "APPROVED"
    stage.work()
    done = shown(stage, "ruth", made["id"])
    assert done["state"] == "RELEASED"
    assert {f["path"]: f["link"] is not None for f in done["files"]} == {TSV: True, PNG: True, VCF: False}
    assert stage.ask("ruth").get(f"{API}/releases/{made['id']}/files/{helping['id']}").status_code == 404
    frozen = next(e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED")
    assert len(frozen["facts"]["files"]) == 2


def test_only_what_changed_is_voted_on_again(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL))
    assert decide(stage, request, "return", "sam", "sina", **{"vcf.gz": "small-counts"})["state"] == "RETURNED"
    change_bytes(stage, VCF)
    again = resubmit(stage, request)
    assert (again["state"], again["turn"]) == ("SUBMITTED", 2)
    seen = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()
    assert {f["path"]: (f["votes_kept"], f["my_vote"]) for f in seen["files"]} == {
        TSV: (True, "yes"),
        PNG: (True, "yes"),
        VCF: (False, None),
    }
    vcf = next(f["id"] for f in seen["files"] if f["path"] == VCF)
    for name in ("sam", "sina"):
        post(stage, name, f"reviews/{request['id']}:vote", {"votes": [{"file": vcf, "vote": "yes"}]})
    assert post(stage, "sam", f"reviews/{request['id']}:consolidate", {"outcome": "approve"})["state"] == "APPROVED"
    stage.work()
    assert shown(stage, "ruth", request["id"])["state"] == "RELEASED"
    (asked,) = stage.broker.asked
    frozen = next(e for e in stage.events(Event.REQUEST_STATE) if e["seq"] == asked["submitted"])["facts"]
    assert frozen["turn"] == 2
    for name, seqs in frozen["kept"]["votes"].items():
        assert asked["votes"][name] == seqs
    assert len(frozen["kept"]["votes"]) == 2


@pytest.mark.parametrize("changed", ["bytes", "policy", "key", "interest", "membership"])
def test_votes_are_kept_for_the_same_bytes_policy_recipient_and_stewards_alone(stage: Scene, changed: str) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    for name in ("sam", "sina"):
        stage.vote(name, request)
    body = {"audience": "requester", "remark": "add-context"}
    post(stage, "sam", f"reviews/{request['id']}:comment", body, status=201)
    if changed == "interest":
        post(stage, "sara", f"reviews/{request['id']}:interest")  # of somebody else: nothing changes
    post(stage, "sam", f"reviews/{request['id']}:consolidate", {"outcome": "return"})
    with transaction(stage.engine) as session:
        row = session.get_one(ReleaseRequest, request["id"])
        if changed == "policy":
            project = session.get_one(Project, PROJECT)
            project.min_count, project.policy_version = 9, 2
        if changed == "membership":
            session.execute(sa.update(Membership).where(Membership.person == person("sam")).values(until=now()))
        assert row.state == "RETURNED"
    if changed == "bytes":
        change_bytes(stage, TSV)
    if changed == "key":
        stage.app.state.public_key_of = lambda *_: base64.b64encode(b"s" * 32).decode()
    post(stage, "ruth", f"requests/{request['id']}:edit", {})
    stage.work()
    again = post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT})
    kept = again["state"] == "CONSOLIDATING"
    assert kept is (changed == "interest"), again["state"]
    if kept:
        assert (
            post(stage, "sina", f"reviews/{request['id']}:consolidate", {"outcome": "approve"})["state"] == "APPROVED"
        )


def test_a_policy_signed_since_the_scan_asks_for_another_scan(stage: Scene) -> None:
    request = stage.ready(stage.complete_run(ALL), TSV)
    limits = stage.signed_policy(min_count=9)
    post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT}, status=409)
    assert not [e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED"]
    post(stage, "ruth", f"requests/{request['id']}:edit", {})
    stage.work()
    post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT})
    (frozen,) = [e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED"]
    assert frozen["facts"]["policy"] == {**limits, "version": 2}
    assert frozen["facts"]["policy_version"] == 2


def test_who_asks_for_changes_says_which(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    for name in ("sam", "sina"):
        stage.vote(name, request)
    for outcome in ("return", "reject"):
        post(stage, "sam", f"reviews/{request['id']}:consolidate", {"outcome": outcome}, status=409)
    body = {"audience": "requester", "text": "Please say how the adults were chosen."}
    post(stage, "sam", f"reviews/{request['id']}:comment", body, status=201)
    # Words that the other has not confirmed reach nobody, so they are no answer.
    post(stage, "sam", f"reviews/{request['id']}:consolidate", {"outcome": "return"}, status=409)
    post(stage, "sina", f"reviews/{request['id']}:comment", {"audience": "requester", "remark": "round"}, status=201)
    post(stage, "sam", f"reviews/{request['id']}:consolidate", {"outcome": "return"})
    (seen,) = shown(stage, "ruth", request["id"])["comments"]
    assert seen["sentence"].startswith("Round the counts")
    assert seen["author"] is None


def test_a_comment_for_stewards_stays_with_stewards_and_blind_reviews_stay_blind(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    place = f"reviews/{request['id']}:comment"
    post(stage, "sam", place, {"audience": "stewards", "text": "Compare it with the release of May."}, status=201)

    def read(name: str) -> list[str]:
        return [c["text"] for c in shown(stage, name, request["id"])["comments"]]

    assert (len(read("sam")), read("sina"), read("ruth")) == (1, [], [])
    post(
        stage,
        "ruth",
        f"requests/{request['id']}:comment",
        {"audience": "stewards", "text": "It is for a poster."},
        status=201,
    )
    assert read("sina") == ["It is for a poster."]
    decide(stage, request, "approve", "sam", "sina")
    assert len(read("sina")) == 2
    assert read("ruth") == ["It is for a poster."]
    # Nobody else says anything.
    for name in ("rob", "nobody", "both", "former"):
        post(
            stage,
            name,
            place,
            {"audience": "stewards", "text": "Hello."},
            status=403 if name in {"both", "former"} else 404,
        )


def test_a_senior_lifts_a_block_with_a_reason_that_stands_in_the_register(stage: Scene) -> None:
    stage.inspector.findings[("check", TSV)] = block("small-count")
    request = stage.ready(stage.complete_run(ALL), TSV)
    assert request["state"] == "BLOCKED"
    file = request["files"][0]["id"]
    body = {"files": [file], "reason": "false-alarm", "note": "The column counts genes and no persons."}
    for name, status in (("sam", 403), ("ruth", 403), ("rob", 403), ("nobody", 403)):
        post(stage, name, f"requests/{request['id']}:lift", body, status=status)
    post(stage, "sena", f"requests/{request['id']}:lift", {**body, "note": "Patient 943 476 5919"}, status=400)
    post(stage, "sena", f"requests/{request['id']}:lift", body)
    ready = shown(stage, "ruth", request["id"])
    assert (ready["state"], ready["files"][0]["lifted"], ready["files"][0]["verdict"]) == ("READY", True, "block")
    post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT})
    assert decide(stage, request, "approve", "sam", "sina")["state"] == "APPROVED"
    stage.work()
    assert shown(stage, "ruth", request["id"])["state"] == "RELEASED"
    (line,) = stage.ask("sam").get(f"{API}/register").json()["lifts"]
    assert (line["senior"], line["codes"], line["reason"]) == (person("sena"), ["small-count"], "false-alarm")
    assert stage.ask("nobody").get(f"{API}/register").json()["lifts"] == []
    assert stage.events(Event.BLOCK_LIFTED)[0]["facts"]["reason"] == "false-alarm"


def test_a_lifted_block_holds_for_these_bytes_only(stage: Scene) -> None:
    stage.inspector.findings[("check", TSV)] = block("small-count")
    request = stage.ready(stage.complete_run(ALL), TSV)
    body = {"files": [request["files"][0]["id"]], "reason": "false-alarm", "note": "Genes, not persons."}
    post(stage, "sena", f"requests/{request['id']}:lift", body)
    assert post(stage, "ruth", f"requests/{request['id']}:edit", {"purpose": "Figure 3."})["state"] == "BLOCKED"


def test_two_of_the_stewards_are_drawn_and_the_third_stays_out(drawn: Scene) -> None:
    request = drawn.submitted(drawn.complete_run(ALL), TSV)
    seen = shown(drawn, "sam", request["id"])["reviewers"]
    chosen = [name.partition("@")[0] for name in seen]
    (third,) = {"sam", "sina", "sara"} - set(chosen)
    assert len(chosen) == 2
    assert request["reviewers"] == []
    assert drawn.vote(third, request).status_code == 403
    assert drawn.ask(third).get(f"{API}/reviews").json()["requests"] == []
    assert len(drawn.ask(chosen[0]).get(f"{API}/reviews").json()["requests"]) == 1
    # One declines, the third is drawn; nobody is left for the next.
    post(drawn, chosen[0], f"reviews/{request['id']}:decline")
    assert drawn.vote(chosen[0], request).status_code == 403
    post(drawn, third, f"reviews/{request['id']}:decline", status=409)
    assert decide(drawn, request, "approve", third, chosen[1])["state"] == "APPROVED"


def test_who_sits_idle_is_replaced(drawn: Scene) -> None:
    request = drawn.submitted(drawn.complete_run(ALL), TSV)
    first = [name.partition("@")[0] for name in shown(drawn, "sam", request["id"])["reviewers"]]
    assert drawn.vote(first[0], request).status_code == 200
    with transaction(drawn.engine) as session:
        session.execute(sa.update(Draw).values(drawn=now() - timedelta(days=6)))
    drawn.work()
    after = {name.partition("@")[0] for name in shown(drawn, "sam", request["id"])["reviewers"]}
    (third,) = {"sam", "sina", "sara"} - set(first)
    assert after == {first[0], third}
    assert {e["facts"]["why"] for e in drawn.events(Event.STEWARD_OFF)} == {"idle"}


def test_every_pair_of_stewards_is_drawn_some_day() -> None:
    from airlock.drawing import choose

    pairs = {tuple(sorted(choose(["a", "b", "c", "d"], keep=[]))) for _ in range(500)}
    assert len(pairs) == 6
    assert choose(["a", "b"], keep=["a"]) == ["b"]
    assert choose(["a"], keep=["a", "b"]) == []


def test_an_interest_voids_votes_and_takes_a_steward_off_for_good(drawn: Scene) -> None:
    request = drawn.submitted(drawn.complete_run(ALL), TSV)
    first, second = (name.partition("@")[0] for name in shown(drawn, "sam", request["id"])["reviewers"])
    for name in (first, second):
        assert drawn.vote(name, request).status_code == 200
    post(drawn, first, f"reviews/{request['id']}:interest")
    (third,) = {"sam", "sina", "sara"} - {first, second}
    assert shown(drawn, second, request["id"])["state"] == "FIRST_REVIEW"
    for verb, body in (("vote", {"votes": [{"file": request["files"][0]["id"], "vote": "yes"}]}), ("decline", None)):
        post(drawn, first, f"reviews/{request['id']}:{verb}", body, status=403)
    post(drawn, second, f"reviews/{request['id']}:consolidate", {"outcome": "approve"}, status=409)
    assert drawn.vote(third, request).status_code == 200
    assert post(drawn, second, f"reviews/{request['id']}:consolidate", {"outcome": "approve"})["state"] == "APPROVED"
    drawn.work()
    (asked,) = drawn.broker.asked
    votes = {e["seq"]: e["actor"] for e in drawn.events(Event.VOTE_CAST)}
    assert {votes[seq] for seqs in asked["votes"].values() for seq in seqs} == {person(second), person(third)}


def test_an_appeal_is_decided_by_others_once_and_in_time(stage: Scene) -> None:
    with transaction(stage.engine) as session:
        session.add(Membership(project=PROJECT, person=person("sol"), role=Role.STEWARD.value, since=now()))
    request = stage.submitted(stage.complete_run(ALL), TSV)
    decide(stage, request, "reject", "sam", "sina", tsv="too-much")
    with transaction(stage.engine) as session:
        session.get_one(ReleaseRequest, request["id"]).changed = now() - timedelta(days=31)
    post(stage, "ruth", f"requests/{request['id']}:appeal", {"key": FINGERPRINT}, status=409)
    with transaction(stage.engine) as session:
        session.get_one(ReleaseRequest, request["id"]).changed = now() - timedelta(days=29)
    post(stage, "ruth", f"requests/{request['id']}:appeal", {"key": FINGERPRINT})
    assert stage.vote("sam", request).status_code == 403
    decide(stage, request, "reject", "sara", "sol", tsv="too-much")
    post(stage, "ruth", f"requests/{request['id']}:appeal", {"key": FINGERPRINT}, status=409)


def test_a_request_that_its_requester_leaves_lying_expires(stage: Scene) -> None:
    request = stage.ready(stage.complete_run(ALL), TSV)
    waiting = stage.submitted(stage.complete_run(ALL), TSV)
    with transaction(stage.engine) as session:
        session.execute(sa.update(ReleaseRequest).values(changed=now() - timedelta(days=91)))
    stage.work()
    assert shown(stage, "ruth", request["id"])["state"] == "EXPIRED"
    assert shown(stage, "ruth", waiting["id"])["state"] == "SUBMITTED"
    post(stage, "ruth", f"requests/{request['id']}:submit", {"key": FINGERPRINT}, status=409)


def test_an_approval_is_called_back_before_it_leaves(stage: Scene) -> None:
    request = stage.submitted(stage.complete_run(ALL), TSV)
    assert decide(stage, request, "approve", "sam", "sina")["state"] == "APPROVED"
    assert post(stage, "sara", f"releases/{request['id']}:revoke")["state"] == "REVOKED"
    stage.work()
    assert stage.broker.asked == []


def test_the_queue_says_whose_turn_it_is_and_how_far_a_request_is(stage: Scene) -> None:
    first, second = (stage.submitted(stage.complete_run(ALL), TSV) for _ in range(2))
    assert (first["place"], second["place"]) == (1, 2)
    lines = {one["id"]: one for one in stage.ask("sam").get(f"{API}/reviews").json()["requests"]}
    line = lines[first["id"]]
    assert (line["turn_of"], line["worst"], line["my_votes"], line["bytes"]) == ("steward", "pass", 0, 94)
    (own, _) = stage.ask("ruth").get(f"{API}/requests").json()["requests"]
    assert (own["turn_of"], own["worst"]) == ("steward", None)
