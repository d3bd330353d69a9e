"""A file is brought in by its researcher, scanned, approved by two, and is its own project's dataset from then on."""

from collections.abc import Iterator

import pytest
from airlock_scene import API, PROJECT, Scene, block, person, scene
from ingress_scene import NAME, approved, bring, named, opened, requested, shared, submitted, waits
from page_scene import hidden, pages

from archive.store import Dataset, StoredObject
from strongroom.audit import Event
from strongroom.database import reading
from strongroom.notices import Notice


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        made.broker.dataset = NAME
        yield made


def test_a_file_comes_in_by_two_votes(stage: Scene) -> None:
    request = approved(stage)
    assert (request["state"], request["dataset"], request["files"][0]["link"]) == ("RELEASED", NAME, None)
    asked = stage.broker.asked[-1]
    assert (asked["verb"], asked["request"]) == ("admit", request["id"])
    assert shared(stage) == [PROJECT]
    assert named(stage) == {"genes.tsv": next(iter(asked["votes"]))}
    with reading(stage.engine) as session:
        made = session.get_one(Dataset, NAME)
        assert (made.project, made.min_population, made.created_by) == (PROJECT, 0, person("ruth"))
    frozen = next(e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "SUBMITTED")
    assert frozen["facts"]["dataset"] == NAME
    with reading(stage.engine) as session:
        told = {row.kind for row in session.query(Notice).where(Notice.request == request["id"])}
    assert "request-let-in" in told
    assert "request-released" not in told


def test_the_checks_get_the_bytes_and_what_they_were_said_to_be(stage: Scene) -> None:
    requested(stage)
    asked = [message["request"]["rule"] for message in stage.inspector.asked]
    assert asked == [{"brought": "table"}]
    assert [message["kind"] for message in stage.inspector.asked] == ["check"]


def test_nothing_comes_in_before_two_voted(stage: Scene) -> None:
    request = submitted(stage)
    assert stage.vote("sam", request).status_code == 200
    for name in ("sam", "ruth"):
        done = stage.ask(name).post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
        assert done.status_code in (403, 404, 409)
    stage.work()
    assert (shared(stage), named(stage), stage.broker.asked) == ([], {}, [])


def test_who_brings_it_and_other_researchers_do_not_vote(stage: Scene) -> None:
    request = submitted(stage)
    for name in ("ruth", "rob", "both", "former", "nobody"):
        assert stage.vote(name, request).status_code in (403, 404), name


def test_bytes_that_changed_stay_out(stage: Scene) -> None:
    request = submitted(stage)
    for name in ("sam", "sina"):
        assert stage.vote(name, request).status_code == 200
    with reading(stage.engine) as session:
        made = session.query(StoredObject).one().id
    stage.inspector.store.delete(made)
    stage.inspector.store.put(made, iter([b"other bytes"]))
    stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    stage.work()
    found = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert (found["state"], shared(stage), stage.broker.asked) == ("RELEASING", [], [])
    assert "not those that were reviewed" in found["trouble"]


def test_what_a_check_blocks_waits_for_a_senior_or_another_file(stage: Scene) -> None:
    stage.inspector.findings["check", "genes.tsv"] = block("credential")
    request = requested(stage)
    assert request["state"] == "BLOCKED"
    assert stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {}).status_code == 409
    bring(stage, request["run"], name="mended.tsv")
    stage.work()
    edited = stage.ask("ruth").post(f"{API}/requests/{request['id']}:edit", {"files": ["mended.tsv"]}).json()
    assert (edited["state"], [file["path"] for file in edited["files"]]) == ("READY", ["mended.tsv"])


def test_t5_who_is_among_the_persons_of_the_data_is_for_stewards_alone(stage: Scene) -> None:
    stage.inspector.findings["check", "genes.tsv"] = block("known-person")
    request = requested(stage)
    assert (request["state"], request["files"][0]["findings"]) == ("READY", [])
    assert request["files"][0]["verdict"] == "pass"
    stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", {})
    seen = stage.ask("sam").get(f"{API}/reviews/{request['id']}").json()["files"][0]
    assert (seen["verdict"], seen["findings"][0]["code"]) == ("block", "known-person")
    assert stage.vote("sam", request).status_code == 409


