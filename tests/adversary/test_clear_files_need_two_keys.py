"""An engine reads a file of a dataset only if its owner marked it and vetters signed that it is read (T17)."""

import base64
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from keyroom import OPERATOR, PROJECT, RUTH, WORKFLOW_TYPE, Attempt, KeyRoom, key_room, opened, seal

from archive.store import Dataset, DatasetFile, DecisionRecord, StoredObject, UsedDataKey
from strongroom import dsse
from strongroom.database import now, reading, transaction
from strongroom.errors import StrongroomError
from strongroom.objects import open_store
from strongroom.projects import Membership
from strongroom.queue import Context
from wes import clear
from wes.engines import Seen
from wes.glimpses import Clear, parse_glimpses
from wes.store import RunFile

sys.path.append(str(Path(__file__).resolve().parent.parent / "unit" / "wes"))
from runs_scene import a_run

SHEET = b"sample\tfile\nNA1\tna1.vcf\n"
GRANT = {"input": "sheet", "file": "samples.tsv", "characters": "a", "longest": 40, "most": 20}


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        for name in ("calls", "others"):
            made.dataset(name)
        yield made


@pytest.fixture(scope="module")
def sheet(room: KeyRoom) -> str:
    return room.file("calls", SHEET, name="samples.tsv", clear=True)


def envelope(room: KeyRoom, *clear: dict[str, Any], signers: tuple[str, ...] = ("vera", "viktor")) -> dsse.Envelope:
    """Return the signatures of a workflow whose engine reads these files."""
    facts = {**dsse.facts_in(room.envelope()), "clear": list(clear)}
    return dsse.sign(WORKFLOW_TYPE, facts, *(room.vetters[name] for name in signers))


def run_of(room: KeyRoom, *clear: dict[str, Any], **more: Any) -> str:
    return room.decision(["calls"], envelope=envelope(room, *(clear or (GRANT,)), **more))


def ask(room: KeyRoom, run: str, identifier: str, **more: Any) -> tuple[Attempt, dict[str, Any]]:
    """Ask for the header of a file, as the supervisor of a run does."""
    one_time = Attempt()
    words = {"verb": "clear", "run": run, "object": identifier, "public_key": one_time.public_key}
    return one_time, room.ask("broker", **(words | more))


def refused(room: KeyRoom, sentence: str, run: str, identifier: str) -> None:
    before = len(room.events("keys.cleared"))
    with pytest.raises(StrongroomError, match=sentence):
        ask(room, run, identifier)
    assert sentence in room.events("keys.refused")[-1]["facts"]["reason"]
    assert len(room.events("keys.cleared")) == before


def test_t17_a_marked_file_opens_for_the_run_that_was_vetted_for_it(room: KeyRoom, sheet: str) -> None:
    run = run_of(room)
    one_time, answer = ask(room, run, sheet)
    assert len(opened(one_time, answer["header"])) == 32
    assert answer["size"] == len(SHEET)
    said = room.events("keys.cleared")[-1]
    assert (said["subject"], said["facts"]["object"], said["facts"]["file"]) == (run, sheet, "samples.tsv")
    assert room.events("object.registered")[-1]["facts"].get("clear") is True


def test_t17_a_file_without_a_mark_is_refused(room: KeyRoom) -> None:
    plain = room.file("calls", SHEET, name="others.tsv")
    refused(room, "did not mark it as clear", run_of(room, {**GRANT, "file": "others.tsv"}), plain)


