"""An edit list hides nothing: by hand it is a convenience, and no header with one enters or leaves a Strongroom."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crypt4gh.header
import pytest
import sqlalchemy as sa
from editing import decrypted, edited
from keyroom import Attempt, KeyRoom, key_room, opened, seal, text
from sandbox_broker import Broker
from sandbox_lab import Lab, shell

from archive.keys.desk import opened_header
from archive.store import StoredObject
from sandbox.crypt4gh import HEADER_LENGTH, SEGMENT, header_length, public_key_of
from sandbox.editlists import MOST_PACKETS
from strongroom.errors import StrongroomError

CONTENT = os.urandom(4 * SEGMENT + 99)
EDITS = (SEGMENT - 100, 200, 70_000, 90_000, 5, 1)


def header_with_edits(recipient: Attempt) -> bytes:
    """Return a header of the reference library for this key: a data key, and an edit list."""
    raw = edited(b"the whole genome", recipient.secret, (4, 5))
    return raw[: header_length(raw, most=MOST_PACKETS)]


@pytest.mark.parametrize("more", [{}, {"read_whole": True}])
def test_t25_by_hand_a_task_sees_what_the_list_shows(tmp_path: Path, more: dict[str, Any]) -> None:
    lab = Lab(tmp_path)
    raw = edited(CONTENT, lab.private_key, EDITS)
    (tmp_path / "edited.c4gh").write_bytes(raw)
    given = {"path": "/run/work/in.bin", "file": str(tmp_path / "edited.c4gh"), "mtime": 0, **more}
    outputs = [{"path": f"/run/work/{name}", "type": "FILE"} for name in ("copy", "tail", "size")]
    script = "cp in.bin copy; dd if=in.bin of=tail bs=1 skip=89990 2>/dev/null; stat -c %s in.bin > size"
    ended = lab.run(shell(script), inputs=[given], outputs=outputs)
    seen = decrypted(raw, lab.private_key)
    assert ended.message["reason"] is None
    assert ended.files == {"copy": seen, "tail": seen[89990:], "size": b"%d\n" % len(seen)}


def test_t25_a_grant_with_an_edit_list_is_refused(tmp_path: Path) -> None:
    broker = Broker(Lab(tmp_path))
    given = broker.stored("in.txt", b"the whole genome")

    def edit(grant: dict[str, Any]) -> None:
        raw = edited(b"x", broker.lab.private_key, (0, 1))
        grant["headers"][given["object"]] = text(raw[: header_length(raw, most=MOST_PACKETS)])

    broker.change = edit
    ended = broker.run(shell("cat in.txt"), inputs=[given])
    broker.close()
    assert (ended.message["cause"], "not for us" in ended.message["reason"]) == ("system", True)


@pytest.fixture(scope="module")
def room() -> Iterator[KeyRoom]:
    with key_room() as made:
        made.dataset("calls")
        yield made


def test_t25_intake_refuses_a_header_that_carries_one(room: KeyRoom) -> None:
    attempt, run, calls = Attempt(), room.decision(["calls"]), room.file("calls", b"somebody")
    recipient = base64.b64decode(room.grant(attempt, run, [calls])["recipient"])
    made = seal(b"counts", recipient)
    key, edits = crypt4gh_packets(recipient)
    start, two = made.sealed.header[:12], "exactly one packet"
    for held, why in (((key, edits), two), ((edits, key), two), ((edits,), "edit lists")):
        whole = start + len(held).to_bytes(4, "little") + b"".join(held)
        with pytest.raises(StrongroomError, match=why):
            room.register(attempt, {**made.output(), "header": text(whole)})
    room.register(attempt, made.output())


def crypt4gh_packets(recipient: bytes) -> tuple[bytes, bytes]:
    """Return a packet with a data key and one with an edit list, both for the broker's key."""
    one_time = Attempt().secret
    plain = crypt4gh.header.make_packet_data_edit_list((0, 3))
    (packet,) = crypt4gh.header.encrypt(plain, [(0, one_time, recipient)])
    return seal(b"x", recipient).sealed.header[16:], (len(packet) + 4).to_bytes(4, "little") + packet


def test_t25_export_gives_one_data_key_and_no_list(room: KeyRoom) -> None:
    calls = room.file("calls", b"the whole genome")
    attempt = Attempt()
    header = room.grant(attempt, room.decision(["calls"]), [calls])["headers"][calls]
    assert len(base64.b64decode(header)) == HEADER_LENGTH  # exactly one packet, of one data key
    assert len(opened(attempt, header)) == 32
    room.change(sa.update(StoredObject).where(StoredObject.id == calls).values(header=header_with_edits(attempt)))
    with pytest.raises(StrongroomError):
        room.grant(Attempt(), room.decision(["calls"]), [calls])


def test_t25_the_one_door_to_a_data_key_refuses_a_list() -> None:
    mine = Attempt()
    with pytest.raises(StrongroomError, match="exactly one packet"):
        opened_header(header_with_edits(mine), mine.secret)
    alone = crypt4gh_packets(public_key_of(mine.secret))[1]
    with pytest.raises(StrongroomError, match="edit lists"):
        opened_header(b"crypt4gh\1\0\0\0\1\0\0\0" + alone, mine.secret)
