"""Nobody gets keys but an attempt that was claimed, for what its run may read, by the rules that the broker asks."""

import base64
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from keyroom import CHECKS_IMAGE, IMAGE, PROJECT, RUTH, Attempt, KeyRoom, key_room, opened

from archive.keys.orders import ORDER_TYPE
from archive.store import Claim, Dataset, DatasetProject, DecisionRecord, StoredObject
from strongroom import dsse
from strongroom.database import now, reading
from strongroom.errors import StrongroomError
from strongroom.projects import Membership, Project, Role


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


@pytest.fixture
def calls(room: KeyRoom) -> str:
    return room.file("calls", b"chr22\t1\tA\tG\n" * 1000)


def refused(room: KeyRoom, sentence: str, run: str, objects: list[str], **more: Any) -> None:
    """Expect the broker to refuse the keys, and to have written it down."""
    attempt = Attempt()
    with pytest.raises(StrongroomError, match=sentence):
        room.grant(attempt, run, objects, **more)
    assert sentence in room.events("keys.refused")[-1]["facts"]["reason"]


def test_an_attempt_gets_one_header_that_its_one_time_key_opens(room: KeyRoom, calls: str) -> None:
    attempt = Attempt()
    run = room.decision(["calls"])
    facts = room.grant(attempt, run, [calls])
    assert facts["attempt"] == attempt.id
    assert facts["spec_sha256"] == "e" * 64
    assert len(opened(attempt, facts["headers"][calls])) == 32
    assert set(facts["headers"]) == {calls}
    said = room.events("keys.granted")[-1]
    assert said["subject"] == attempt.id
    assert said["facts"]["objects"] == [calls]


def test_t1_a_second_claim_is_refused(room: KeyRoom, calls: str) -> None:
    attempt, thief = Attempt(), Attempt()
    run = room.decision(["calls"])
    room.grant(attempt, run, [calls])
    thief.id = attempt.id
    with pytest.raises(StrongroomError, match="claimed before"):
        room.order(thief, run, [calls])
    assert room.events("claim.refused")[-1]["subject"] == attempt.id