def test_a_refused_file_is_split_off_and_the_rest_comes_in(stage: Scene) -> None:
    request = approved(stage, "genes.tsv", "notes.tsv", outcome="split", **{"notes.tsv": "unclear"})
    assert request["state"] == "RELEASED"
    assert list(named(stage)) == ["genes.tsv"]


def test_a_steward_calls_it_back(stage: Scene) -> None:
    request = approved(stage)
    assert stage.ask("ruth").post(f"{API}/releases/{request['id']}:revoke").status_code == 403
    done = stage.ask("sina").post(f"{API}/releases/{request['id']}:revoke")
    assert (done.json()["state"], shared(stage)) == ("REVOKED", [])


def test_what_is_withdrawn_or_rejected_never_comes_in(stage: Scene) -> None:
    request = requested(stage)
    assert stage.ask("ruth").post(f"{API}/requests/{request['id']}:withdraw").json()["state"] == "WITHDRAWN"
    stage.work()
    assert (shared(stage), named(stage)) == ([], {})


def test_an_emergency_stop_keeps_it_out(stage: Scene) -> None:
    assert stage.ask("sara").post(f"{API}/stops", {"reason": "audit"}).status_code in (200, 201)
    request = approved(stage)
    assert (request["state"], shared(stage)) == ("APPROVED", [])


def test_only_a_researcher_brings_in_and_only_into_their_own(stage: Scene) -> None:
    for name in ("sam", "nobody"):
        assert opened(stage, by=name).status_code in (403, 404)
    assert opened(stage, name="hapmap").status_code == 400
    ingress = opened(stage).json()["id"]
    assert opened(stage).status_code == 409
    for name in ("rob", "sam", "nobody"):
        assert bring(stage, ingress, by=name).status_code in (403, 404)
        made = stage.ask(name).post(f"{API}/requests", {"run": ingress, "purpose": "Mine."})
        assert made.status_code in (403, 404)


def test_a_file_is_brought_once_and_from_its_own_quarantine(stage: Scene) -> None:
    ingress = opened(stage).json()["id"]
    other = opened(stage, name=f"{PROJECT}-other").json()["id"]
    made = waits(stage, ingress)
    assert bring(stage, other, made=made).status_code == 404
    assert bring(stage, ingress, made="0" * 32).status_code == 404
    assert bring(stage, ingress, made=made).status_code == 201
    assert bring(stage, ingress, made=made, name="again.tsv").status_code == 409
    assert bring(stage, ingress, name="genes.tsv").status_code == 409
    for name in ("../x", "/x", "a b", ""):
        assert bring(stage, ingress, name=name).status_code in (400, 422)


def test_it_goes_to_its_dataset_and_nowhere_else(stage: Scene) -> None:
    request = requested(stage)
    body = {"deliver_to": {"genes.tsv": "https://example.org/put"}}
    assert stage.ask("ruth").post(f"{API}/requests/{request['id']}:submit", body).status_code == 400


def test_a_release_still_needs_a_key(stage: Scene) -> None:
    made = stage.ready(stage.complete_run({"results/af.tsv": "count"}))
    assert stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {}).status_code == 409


def test_pages_say_what_comes_in_and_ask_for_no_key() -> None:
    with pages() as site:
        site.stage.broker.dataset = NAME
        made = requested(site.stage)
        path, ruth = f"/requests/{made['id']}", site.browser("ruth")
        shown = ruth.get(path).text
        assert NAME in shown
        assert "/runs/" not in shown
        assert 'name="key"' not in shown
        assert ruth.post(f"{path}/submit", hidden(shown, f"{path}/submit")).status_code == 303
        desk = site.browser("sam").get(f"/reviews/{made['id']}").text
        assert f'as the dataset <span class="mono">{NAME}' in desk
        assert "/code/" not in desk
        assert made["promise"] is None
