"""What enters the strongroom is sealed once, under a key of its own, and no digest of it lies in the clear."""

import base64
import hashlib
import io
import os
import stat
import time
import uuid
from collections.abc import Iterator

import crypt4gh.lib
import pytest
import sqlalchemy as sa
from keyroom import (
    CHECKS_IMAGE,
    OPERATOR,
    Attempt,
    KeyRoom,
    SealedFile,
    key_room,
    opened,
    registering,
    seal,
    text,
)

from archive.keys.notes import seal_note
from archive.store import Grant
from sandbox.crypt4gh import MAGIC, Sealed, open_header, public_key_of, seal_header
from strongroom import dsse
from strongroom.database import reading
from strongroom.errors import StrongroomError
from strongroom.projects import Role

CANARY = b"canary-5f1d the genome of somebody\n" * 300


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


@pytest.fixture(scope="module")
def calls(room: KeyRoom) -> str:
    return room.file("calls", CANARY)


@pytest.fixture
def running(room: KeyRoom, calls: str) -> tuple[Attempt, bytes, str]:
    """An attempt that was granted, with the key that it seals to, and its run."""
    attempt, run = Attempt(), room.decision(["calls"])
    facts = room.grant(attempt, run, [calls])
    return attempt, base64.b64decode(facts["recipient"]), run


def refused(room: KeyRoom, sentence: str, attempt: Attempt, *outputs: dict[str, object]) -> None:
    """Expect the broker to refuse these outputs."""
    with pytest.raises(StrongroomError, match=sentence):
        room.register(attempt, *outputs)


def test_an_output_belongs_to_its_run_and_its_persons(
    room: KeyRoom, running: tuple[Attempt, bytes, str], calls: str
) -> None:
    attempt, recipient, run = running
    made, log = seal(b"counts", recipient), seal(b"", recipient)
    room.register(attempt, made.output(), log.output("stderr"))
    row = room.row(made.object)
    assert (row.purpose, row.owner, row.run, row.attempt) == ("run", run, run, attempt.id)
    assert row.persons == ["NA1"]
    assert row.ancestors == ["calls"]
    assert room.row(log.object).size == 0
    assert room.events("object.registered")[-1]["subject"] == attempt.id


