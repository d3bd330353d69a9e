"""Cohorts of whatever project that single out a few persons together do not leave (T7)."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from airlock_scene import (
    API,
    CONTRACT,
    ENGINE_LOG,
    FINGERPRINT,
    LIST,
    PNG,
    SAYS,
    TSV,
    WITH_GROUPS,
    WITH_MEMBERS,
    Scene,
    person,
    scene,
)
from keyroom import CHECKS_IMAGE, SAM, Attempt, KeyRoom, key_room, seal

from airlock import release
from airlock.checks.codes import Code
from airlock.cohorts import MOST_LISTS, Cohort, ReleasedCohort
from airlock.store import Release, ReleaseRequest
from archive.keys.broker import verbs
from archive.labels import digest
from strongroom.audit import Event
from strongroom.database import now, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.projects import Membership, Project, Role

PEOPLE = [f"NA{n:05}" for n in range(100)]


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as made:
        yield made


def run_of(stage: Scene, members: list[str] | None, *, lineage: tuple[str, ...] = ("hapmap",)) -> str:
    """Complete a run whose workflow promises a list of its members."""
    return stage.complete_run({TSV: "count"}, contract=WITH_MEMBERS, members=members, lineage=lineage)


def codes(stage: Scene, run: str) -> dict[str, str]:
    """Return what the checks found in the run's table, with how bad it is."""
    return {finding["code"]: finding["severity"] for finding in stage.files(run)[TSV].findings}


BLOCKED = {Code.COHORT_DIFFERENCE.value: "block"}


def test_t7_a_cohort_less_one_person_is_stopped_and_its_requester_learns_nothing(stage: Scene) -> None:
    assert stage.released(run_of(stage, PEOPLE), TSV)["state"] == "RELEASED"
    run = run_of(stage, PEOPLE[1:])
    assert codes(stage, run) == BLOCKED
    request = stage.submitted(run, TSV)
    assert (request["files"][0]["verdict"], request["files"][0]["findings"]) == ("pass", [])
    assert codes(stage, run_of(stage, PEOPLE)) == {}
    assert codes(stage, run_of(stage, PEOPLE[5:])) == {}
    assert codes(stage, run_of(stage, PEOPLE[:4])) == BLOCKED


def grouped(*groups: list[str], whole: list[str] = PEOPLE) -> dict[str, list[str]]:
    """Return the lists of a run that tells figures of groups, and of all."""
    return {
        "members/all.txt": whole,
        **{f"members/{at}.txt": group for at, group in enumerate(groups, start=1)},
    }


def run_by_groups(stage: Scene, lists: dict[str, list[str]], *, more: str = "") -> str:
    """Complete a run whose contract promises lists by a pattern; another rule wrote `more`."""
    files = {TSV: "count"} | ({more: "plot"} if more else {})
    return stage.complete_run(files, contract=WITH_GROUPS, members=lists)


def test_t7_two_runs_whose_groups_differ_by_one_person_are_stopped(stage: Scene) -> None:
    assert stage.released(run_by_groups(stage, grouped(PEOPLE[:40], PEOPLE[40:])), TSV)["state"] == "RELEASED"
    run = run_by_groups(stage, grouped(PEOPLE[:41], PEOPLE[41:]))
    assert codes(stage, run) == BLOCKED
    request = stage.submitted(run, TSV)
    assert (request["files"][0]["verdict"], request["files"][0]["findings"]) == ("pass", [])
    assert codes(stage, run_by_groups(stage, grouped())) == {}  # by their wholes alone nobody would see it
    assert codes(stage, run_by_groups(stage, grouped(PEOPLE[40:], PEOPLE[:40]))) == {}  # numbers are not compared
    assert codes(stage, run_by_groups(stage, grouped(PEOPLE[:45], PEOPLE[45:]))) == {}


def test_t7_a_group_of_one_run_is_compared_with_the_whole_of_another(stage: Scene) -> None:
    assert stage.released(run_by_groups(stage, grouped(PEOPLE[:40], PEOPLE[40:])), TSV)["state"] == "RELEASED"
    assert codes(stage, run_by_groups(stage, grouped(whole=PEOPLE[:39]))) == BLOCKED
    left = grouped(PEOPLE[:40], whole=PEOPLE[:99])  # a group of few that went with its people is in no whole
    assert codes(stage, run_by_groups(stage, left)) == BLOCKED