def test_t1_an_order_that_was_never_claimed_is_refused(room: KeyRoom, calls: str) -> None:
    # The signer's key in wrong hands still leaves no claim behind.
    key = load_pem_private_key((room.home / "signer" / "key.pem").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    attempt = Attempt()
    facts = room.asking(attempt, room.decision(["calls"]), [calls])
    facts.pop("verb")
    issued = int(time.time())
    order = dsse.sign(ORDER_TYPE, {**facts, "jti": "0" * 32, "issued": issued, "expires": issued + 60}, key)
    with pytest.raises(StrongroomError, match="not claimed"):
        room.ask("broker", verb="grant", order=order)


def test_t1_the_same_order_is_good_once(room: KeyRoom, calls: str) -> None:
    attempt = Attempt()
    order = room.order(attempt, room.decision(["calls"]), [calls])
    room.ask("broker", verb="grant", order=order)
    with pytest.raises(StrongroomError, match="redeemed before"):
        room.ask("broker", verb="grant", order=order)


@pytest.mark.parametrize(
    "change", ["public_key", "signing_key", "spec_sha256", "objects", "kind", "images", "expires"]
)
def test_t22_an_order_that_was_changed_is_refused(room: KeyRoom, calls: str, change: str) -> None:
    attempt, other = Attempt(), Attempt()
    order = room.order(attempt, room.decision(["calls"]), [calls])
    facts = dsse.facts_in(order)
    facts[change] = {
        "public_key": other.public_key,
        "signing_key": base64.b64encode(other.own.public_key).decode(),
        "spec_sha256": "f" * 64,
        "objects": [calls, "b" * 32],
        "kind": "view",
        "images": [CHECKS_IMAGE],
        "expires": facts["expires"] + 1,
    }[change]
    forged = dsse.sign(ORDER_TYPE, facts, Ed25519PrivateKey.generate())
    with pytest.raises(StrongroomError, match="no signature of a key that is trusted"):
        room.ask("broker", verb="grant", order=forged)
    order["payload"] = forged["payload"]
    with pytest.raises(StrongroomError, match="no signature of a key that is trusted"):
        room.ask("broker", verb="grant", order=order)


def test_t22_the_grant_repeats_the_digest_of_the_spec(room: KeyRoom, calls: str) -> None:
    facts = room.grant(Attempt(), room.decision(["calls"]), [calls], spec_sha256="9" * 64)
    assert facts["spec_sha256"] == "9" * 64


def test_t1_an_expired_order_is_refused(room: KeyRoom, calls: str) -> None:
    key = load_pem_private_key((room.home / "signer" / "key.pem").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    facts = dsse.facts_in(room.order(Attempt(), room.decision(["calls"]), [calls]))
    late = dsse.sign(ORDER_TYPE, {**facts, "issued": facts["issued"] - 61, "expires": facts["issued"] - 1}, key)
    with pytest.raises(StrongroomError, match="has expired"):
        room.ask("broker", verb="grant", order=late)
    long = dsse.sign(ORDER_TYPE, {**facts, "expires": facts["issued"] + 3600}, key)
    with pytest.raises(StrongroomError, match="longer life"):
        room.ask("broker", verb="grant", order=long)


def test_t2_nobody_names_a_recipient_in_a_grant(room: KeyRoom, calls: str) -> None:
    order = room.order(Attempt(), room.decision(["calls"]), [calls])
    with pytest.raises(StrongroomError, match="nothing else"):
        room.ask("broker", verb="grant", order=order, recipient=Attempt().public_key)


@pytest.mark.root
@pytest.mark.parametrize("user", ["services", "signer", "first_task"])
def test_t2_only_supervisors_redeem_orders(room: KeyRoom, calls: str, user: str) -> None:
    uid = getattr(room.settings.uids, user)
    order = room.order(Attempt(), room.decision(["calls"]), [calls])
    said = room.ask_as(uid, "broker", verb="grant", order=order)
    assert "may not ask the broker" in said or "does not answer" in said
    assert "headers" not in said


@pytest.mark.root
@pytest.mark.parametrize("user", ["services", "broker", "first_task"])
def test_t2_only_the_dispatcher_asks_for_orders(room: KeyRoom, calls: str, user: str) -> None:
    uid = getattr(room.settings.uids, user)
    asking = room.asking(Attempt(), room.decision(["calls"]), [calls])
    said = room.ask_as(uid, "signer", **asking)
    assert "does not answer" in said


@pytest.mark.root
@pytest.mark.parametrize("user", ["signer", "first_task"])
@pytest.mark.parametrize("verb", ["export", "recipient", "adopt", "destroy"])
def test_t2_only_services_ask_for_the_other_verbs(room: KeyRoom, user: str, verb: str) -> None:
    said = room.ask_as(getattr(room.settings.uids, user), "broker", verb=verb, purpose="store", owner="calls")
    assert "may not ask the broker" in said or "does not answer" in said


def test_t2_there_is_no_other_verb(room: KeyRoom) -> None:
    for verb in ("rewrap", "open", "peer", "", "__init__"):
        with pytest.raises(StrongroomError, match="no such verb"):
            room.ask("broker", verb=verb)


def test_t2_there_is_no_recipient_but_a_datasets_key(room: KeyRoom) -> None:
    for purpose in ("run", "airlock", "hmac"):
        with pytest.raises(StrongroomError, match="store key, or of the quarantine"):
            room.ask("broker", verb="recipient", purpose=purpose, owner="calls")
    with pytest.raises(StrongroomError, match="no such dataset"):
        room.ask("broker", verb="recipient", purpose="store", owner="unknown")


def test_t11_a_forged_envelope_opens_nothing(room: KeyRoom, calls: str) -> None:
    envelope = room.envelope()
    facts = {**dsse.facts_in(envelope), "images": {"tools": CHECKS_IMAGE}}
    forged = {**envelope, "payload": dsse.sign(envelope["payloadType"], facts)["payload"]}
    run = room.decision(["calls"], envelope=forged, images={"tools": CHECKS_IMAGE})
    refused(room, "signatures of enough vetters", run, [calls], images=[CHECKS_IMAGE])


@pytest.mark.parametrize("broken", [{}, {"payloadType": "x"}, {"payload": "AA==", "signatures": [{"keyid": []}]}])
def test_t11_a_broken_envelope_opens_nothing(room: KeyRoom, calls: str, broken: dict[str, Any]) -> None:
    run = room.decision(["calls"])
    room.change(sa.update(DecisionRecord).where(DecisionRecord.run == run).values(envelope=broken))
    with pytest.raises(StrongroomError):
        room.grant(Attempt(), run, [calls])


def test_t11_one_signature_is_not_enough(room: KeyRoom, calls: str) -> None:
    refused(room, "enough vetters", room.decision(["calls"], envelope=room.envelope(signers=["vera"])), [calls])


def test_t11_the_same_vetter_twice_is_one(room: KeyRoom, calls: str) -> None:
    envelope = room.envelope(signers=["vera", "vera"])
    refused(room, "enough vetters", room.decision(["calls"], envelope=envelope), [calls])


def test_t11_a_removed_vetters_signature_counts_no_more(room: KeyRoom, calls: str) -> None:
    room.vetters["vito"] = room.new_vetter("vito")
    run = room.decision(["calls"], envelope=room.envelope(signers=["vera", "vito"]))
    room.grant(Attempt(), run, [calls])
    room.distrust("vito")
    refused(room, "enough vetters", run, [calls])


def test_t11_a_decision_for_another_workflow_than_was_signed(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    room.change(sa.update(DecisionRecord).where(DecisionRecord.run == run).values(version="2.0.0"))
    refused(room, "another workflow", run, [calls])


def test_t11_an_image_that_was_not_signed(room: KeyRoom, calls: str) -> None:
    refused(room, "not among those that the vetters signed", room.decision(["calls"]), [calls], images=[CHECKS_IMAGE])
    refused(
        room,
        "not among those that the vetters signed",
        room.decision(["calls"]),
        [calls],
        images=[IMAGE, CHECKS_IMAGE],
    )


def test_t11_a_header_does_not_move_to_another_body(room: KeyRoom, calls: str) -> None:
    other = room.file("calls", b"another person")
    mine, theirs = room.row(calls), room.row(other)
    swap = sa.update(StoredObject).where(StoredObject.id == calls)
    room.change(swap.values(header=theirs.header))
    refused(room, "broker's signature", room.decision(["calls"]), [calls])
    room.change(swap.values(header=theirs.header, header_sha256=theirs.header_sha256))
    refused(room, "broker's signature", room.decision(["calls"]), [calls])
    room.change(swap.values(signature=theirs.signature))
    refused(room, "broker's signature", room.decision(["calls"]), [calls])
    room.change(swap.values(header=mine.header, header_sha256=mine.header_sha256, signature=mine.signature))
    room.grant(Attempt(), room.decision(["calls"]), [calls])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("owner", "public"),
        ("purpose", "run"),
        ("project", PROJECT),
        ("persons", []),
        ("ancestors", ["calls"]),
        ("version", 2),
        ("body_sha256", "0" * 64),
        ("body_length", 1),
        ("size", 1),
        ("segments", 9),
        ("kind", "repack"),
        ("role", "stdout"),
        ("run", "1" * 32),
        ("policy_version", 7),
    ],
)
def test_t11_no_column_of_an_object_can_be_changed(room: KeyRoom, column: str, value: object) -> None:
    room.dataset("public") if not known(room, "public") else None
    calls = room.file("calls", b"one more file")
    room.change(sa.update(StoredObject).where(StoredObject.id == calls).values({column: value}))
    refused(room, "broker's signature", room.decision(["calls", "public"]), [calls])


def known(room: KeyRoom, dataset: str) -> bool:
    """Say whether there is such a dataset."""
    with reading(room.engine) as session:
        return session.get(Dataset, dataset) is not None


def test_t11_a_key_row_swapped_for_another_opens_nothing(room: KeyRoom) -> None:
    room.dataset("mine")
    room.dataset("theirs")
    mine, theirs = room.file("mine", b"mine"), room.file("theirs", b"theirs")
    room.kill("broker")  # an attacker waits for a restart, when the cache is empty
    keys = sa.table("keys", *(sa.column(c) for c in ("purpose", "owner", "sealed")))
    with room.engine.begin() as connection:
        sealed = connection.scalar(sa.select(keys.c.sealed).where(keys.c.purpose == "store", keys.c.owner == "mine"))
        connection.execute(
            sa.update(keys).where(keys.c.purpose == "store", keys.c.owner == "theirs").values(sealed=sealed)
        )
    room.start("broker")
    room.grant(Attempt(), room.decision(["mine"]), [mine])
    with pytest.raises(StrongroomError, match="cannot be opened"):
        room.grant(Attempt(), room.decision(["theirs"]), [theirs])


def test_t11_the_public_key_in_the_database_is_not_believed(room: KeyRoom) -> None:
    room.dataset("trap")
    honest = room.ask("broker", verb="recipient", purpose="store", owner="trap")["public_key"]
    thief = Attempt().public_key
    keys = sa.table("keys", sa.column("owner"), sa.column("public"))
    room.change(sa.update(keys).where(keys.c.owner == "trap").values(public=thief))
    room.kill("broker")
    room.start("broker")
    assert room.ask("broker", verb="recipient", purpose="store", owner="trap")["public_key"] == honest != thief


def test_t11_an_object_of_another_dataset_is_refused(room: KeyRoom) -> None:
    room.dataset("secret")
    refused(room, "does not belong", room.decision(["calls"]), [room.file("secret", b"not theirs")])


def test_t11_an_object_of_another_run_is_refused(room: KeyRoom, calls: str) -> None:
    first, second = room.decision(["calls"]), room.decision(["calls"])
    made = room.result(first, [calls], b"made by the first run")
    refused(room, "does not belong", second, [made])
    room.grant(Attempt(), first, [made])


def test_an_object_that_is_not_there_is_refused(room: KeyRoom, calls: str) -> None:
    refused(room, "not there", room.decision(["calls"]), [calls, "0" * 32])


def test_another_project_is_refused(room: KeyRoom, calls: str) -> None:
    if not room.events("project.created") and not _project(room, "other"):
        room.people("other")
    refused(room, "no decision that allows", room.decision(["calls"]), [calls], project="other")
    refused(room, "not shared any more", room.decision(["calls"], project="other"), [calls], project="other")


def _project(room: KeyRoom, name: str) -> bool:
    with reading(room.engine) as session:
        return session.get(Project, name) is not None


def test_another_person_is_refused(room: KeyRoom, calls: str) -> None:
    room.member("rob@development", Role.RESEARCHER)
    refused(room, "another person's run", room.decision(["calls"]), [calls], person="rob@development")


def test_a_revoked_share_refuses_the_next_grant(room: KeyRoom) -> None:
    room.dataset("lent")
    lent = room.file("lent", b"lent for a while")
    run = room.decision(["lent"])
    room.grant(Attempt(), run, [lent])
    room.change(sa.update(DatasetProject).where(DatasetProject.dataset == "lent").values(until=now()))
    refused(room, "not shared any more", run, [lent])


def test_a_deleted_dataset_refuses_the_next_grant(room: KeyRoom) -> None:
    room.dataset("doomed")
    doomed = room.file("doomed", b"until it is deleted")
    run = room.decision(["doomed"])
    room.change(sa.update(Dataset).where(Dataset.id == "doomed").values(deleted_at=now()))
    refused(room, "deleted", run, [doomed])


def test_a_closed_and_an_expired_decision_refuse(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    room.close_run(run, "canceled")
    refused(room, "has ended or its permission", run, [calls])
    refused(room, "has ended or its permission", room.decision(["calls"], seconds=0), [calls])


def test_an_ended_membership_and_an_ended_project_refuse(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    mine = (Membership.person == RUTH) & (Membership.project == PROJECT)
    room.change(sa.update(Membership).where(mine).values(until=now()))
    refused(room, "not a researcher", run, [calls])
    room.change(sa.update(Membership).where(mine).values(until=None))
    room.change(sa.update(Project).where(Project.id == PROJECT).values(ends=now()))
    refused(room, "project has ended", run, [calls])
    room.change(sa.update(Project).where(Project.id == PROJECT).values(ends=now() + timedelta(days=1)))
    room.grant(Attempt(), run, [calls])


def test_t12_a_destroyed_key_opens_nothing(room: KeyRoom) -> None:
    room.dataset("ashes")
    burnt = room.file("ashes", b"burnt")
    run = room.decision(["ashes"])
    row = room.row(burnt)
    room.grant(Attempt(), run, [burnt])
    assert room.ask("broker", verb="destroy", purpose="store", owner="ashes")["destroyed"] == 2
    assert room.events("key.destroyed")[-1]["subject"] == "ashes"
    with pytest.raises(StrongroomError, match="broker's signature"):
        room.grant(Attempt(), run, [burnt])
    assert room.row(burnt).header is None
    # Somebody restores the rows from a backup: the key stays gone.
    room.change(sa.update(StoredObject).where(StoredObject.id == burnt).values(header=row.header))
    with pytest.raises(StrongroomError, match="was destroyed"):
        room.grant(Attempt(), run, [burnt])
    with pytest.raises(StrongroomError, match="was destroyed"):
        room.ask("broker", verb="recipient", purpose="store", owner="ashes")


def test_t1_the_claim_is_in_the_log_before_the_order_is_out(room: KeyRoom, calls: str) -> None:
    attempt = Attempt()
    room.order(attempt, room.decision(["calls"]), [calls])
    assert room.events("order.issued")[-1]["subject"] == attempt.id
    with reading(room.engine) as session:
        claim = session.get_one(Claim, attempt.id)
    assert base64.b64decode(claim.public_key) == base64.b64decode(attempt.public_key)
    assert claim.spec_sha256 == "e" * 64


def test_the_image_that_was_signed_is_the_one_that_runs(room: KeyRoom, calls: str) -> None:
    assert room.grant(Attempt(), room.decision(["calls"]), [calls], images=[IMAGE])["headers"]
