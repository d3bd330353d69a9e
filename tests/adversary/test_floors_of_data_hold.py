"""Projects are held to the floors that two of a dataset's DAC signed, whatever their policies and tables say (T7)."""

from collections.abc import Collection, Iterator

import pytest
import sqlalchemy as sa
from broker_asking import PLAIN, Request, clean_copy, forge, refused, restore
from keyroom import PROJECT, RUTH, SAM, SINA, KeyRoom, key_room

from access import floors, policies
from airlock import intake
from archive import datasets
from archive.store import Dataset, DecisionRecord
from strongroom import audit
from strongroom.audit import AuditEvent, Entry, Event
from strongroom.canonical import digest
from strongroom.database import transaction
from strongroom.errors import Conflict, NotAllowed
from strongroom.floors import DatasetFloors
from strongroom.projects import Project, Role

DAN, DORA, SEN = "dan@development", "dora@development", "sen@development"


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        for person in (DAN, DORA):
            made.member(person, Role.DAC_MEMBER, "*")
        made.member(SEN, Role.SENIOR_STEWARD, "*")
        sign(made, min_count=20, max_rows=100)
        yield made


def propose(room: KeyRoom, **thresholds: int) -> tuple[int, str]:
    """Have one of the DAC propose floors; return their version and digest."""
    with transaction(room.engine) as session:
        made = floors.propose(session, DAN, "calls", thresholds, floor=5)
        return made.version, made.sha256


def sign(room: KeyRoom, **thresholds: int) -> int:
    """Have two of the DAC put floors in force; return their version."""
    version, sha256 = propose(room, **thresholds)
    with transaction(room.engine) as session:
        floors.sign(session, DORA, "calls", version, sha256=sha256)
    return version


def in_force(room: KeyRoom, names: Collection[str] = ("calls",)) -> dict[str, int]:
    """Return what the airlock judges a run of these datasets under, from the tables as they are."""
    with transaction(room.engine) as session:
        project = session.get_one(Project, PROJECT)
        return intake.policy_of(session, project, room.settings, datasets=names).as_json()


def submitted(room: KeyRoom, clean: str, policy: dict[str, int]) -> tuple[Request, dict[str, list[int]]]:
    """Return a request that two stewards said yes to, judged under `policy`."""
    asked = Request(room, [clean], policy=policy)
    asked.submit()
    return asked, {clean: [asked.vote(SAM, clean), asked.vote(SINA, clean)]}


def test_t7_a_project_with_a_laxer_policy_gets_what_the_floors_of_its_data_say(room: KeyRoom) -> None:
    with transaction(room.engine) as session:
        made = policies.propose(session, DAN, PROJECT, {"min_count": 6, "min_dof": 30}, floor=5)
        version, sha256 = made.version, made.sha256
    with transaction(room.engine) as session:
        policies.sign(session, SEN, PROJECT, version, sha256=sha256)
    own, held = in_force(room, ()), in_force(room)
    assert (own["min_count"], own["min_dof"]) == (6, 30)
    assert held == {**own, "min_count": 20, "max_rows": 100}
    asked, votes = submitted(room, clean := clean_copy(room), held)
    assert asked.export(votes)["headers"].keys() == {clean}
    asked, votes = submitted(room, clean_copy(room), own)
    refused(asked, "floors of its data", votes)


def test_t7_a_row_of_floors_changed_in_the_database_lets_nothing_out(room: KeyRoom) -> None:
    with transaction(room.engine) as session:
        row = session.scalars(sa.select(DatasetFloors).where(DatasetFloors.signed_by.is_not(None))).one()
        limits = dict(row.thresholds)
    lax = {"min_count": 7}
    room.change(sa.update(DatasetFloors).values(thresholds=lax, sha256=digest(lax)))
    asked, votes = submitted(room, clean_copy(room), changed := in_force(room))
    assert changed["min_count"] == 7
    refused(asked, "floors of its data", votes)
    room.change(sa.update(DatasetFloors).values(signed_by=None))
    asked, votes = submitted(room, clean_copy(room), in_force(room))
    refused(asked, "floors of its data", votes)
    room.change(sa.update(DatasetFloors).values(thresholds=limits, sha256=digest(limits), signed_by=DORA))