def test_t17_a_mark_that_the_database_made_is_a_forgery(room: KeyRoom, sheet: str) -> None:
    secret = room.file("calls", b"chr22\t1\tA\tG\n", name="na1.vcf")
    run = run_of(room)
    for forged in ("samples.tsv", "na1.vcf"):
        room.change(sa.update(StoredObject).where(StoredObject.id == secret).values(clear=forged))
        refused(room, "does not carry the broker's signature", run, secret)
    room.change(sa.update(StoredObject).where(StoredObject.id == secret).values(clear=""))
    # Nor does the name help, nor the row of a file that is marked.
    with reading(room.engine) as session:
        marked = session.get_one(StoredObject, sheet)
        header, body_sha256 = marked.header, session.get_one(StoredObject, secret).body_sha256
    room.change(sa.update(DatasetFile).where(DatasetFile.object == sheet).values(name="gone.tsv"))
    room.change(sa.update(DatasetFile).where(DatasetFile.object == secret).values(name="samples.tsv"))
    refused(room, "did not mark it as clear", run, secret)
    for change in ({"body_sha256": body_sha256}, {"size": 10**6}, {"owner": "others"}, {"header": header[::-1]}):
        before = {name: getattr(marked, name) for name in change}
        room.change(sa.update(StoredObject).where(StoredObject.id == sheet).values(**change))
        refused(room, "does not carry the broker's signature", run, sheet)
        room.change(sa.update(StoredObject).where(StoredObject.id == sheet).values(**before))
    ask(room, run, sheet)


def test_t17_no_body_gets_a_mark_after_it_came(room: KeyRoom) -> None:
    identifier = room.file("calls", b"chr22\t1\tA\tG\n", name="na2.vcf")
    row = room.row(identifier)
    words = {
        "object": "f" * 32, "header": base64.b64encode(row.header or b"").decode(), "size": row.size,
        "body_length": row.body_length, "body_sha256": row.body_sha256, "segments": row.segments,
    }  # fmt: skip
    with pytest.raises(StrongroomError, match="this data key was used before"):
        room.register_file("calls", words, plain=b"chr22\t1\tA\tG\n", name="samples2.tsv", clear=True)
    with reading(room.engine) as session:
        assert session.scalar(sa.select(UsedDataKey.object).where(UsedDataKey.object == "f" * 32)) is None


@pytest.mark.parametrize(
    ("clear", "sentence"),
    [
        ({**GRANT, "file": "other.tsv"}, "no clear file of this name"),
        ({**GRANT, "file": "*"}, "no clear file of this name"),
        ({**GRANT, "longest": 5, "most": 3}, "larger than the vetters signed"),
    ],
)
def test_t17_what_vetters_did_not_sign_is_refused(
    room: KeyRoom, sheet: str, clear: dict[str, Any], sentence: str
) -> None:
    refused(room, sentence, run_of(room, clear), sheet)


def test_t17_a_workflow_without_the_grant_or_its_signatures_is_refused(room: KeyRoom, sheet: str) -> None:
    refused(room, "no clear file of this name", room.decision(["calls"]), sheet)
    refused(room, "enough vetters", run_of(room, signers=("vera",)), sheet)
    forged = envelope(room, GRANT)
    signed = room.envelope()
    forged["signatures"] = signed["signatures"]  # the database writes a grant into what was signed without one
    run = room.decision(["calls"])
    room.change(sa.update(DecisionRecord).where(DecisionRecord.run == run).values(envelope=forged))
    with pytest.raises(StrongroomError):
        ask(room, run, sheet)


def test_t17_another_datasets_file_is_refused(room: KeyRoom) -> None:
    elsewhere = room.file("others", SHEET, name="samples.tsv", clear=True)
    refused(room, "does not belong to the datasets of this run", run_of(room), elsewhere)


def test_t17_who_may_not_run_any_more_reads_no_more(room: KeyRoom, sheet: str) -> None:
    run = run_of(room)
    room.close_run(run)
    refused(room, "has ended", run, sheet)
    late = run_of(room)
    of_ruth = Membership.person == RUTH, Membership.project == PROJECT
    room.change(sa.update(Membership).where(*of_ruth).values(until=now()))
    refused(room, "not a researcher of the project any more", late, sheet)
    room.change(sa.update(Membership).where(*of_ruth).values(until=None))
    room.change(sa.update(Dataset).where(Dataset.id == "calls").values(deleted_at=now()))
    refused(room, "is deleted", late, sheet)
    room.change(sa.update(Dataset).where(Dataset.id == "calls").values(deleted_at=None))


def test_t17_what_a_task_made_is_never_clear(room: KeyRoom, sheet: str) -> None:
    run = run_of(room)
    made = room.result(run, [sheet], SHEET)
    refused(room, "does not belong to the datasets of this run", run, made)