def test_t7_groups_that_make_up_their_whole_leave_and_a_group_of_few_does_not(stage: Scene) -> None:
    parts = [PEOPLE[:5], PEOPLE[5:20], PEOPLE[20:50], PEOPLE[50:]]
    assert codes(stage, run_by_groups(stage, grouped(*parts))) == {}
    assert codes(stage, run_by_groups(stage, grouped(PEOPLE))) == {}  # one group is the whole
    assert codes(stage, run_by_groups(stage, grouped(PEOPLE[:4], PEOPLE[4:]))) == BLOCKED
    assert codes(stage, run_by_groups(stage, grouped(PEOPLE[:40], PEOPLE[40:97]))) == BLOCKED  # and three are in none
    assert stage.released(run_by_groups(stage, grouped(*parts)), TSV)["state"] == "RELEASED"
    with reading(stage.engine) as session:
        added = session.scalars(sa.select(ReleasedCohort.adds).order_by(ReleasedCohort.id)).all()
    assert sorted(added) == [False, True, True, True, True]  # the last of them is what the others leave of the whole


def test_t7_one_list_of_several_that_another_rule_wrote_leaves_the_members_unknown(stage: Scene) -> None:
    assert stage.released(run_of(stage, PEOPLE), TSV)["state"] == "RELEASED"
    lists = grouped(PEOPLE[:40])
    assert codes(stage, run_by_groups(stage, lists)) == {}
    assert codes(stage, run_by_groups(stage, lists, more="members/2.txt")) == {Code.UNKNOWN_MEMBERS.value: "block"}


def test_t30_a_run_with_more_lists_than_are_read_has_members_that_nobody_knows(stage: Scene) -> None:
    assert stage.released(run_of(stage, PEOPLE), TSV)["state"] == "RELEASED"
    read = len([one for one in stage.inspector.asked if one["kind"] == "members"])
    many = grouped(*[PEOPLE] * MOST_LISTS)
    assert codes(stage, run_by_groups(stage, many)) == {Code.UNKNOWN_MEMBERS.value: "block"}
    assert len([one for one in stage.inspector.asked if one["kind"] == "members"]) == read


def test_t7_a_release_of_another_project_is_named_to_its_own_stewards_only(stage: Scene) -> None:
    request = stage.released(run_of(stage, PEOPLE), TSV)["id"]
    with transaction(stage.engine) as session:
        session.add(Project(id="other", title="", min_count=5, policy_version=1, created=now()))
        session.add(Membership(project="other", person=person("sina"), role=Role.STEWARD.value, since=now()))
        session.flush()
        session.execute(sa.update(Release).where(Release.request == request).values(project="other"))
    url = f"{API}/reviews/{stage.submitted(run_of(stage, PEOPLE[1:]), TSV)['id']}"
    seen = {name: stage.ask(name).get(url).json()["files"][0]["findings"] for name in ("sam", "sina")}
    assert [one["earlier"] for one in seen["sam"]] == [["An earlier release."]]
    assert [one["earlier"] for one in seen["sina"]] == [[f"Request {request} of project other."]]


def test_t7_parts_that_add_up_to_all_but_one_are_stopped(stage: Scene) -> None:
    for members in (PEOPLE, PEOPLE[:50], PEOPLE[50:80]):
        assert stage.released(run_of(stage, members), TSV)["state"] == "RELEASED"
    assert codes(stage, run_of(stage, PEOPLE[80:99])) == BLOCKED
    assert codes(stage, run_of(stage, PEOPLE[80:])) == {}  # what subtracting tells anyway
    assert codes(stage, run_of(stage, PEOPLE[80:99], lineage=("another",))) == {}
    assert codes(stage, run_of(stage, PEOPLE[80:99], lineage=("child", "hapmap"))) == BLOCKED  # derived of it


def test_t7_what_was_released_since_the_review_stops_it(stage: Scene) -> None:
    first, second = run_of(stage, PEOPLE), run_of(stage, PEOPLE[2:])
    assert (codes(stage, first), codes(stage, second)) == ({}, {})
    assert stage.released(first, TSV)["state"] == "RELEASED"
    waiting = stage.released(second, TSV)
    assert (waiting["state"], "released since the review" in waiting["trouble"]) == ("RETURNED", True)
    with reading(stage.engine) as session:
        assert session.get(Release, waiting["id"]) is None


def conflicting(stage: Scene) -> tuple[str, dict[str, Any]]:
    """Return a release, and a request that was approved, and given back because of that one."""
    first, second = run_of(stage, PEOPLE), run_of(stage, PEOPLE[2:])
    request = stage.released(first, TSV)["id"]
    return request, stage.released(second, TSV)