def test_t7_a_run_that_names_other_data_in_the_database_is_held_to_its_files(room: KeyRoom) -> None:
    clean = clean_copy(room)
    room.change(sa.update(DecisionRecord).values(datasets=[]))
    asked, votes = submitted(room, clean, in_force(room, ()))
    refused(asked, "floors of its data", votes)
    room.change(sa.update(DecisionRecord).values(datasets=["calls"]))


def test_t7_floors_hidden_in_the_log_stop_every_release(room: KeyRoom) -> None:
    with transaction(room.engine) as session:
        seq = session.scalar(sa.select(AuditEvent.seq).where(AuditEvent.event == Event.FLOORS_SIGNED.value))
        assert seq is not None
    before = forge(room, seq, event="file.viewed")
    room.kill("broker")
    room.start("broker")
    asked, votes = submitted(room, clean_copy(room), in_force(room, ()))
    refused(asked, "removed or moved", votes)
    restore(room, seq, before)
    refused(asked, "floors of its data", votes)


def test_t7_one_dac_member_alone_changes_nothing(room: KeyRoom) -> None:
    before = in_force(room)
    version, sha256 = propose(room, min_count=5)
    with transaction(room.engine) as session, pytest.raises(Conflict, match="another person"):
        floors.sign(session, DAN, "calls", version, sha256=sha256)
    for person in (RUTH, SAM, SEN, "eve@development"):
        with transaction(room.engine) as session, pytest.raises(NotAllowed):
            floors.sign(session, person, "calls", version, sha256=sha256)
    assert in_force(room) == before
    asked, votes = submitted(room, clean_copy(room), {**before, "min_count": 6})
    refused(asked, "floors of its data", votes)


def test_t7_derived_data_is_held_to_the_floors_of_what_it_came_from(room: KeyRoom) -> None:
    run = room.decision(["calls"])
    made = room.result(run, [room.file("calls", b"somebody")], PLAIN)
    room.close_run(run)
    datasets.derive(
        room.engine,
        settings=room.settings,
        actor=RUTH,
        dataset="derived",
        title="Derived",
        project=PROJECT,
        run=run,
        parents=["calls"],
        files={"af.tsv": made},
    )
    assert in_force(room, ["derived"]) == in_force(room)
    run = room.decision(["derived"])
    source = room.result(run, [made], PLAIN)
    room.close_run(run)
    clean = room.clean_copy(run, source, PLAIN)
    asked, votes = submitted(room, clean, in_force(room, ["derived"]))
    assert asked.export(votes)["headers"].keys() == {clean}
    # A row that forgets where the data came from deceives the airlock, and not the broker: it signed that.
    room.change(sa.update(Dataset).where(Dataset.id == "derived").values(ancestors=[]))
    lax = in_force(room, ["derived"])
    assert lax["min_count"] < 20
    asked, votes = submitted(room, clean, lax)
    refused(asked, "floors of its data", votes)


def test_t7_a_submitted_request_keeps_its_thresholds_when_floors_rise(room: KeyRoom) -> None:
    asked, votes = submitted(room, clean := clean_copy(room), in_force(room))
    sign(room, min_count=40)
    assert asked.export(votes)["headers"].keys() == {clean}
    asked, votes = submitted(room, clean_copy(room), {**in_force(room), "min_count": 20})
    refused(asked, "floors of its data", votes)


def test_t7_floors_that_a_lying_service_wrote_into_the_log_let_nothing_out(room: KeyRoom) -> None:
    # The last test of this room: what is in the log stays there.
    limits = {"min_count": 5}
    facts = {"version": 1_000, "sha256": digest(limits)}
    with transaction(room.engine) as session:
        audit.append(
            session,
            Entry(Event.FLOORS_PROPOSED, DAN, "calls", None, {**facts, "thresholds": limits}),
            Entry(Event.FLOORS_SIGNED, SEN, "calls", None, facts),  # a senior steward is not of the DAC
        )
    asked, votes = submitted(room, clean_copy(room), in_force(room, ()))
    refused(asked, "two different entitled persons", votes)