# --- what a run's supervisor makes of it ------------------------------------------------------------------------

GRAMMAR = {"input": "sheet", "file": "samples.tsv", "characters": "A-Za-z0-9.\t", "longest": 40, "most": 20}


def supervised(room: KeyRoom, plain: bytes, **change: Any) -> tuple[str, tuple[Clear, ...], Context]:
    """Return a run whose one input is this file, marked as clear; `change` is what a vetter signed otherwise."""
    dataset = room.dataset(f"sheet-{uuid.uuid4().hex[:8]}")
    made = seal(plain, room.recipient(dataset))
    room.register_file(dataset, made.words(), plain=plain, name="samples.tsv", clear=True)
    open_store(room.settings).put(made.object, iter([made.body]))
    granted = parse_glimpses({"clear": [GRAMMAR | change]}).clear
    run = room.decision([dataset], envelope=envelope(room, *(one.facts() for one in granted)))
    with transaction(room.engine) as session:
        session.add(a_run(int(run[:7], 16), id=run, coarse=True, state="QUEUED", ended=None))
        session.flush()
        file = {"path": "inputs/sheet/samples.tsv", "object": made.object, "stub_size": 64, "mtime_ns": 5}
        session.add(RunFile(run=run, **file))
    return run, granted, Context(room.settings, room.engine)


def test_t17_a_supervisor_reads_it_writes_it_down_and_the_run_follows_data(room: KeyRoom) -> None:
    run, granted, context = supervised(room, SHEET)
    for launch in (1, 2):  # each launch reads again, and is written down
        assert clear.seen(context, run, granted) == (Seen("inputs/sheet/samples.tsv", 5, SHEET),)
        said = [event["facts"] for event in room.events("run.clear_read") if event["subject"] == run]
        assert said == [{"file": "inputs/sheet/samples.tsv", "bytes": len(SHEET), "lines": 2}] * launch
    assert len([one for one in room.events("run.data_dependent") if one["subject"] == run]) == 1
    with reading(room.engine) as session:
        assert session.get_one(DecisionRecord, run).follows_data is not None


@pytest.mark.parametrize(
    ("plain", "change"),
    [
        (b"na1;rm -rf\n", {}),
        (b"na1\tna1.vcf", {}),
        (b"\xff\n", {}),
        (b"\n", {}),
        (SHEET * 3, {"most": 5, "longest": 100}),
        (b"x" * 50 + b"\n", {}),
    ],
)
def test_t17_lines_that_were_not_signed_reach_no_engine(room: KeyRoom, plain: bytes, change: dict[str, Any]) -> None:
    run, granted, context = supervised(room, plain, **change)
    with pytest.raises(clear.ClearRefused, match="other than the lines"):
        clear.seen(context, run, granted)
    assert room.events("run.glimpse_refused")[-1]["subject"] == run
    assert not [one for one in room.events("run.clear_read") if one["subject"] == run]


def test_t17_another_body_is_found_out(room: KeyRoom) -> None:
    run, granted, context = supervised(room, SHEET)
    with reading(room.engine) as session:
        identifier = session.scalar(sa.select(RunFile.object).where(RunFile.run == run))
    store = open_store(room.settings)
    body = bytearray(b"".join(store.read(str(identifier))))
    store.delete(str(identifier))
    body[-1] ^= 1
    store.put(str(identifier), iter([bytes(body)]))
    with pytest.raises(clear.ClearRefused, match="not what its owner sent"):
        clear.seen(context, run, granted)


def test_t2_the_verb_is_of_our_services_and_takes_nothing_else(room: KeyRoom, sheet: str) -> None:
    run, one_time = run_of(room), Attempt()
    words = {"verb": "clear", "run": run, "object": sheet, "public_key": one_time.public_key}
    for more in ({"person": OPERATOR}, {"public_key": "AA=="}, {"object": "x"}, {"run": "f" * 32}):
        with pytest.raises(StrongroomError):
            room.ask("broker", **(words | more))
    if room.root:
        said = room.ask_as(room.settings.uids.signer, "broker", **words)
        assert "may not ask the broker" in said or "does not answer" in said