def test_t7_what_is_given_back_shows_stewards_why_and_its_requester_nothing(stage: Scene) -> None:
    first, given = conflicting(stage)
    assert (given["files"][0]["verdict"], given["files"][0]["findings"]) == ("pass", [])
    (told,) = [e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "RETURNED"]
    assert (told["actor"], told["facts"]["from"], told["facts"]["reason"]) == (
        "airlock", "RELEASING", "released-since-review",
    )  # fmt: skip
    shown = stage.ask("sam").get(f"{API}/reviews/{given['id']}").json()["files"][0]
    assert [(one["code"], one["severity"]) for one in shown["findings"]] == [(Code.COHORT_DIFFERENCE.value, "block")]
    assert shown["findings"][0]["earlier"] == [f"Request {first} of project cohort."]
    stage.work()
    assert stage.ask("ruth").get(f"{API}/requests/{given['id']}").json()["state"] == "RETURNED"  # nobody tries again


def test_t7_what_is_given_back_is_reviewed_anew_and_lifted_by_a_senior_alone(stage: Scene) -> None:
    _, given = conflicting(stage)
    url = f"{API}/requests/{given['id']}"
    edited = stage.ask("ruth").post(f"{url}:edit", {"purpose": "Figure 2, still."}).json()
    assert (edited["state"], edited["trouble"], edited["turn"]) == ("READY", None, 2)
    again = stage.ask("ruth").post(f"{url}:submit", {"key": FINGERPRINT}).json()
    assert again["state"] == "SUBMITTED"  # no yes goes on counting
    assert stage.vote("sam", again).status_code == 409  # the block stands
    file = again["files"][0]["id"]
    lift = {"files": [file], "reason": "agreed-exception", "note": "Agreed in writing."}
    assert stage.ask("sam").post(f"{url}:lift", lift).status_code in (403, 404)
    assert stage.ask("sena").post(f"{url}:lift", lift).status_code == 200
    for name in ("sam", "sina"):
        assert stage.vote(name, again).status_code == 200
    assert (
        stage.ask("sam").post(f"{API}/reviews/{given['id']}:consolidate", {"outcome": "approve"}).status_code == 200
    )
    stage.work()
    assert stage.ask("ruth").get(url).json()["state"] == "RELEASED"


def test_t7_what_is_given_back_can_be_withdrawn(stage: Scene) -> None:
    _, given = conflicting(stage)
    url = f"{API}/requests/{given['id']}"
    assert stage.ask("ruth").post(f"{url}:withdraw").json()["state"] == "WITHDRAWN"


def test_t7_a_worker_that_died_before_it_gave_back_is_followed_by_one_that_does(stage: Scene) -> None:
    first, second = run_of(stage, PEOPLE), run_of(stage, PEOPLE[2:])
    assert stage.released(first, TSV)["state"] == "RELEASED"
    request = stage.submitted(second, TSV)
    for name in ("sam", "sina"):
        stage.vote(name, request)
    stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
    assert release.begin(stage.context, request["id"]) is not None  # and then it was gone
    with transaction(stage.engine) as session:
        session.get_one(ReleaseRequest, request["id"]).next_try = now()
    stage.work()
    found = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    assert found["state"] == "RETURNED"
    assert len([e for e in stage.events(Event.REQUEST_STATE) if e["facts"]["state"] == "RETURNED"]) == 1


def test_t7_whose_members_nobody_knows_counts_as_differing_by_one(stage: Scene) -> None:
    assert stage.released(run_of(stage, PEOPLE), TSV)["state"] == "RELEASED"
    for members in ([*PEOPLE[:50], "someone-else"], [], None):  # no list of these persons, an empty one, none at all
        assert codes(stage, run_of(stage, members)) == {Code.UNKNOWN_MEMBERS.value: "block"}
    stage.signed_policy()
    silent = stage.complete_run({TSV: "count"}, contract=CONTRACT)
    assert codes(stage, silent) == {Code.UNKNOWN_MEMBERS.value: "warn"}
    assert stage.released(silent, TSV)["state"] == "RELEASED"
    assert codes(stage, run_of(stage, PEOPLE)) == {Code.UNKNOWN_MEMBERS.value: "warn"}
    with reading(stage.engine) as session:
        assert [row.cohort is None for row in session.scalars(sa.select(ReleasedCohort))] == [False, True]


def test_what_an_engine_printed_is_about_nobody(stage: Scene) -> None:
    assert stage.released(run_of(stage, PEOPLE), TSV)["state"] == "RELEASED"
    silent = stage.complete_run({TSV: "count", ENGINE_LOG: ""}, contract=SAYS)
    found = stage.files(silent)
    assert [one["code"] for one in found[TSV].findings] == [Code.UNKNOWN_MEMBERS.value]
    assert found[ENGINE_LOG].findings == []
    assert stage.released(silent, ENGINE_LOG)["state"] == "RELEASED"
    with reading(stage.engine) as session:
        assert [row.cohort is None for row in session.scalars(sa.select(ReleasedCohort))] == [False]