def test_the_same_words_again_are_no_second_registration(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    attempt, recipient, _ = running
    made = seal(b"counts", recipient).output()
    room.register(attempt, made)
    room.register(attempt, made)
    refused(room, "registered its outputs already", attempt, seal(b"more", recipient).output())


def test_an_attempt_without_a_grant_registers_nothing(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    _, recipient, _ = running
    refused(room, "No keys were given", Attempt(), seal(b"x", recipient).output())


def test_t12_a_data_key_is_never_used_again(room: KeyRoom, running: tuple[Attempt, bytes, str], calls: str) -> None:
    attempt, recipient, run = running
    made = seal(b"first", recipient)
    twin = SealedFile(uuid.uuid4().hex, made.sealed, made.body)
    refused(room, "used before", attempt, made.output(), twin.output())
    room.register(attempt, made.output())
    second = Attempt()
    room.grant(second, run, [calls])
    refused(room, "used before", second, twin.output())


def test_t12_an_output_under_its_inputs_data_key_is_refused(room: KeyRoom, calls: str) -> None:
    # A task that copies its input's ciphertext would have the airlock hold a key that also opens the dataset.
    attempt, run = Attempt(), room.decision(["calls"])
    facts = room.grant(attempt, run, [calls])
    data_key = opened(attempt, facts["headers"][calls])
    header = seal_header(data_key, base64.b64decode(facts["recipient"]))
    row = room.row(calls)
    stolen = Sealed(header, row.size, "0" * 64, row.body_length, row.body_sha256, row.segments)
    refused(room, "used before", attempt, SealedFile(uuid.uuid4().hex, stolen, b"").output())


def test_t12_a_clean_copy_has_a_data_key_of_its_own(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    attempt, recipient, run = running
    source = seal(b"af\t0.5\n", recipient)
    room.register(attempt, source.output())
    room.close_run(run)
    repack = Attempt()
    facts = room.grant(repack, run, [source.object], kind="repack", images=[CHECKS_IMAGE])
    airlock = base64.b64decode(facts["recipient"])
    assert airlock != recipient
    again = seal_header(opened(repack, facts["headers"][source.object]), airlock)
    reused = Sealed(again, *(getattr(source.sealed, n) for n in ("size", "sha256", "body_length", "body_sha256")), 1)
    refused(room, "used before", repack, SealedFile(uuid.uuid4().hex, reused, b"").output())
    fresh = seal(b"af\t0.5\n", airlock)
    room.register(repack, fresh.output())
    assert room.row(fresh.object).purpose == "airlock"
    assert room.row(fresh.object).plaintext_hmac != room.row(source.object).plaintext_hmac


def test_t12_two_packets_and_foreign_keys_are_refused(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    attempt, recipient, _ = running
    made, other = seal(b"x", recipient), Attempt()
    header = made.sealed.header
    foreign = seal_header(b"k" * 32, public_key_of(other.secret))
    two = MAGIC + header[8:12] + (2).to_bytes(4, "little") + header[16:] + foreign[16:]
    refused(room, "exactly one packet", attempt, {**made.output(), "header": text(two)})
    refused(room, "not for this key", attempt, {**made.output(), "header": text(foreign)})
    refused(room, "Bytes follow", attempt, {**made.output(), "header": text(header + b"\0")})
    refused(room, "header", attempt, {**made.output(), "header": text(b"nonsense")})


@pytest.mark.parametrize(
    "wrong", [{"segments": 2}, {"body_length": 7}, {"size": 70000}, {"size": -1}, {"size": True}]
)
def test_lengths_that_do_not_fit_are_refused(
    room: KeyRoom, running: tuple[Attempt, bytes, str], wrong: dict[str, int]
) -> None:
    attempt, recipient, _ = running
    with pytest.raises(StrongroomError):
        room.register(attempt, {**seal(b"x", recipient).output(), **wrong})


def test_t11_a_grant_whose_row_was_changed_registers_nothing(
    room: KeyRoom, running: tuple[Attempt, bytes, str]
) -> None:
    attempt, recipient, _ = running
    room.change(sa.update(Grant).where(Grant.attempt == attempt.id).values(ancestors=[]))
    refused(room, "broker's signature", attempt, seal(b"x", recipient).output())


@pytest.mark.root
@pytest.mark.parametrize("user", ["services", "signer", "first_task"])
def test_t2_only_supervisors_register_for_attempts(
    room: KeyRoom, running: tuple[Attempt, bytes, str], user: str
) -> None:
    attempt, recipient, _ = running
    outputs = [seal(b"x", recipient).output()]
    said = room.ask_as(getattr(room.settings.uids, user), "broker", **registering(attempt, *outputs))
    assert "may not ask the broker" in said or "does not answer" in said
    room.register(attempt, *outputs)


def test_an_id_is_taken_once(room: KeyRoom, running: tuple[Attempt, bytes, str], calls: str) -> None:
    attempt, recipient, _ = running
    refused(room, "object of this id", attempt, {**seal(b"x", recipient).output(), "object": calls})


def test_a_closed_run_keeps_nothing_more(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    attempt, recipient, run = running
    room.close_run(run, "canceled")
    refused(room, "run has ended", attempt, seal(b"x", recipient).output())


def test_t12_checks_and_views_leave_no_files(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    source = room.result(run, [calls], b"af\t0.5\n")
    room.close_run(run)
    clean = room.clean_copy(run, source, b"af\t0.5\n")
    for kind, person in (("check", "ruth@development"), ("view", "sam@development")):
        attempt = Attempt()
        facts = room.grant(attempt, run, [clean], kind=kind, person=person, images=[CHECKS_IMAGE])
        output = seal(b"x", base64.b64decode(facts["recipient"])).output()
        refused(room, "leaves no files", attempt, output)
        room.register(attempt, {**output, "role": "stdout"})


def test_t16_only_complete_runs_reach_the_airlock(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    source = room.result(run, [calls], b"af\t0.5\n")
    with pytest.raises(StrongroomError, match="good end"):
        room.grant(Attempt(), run, [source], kind="repack", images=[CHECKS_IMAGE])
    room.close_run(run, "executor_error")
    with pytest.raises(StrongroomError, match="good end"):
        room.grant(Attempt(), run, [source], kind="repack", images=[CHECKS_IMAGE])


def test_t12_inspections_read_nothing_but_the_airlock(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    source = room.result(run, [calls], b"af\t0.5\n")
    room.close_run(run)
    for kind, person, object_id in (
        ("repack", "ruth@development", calls),
        ("check", "ruth@development", source),
        ("view", "sam@development", source),
        ("view", "sam@development", calls),
    ):
        with pytest.raises(StrongroomError, match="does not belong"):
            room.grant(Attempt(), run, [object_id], kind=kind, person=person, images=[CHECKS_IMAGE])


def test_a_view_is_for_stewards_who_were_never_researchers(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    source = room.result(run, [calls], b"af\t0.5\n")
    room.close_run(run)
    clean = room.clean_copy(run, source, b"af\t0.5\n")
    room.member("both@development", Role.RESEARCHER)
    room.member("both@development", Role.STEWARD)
    for person, sentence in (("ruth@development", "Only a data steward"), ("both@development", "is or was")):
        with pytest.raises(StrongroomError, match=sentence):
            room.grant(Attempt(), run, [clean], kind="view", person=person, images=[CHECKS_IMAGE])
    with pytest.raises(StrongroomError, match="operator pinned"):
        room.grant(Attempt(), run, [clean], kind="view", person="sam@development")


def test_t8_no_plain_digest_lies_in_the_database(room: KeyRoom, running: tuple[Attempt, bytes, str]) -> None:
    attempt, recipient, run = running
    plains = [b"t8 output " + uuid.uuid4().bytes, b"t8 upload " + uuid.uuid4().bytes]
    made = seal(plains[0], recipient)
    room.register(attempt, made.output())
    room.file("calls", plains[1])
    with reading(room.engine) as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(FULL)")
    stored = b"".join(file.read_bytes() for file in (room.home / "database").iterdir())
    assert made.object.encode() in stored  # we do look at the right bytes
    for plain in (*plains, CANARY):
        digest = hashlib.sha256(plain)
        assert digest.digest() not in stored
        assert digest.hexdigest().encode() not in stored
        assert base64.b64encode(digest.digest()) not in stored
        assert plain[:32] not in stored
    assert run.encode() in stored


def test_t8_equal_files_of_two_datasets_have_different_names(room: KeyRoom) -> None:
    for name in ("north", "south"):
        room.dataset(name)
    north, south = (room.row(room.file(name, b"the same genome")) for name in ("north", "south"))
    again = room.row(room.file("north", b"the same genome"))
    assert north.plaintext_hmac != south.plaintext_hmac
    assert north.plaintext_hmac == again.plaintext_hmac


def test_t8_an_upload_whose_digest_is_not_sealed_is_refused(room: KeyRoom) -> None:
    recipient = base64.b64decode(room.ask("broker", verb="recipient", purpose="store", owner="calls")["public_key"])
    made = seal(b"x", recipient)
    words = {**made.words(), "dataset": "calls", "name": "x.vcf", "persons": []}
    for digest in (hashlib.sha256(b"x").digest(), seal_note(b"short", recipient)):
        with pytest.raises(StrongroomError, match="digest"):
            room.ask("broker", verb="register", person=OPERATOR, digest=text(digest), **words)


@pytest.mark.parametrize("name", ["../up", "/abs", "a//b", ".hidden", "a/../b", "", "a\nb", "é", "x" * 301])
def test_a_name_that_is_no_plain_path_is_refused(room: KeyRoom, name: str) -> None:
    with pytest.raises(StrongroomError, match="plain relative path"):
        room.ask("broker", **upload_words(room), name=name)


def upload_words(room: KeyRoom) -> dict[str, object]:
    """Return the words of a good upload without its name."""
    recipient = base64.b64decode(room.ask("broker", verb="recipient", purpose="store", owner="calls")["public_key"])
    digest = text(seal_note(hashlib.sha256(b"x").digest(), recipient))
    made = seal(b"x", recipient).words()
    return {"verb": "register", "person": OPERATOR, "dataset": "calls", "persons": [], "digest": digest, **made}


def test_a_name_is_given_once(room: KeyRoom) -> None:
    room.file("calls", b"one", name="same.vcf")
    with pytest.raises(StrongroomError, match="file of this name"):
        room.file("calls", b"two", name="same.vcf")


def test_the_broker_killed_loses_nothing(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    objects = [room.result(run, [calls], f"result {n}".encode()) for n in range(5)]
    attempt = Attempt()
    facts = room.grant(attempt, run, objects)
    room.kill("broker")
    room.start("broker")
    recipient = base64.b64decode(facts["recipient"])
    room.register(attempt, seal(b"sealed while the broker was away", recipient).output())
    later = Attempt()
    again = room.grant(later, run, [*objects, calls])
    assert again["recipient"] == facts["recipient"]
    assert {opened(later, again["headers"][o]) for o in objects} == {
        opened(attempt, facts["headers"][o]) for o in objects
    }


def test_a_killed_broker_leaves_orders_that_are_good_once(room: KeyRoom, calls: str) -> None:
    attempt = Attempt()
    order = room.order(attempt, room.decision(["calls"]), [calls])
    room.ask("broker", verb="grant", order=order)
    room.kill("broker")
    room.start("broker")
    with pytest.raises(StrongroomError, match="redeemed before"):
        room.ask("broker", verb="grant", order=order)


def test_the_brokers_files_are_its_own(room: KeyRoom) -> None:
    folder, kek = (room.home / "broker").stat(), (room.home / "broker" / "kek").stat()
    uid = room.settings.uids.broker if room.root else os.geteuid()
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o700, uid)
    assert (stat.S_IMODE(kek.st_mode), kek.st_uid, kek.st_size) == (0o600, uid, 32)
    assert stat.S_IMODE((room.home / "signer" / "key.pem").stat().st_mode) == 0o600


@pytest.mark.parametrize("file", ["kek", "key.pem"])
def test_a_key_file_that_others_can_read_stops_the_broker(file: str) -> None:
    room = KeyRoom()
    try:
        (room.home / "broker" / file).chmod(0o640)
        with pytest.raises(StrongroomError, match="does not start"):
            room.start("broker")
    finally:
        room.close()


@pytest.mark.root
def test_nobody_reads_the_brokers_memory(room: KeyRoom) -> None:
    # Undumpable: /proc/PID belongs to root, even for another process of the broker's own user.
    pid = room.processes["broker"].pid
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0
    with open(f"/proc/{pid}/limits") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["1", "1"]


def test_grant_and_register_are_fast_when_warm(room: KeyRoom, calls: str) -> None:
    run = room.decision(["calls"])
    spent: dict[str, list[float]] = {"grant": [], "register": []}
    for _ in range(15):
        attempt = Attempt()
        order = room.order(attempt, run, [calls])
        began = time.perf_counter()
        answer = room.ask("broker", verb="grant", order=order)
        spent["grant"].append(time.perf_counter() - began)
        recipient = base64.b64decode(room_facts(answer)["recipient"])
        outputs = [seal(b"r", recipient).output(), seal(b"", recipient).output("stdout")]
        began = time.perf_counter()
        room.register(attempt, *outputs)
        spent["register"].append(time.perf_counter() - began)
    # A quiet machine needs a few milliseconds; the bound only catches what is badly wrong on a busy one.
    assert sorted(spent["grant"])[7] < 0.1
    assert sorted(spent["register"])[7] < 0.1


def room_facts(answer: dict[str, object]) -> dict[str, str]:
    """Return the facts in a signed grant."""
    facts: dict[str, str] = dsse.facts_in(answer["grant"])  # type: ignore[arg-type]
    return facts


def test_the_package_that_people_use_opens_what_was_granted(room: KeyRoom) -> None:
    # The header that a grant gives is plain Crypt4GH: the published reader opens header and body together.
    room.dataset("plain")
    recipient = base64.b64decode(room.ask("broker", verb="recipient", purpose="store", owner="plain")["public_key"])
    made = seal(CANARY, recipient)
    note = seal_note(hashlib.sha256(CANARY).digest(), recipient)
    words = {**made.words(), "dataset": "plain", "name": "c.txt", "persons": []}
    room.ask("broker", verb="register", person=OPERATOR, digest=text(note), **words)
    attempt = Attempt()
    header = room.grant(attempt, room.decision(["plain"]), [made.object])["headers"][made.object]
    out = io.BytesIO()
    keys = [(0, attempt.secret, None)]
    crypt4gh.lib.decrypt(keys, io.BytesIO(base64.b64decode(header) + made.body), out)
    assert out.getvalue() == CANARY
    assert len(open_header(base64.b64decode(header), attempt.secret)) == 32