def test_t7_a_list_of_members_never_leaves_nor_stands_in_a_row(stage: Scene) -> None:
    run = run_of(stage, PEOPLE)
    assert set(stage.files(run)) == {TSV}
    assert LIST not in stage.ask("ruth").get(f"{API}/outputs", params={"run": run}).text
    asked = {"run": run, "files": [LIST], "purpose": "Figure 2."}
    assert stage.ask("ruth").post(f"{API}/requests", asked).status_code >= 400
    with reading(stage.engine) as session:
        (row,) = session.scalars(sa.select(Cohort))
        assert row.members is not None
        assert len(row.members) == 8 * len(PEOPLE)
        assert b"NA0" not in row.members
    told = json.dumps([one for one in stage.inspector.asked if one["kind"] == "members"])
    assert "NA0" not in told  # not even on the way into the jail


def test_t7_a_list_that_another_rule_wrote_counts_as_none(stage: Scene) -> None:
    run = stage.complete_run({TSV: "count", PNG: "plot", LIST: "plot"}, contract=WITH_MEMBERS)
    with reading(stage.engine) as session:
        (row,) = session.scalars(sa.select(Cohort).where(Cohort.run == run))
    assert (row.source, row.members) == (None, None)


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        yield made


def listed(room: KeyRoom, dataset: str, people: list[str]) -> tuple[str, str]:
    """Return a complete run over files of these people, and the list that it wrote."""
    run = room.decision([dataset])
    files = [room.file(dataset, b"calls", person=one) for one in people]
    made = room.result(run, files, "\n".join(people).encode())
    room.close_run(run)
    return run, made


def named(room: KeyRoom, made: str) -> dict[str, str]:
    """Return the broker's name of each person that the list may hold."""
    told = room.ask("broker", verb="members", object=made)
    key, digests, names = (bytes.fromhex(told[part]) for part in ("key", "digests", "names"))
    by_digest = {digests[6 * at : 6 * at + 6]: names[8 * at : 8 * at + 8].hex() for at in range(len(names) // 8)}
    return {one: by_digest[digest(one, key)] for one in ("NA1", "NA2", "NA3") if digest(one, key) in by_digest}


def test_t7_a_person_has_one_name_in_all_data_and_the_key_stays_with_the_broker(room: KeyRoom) -> None:
    _, one = listed(room, room.dataset("first"), ["NA1", "NA2"])
    _, two = listed(room, room.dataset("second"), ["NA2", "NA3"])
    assert (set(named(room, one)), set(named(room, two))) == ({"NA1", "NA2"}, {"NA2", "NA3"})
    assert named(room, one)["NA2"] == named(room, two)["NA2"]
    assert len({*named(room, one).values(), *named(room, two).values()}) == 3
    first, again = (room.ask("broker", verb="members", object=one) for _ in range(2))
    assert first["digests"] != again["digests"]  # a key for each question
    assert verbs(room.settings)["members"].callers == {0, os.geteuid(), room.settings.uids.services}


def test_t7_only_what_a_task_wrote_has_its_persons_named(room: KeyRoom) -> None:
    dataset = room.dataset("third")
    upload = room.file(dataset, b"calls")
    run, made = listed(room, dataset, ["NA1"])
    copy = room.clean_copy(run, made, b"n")
    for other in (upload, copy, "0" * 32):
        with pytest.raises(StrongroomError, match="Only what a task"):
            room.ask("broker", verb="members", object=other)
    with pytest.raises(StrongroomError, match="nothing else"):
        room.ask("broker", verb="members", object=made, person="NA9")


def test_t7_reading_members_opens_the_runs_own_list_and_leaves_nothing(room: KeyRoom) -> None:
    dataset = room.dataset("fourth")
    run, made = listed(room, dataset, ["NA1"])
    attempt, kind = Attempt(), {"kind": "members", "images": [CHECKS_IMAGE]}
    facts = room.grant(attempt, run, [made], **kind)
    assert facts["headers"][made]
    with pytest.raises(StrongroomError, match="leaves no files"):
        room.register(attempt, seal(b"NA1", b"r" * 32).output())
    copy = room.clean_copy(run, made, b"n")
    for objects, more in (([copy], {}), ([room.file(dataset, b"x")], {}), ([made], {"person": SAM})):
        with pytest.raises(StrongroomError):
            room.grant(Attempt(), run, objects, **kind, **more)
