"""A sandbox uses keys only as its own grant says, and trusts no stored byte that was not registered."""

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sandbox_broker import Broker, Change, spoil
from sandbox_lab import Lab, shell

from sandbox import crypt4gh
from sandbox.crypt4gh import CIPHER_SEGMENT, SEGMENT

COPY = {"outputs": [{"path": "/run/work/copy", "type": "FILE"}]}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(Lab(tmp_path))
    yield one
    one.close()


def test_a_granted_input_is_read_and_the_output_registered(broker: Broker) -> None:
    content = os.urandom(3 * SEGMENT + 5)
    ended = broker.run(shell("cat in.bin > copy; echo log"), inputs=[broker.stored("in.bin", content)], **COPY)
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 0)
    assert ended.files == {"copy": content, ".strongroom/stdout.0": b"log\n"}
    assert {row["role"] for row in broker.registered} == {"output", "stdout"}
    row = broker.registered[0]
    body = broker.lab.bodies / row["object"][:2] / row["object"]
    assert stat.S_IMODE(body.stat().st_mode) == 0o440
    assert row["body_length"] == crypt4gh.body_length_of(len(content))
    assert body.stat().st_size == crypt4gh.padded_length_of(row["body_length"])
    assert "sha256" not in str(ended.message)  # T8: no plaintext digest leaves but to the broker


def wrong(name: str, value: Any) -> Change:
    return lambda grant: grant.update({name: value})


OTHER = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (wrong("attempt", "another"), "another attempt"),
        (wrong("public_key", OTHER), "another attempt"),
        (wrong("signing_key", OTHER), "another attempt"),
        (wrong("spec_sha256", "0" * 64), "another attempt"),
        (wrong("expires", 1), "expired"),
        (wrong("recipient", ""), "no recipient"),
        (wrong("headers", {}), "lacks an input"),
        (lambda grant: grant.pop("recipient"), "not a grant"),
    ],
)
def test_t22_a_grant_for_something_else_is_refused(broker: Broker, change: Change, why: str) -> None:
    broker.change = change
    ended = broker.run(shell("cp in.txt copy"), inputs=[broker.stored("in.txt", b"secret")], **COPY)
    assert ended.message["cause"] == "system"
    assert why in ended.message["reason"]
    assert ended.message["executors"] == []
    assert broker.registered == []


def test_t11_a_recipient_that_the_broker_did_not_sign_is_refused(broker: Broker) -> None:
    broker.signing_key = Ed25519PrivateKey.generate()
    ended = broker.run(shell("true"))
    assert (ended.message["cause"], "not signed" in ended.message["reason"]) == ("system", True)
    broker.signing_key = broker.key
    payload = base64.b64encode(b"{}").decode()
    broker.after = lambda envelope: envelope.update({"payload": payload})
    assert "not signed" in broker.run(shell("true")).message["reason"]


def test_t25_a_header_with_more_than_one_packet_is_refused(broker: Broker) -> None:
    given = broker.stored("in.txt", b"secret")

    def twice(grant: dict[str, Any]) -> None:
        header = bytearray(base64.b64decode(grant["headers"][given["object"]]))
        header[12] = 2
        grant["headers"][given["object"]] = base64.b64encode(header + header[16:]).decode()

    broker.change = twice
    ended = broker.run(shell("true"), inputs=[given])
    assert (ended.message["cause"], "not for us" in ended.message["reason"]) == ("system", True)


@pytest.mark.parametrize("position", [0, 13, CIPHER_SEGMENT + 40, 2 * CIPHER_SEGMENT - 1])
def test_a_flipped_byte_gives_the_task_an_error_and_drops_its_outputs(broker: Broker, position: int) -> None:
    given = broker.stored("in.bin", bytes(2 * SEGMENT))
    spoil(Path(given["body"]), position)
    ended = broker.run(shell("cat in.bin > copy"), inputs=[given], **COPY)
    assert ended.message["cause"] == "system"
    assert "not the one that was registered" in ended.message["reason"]
    assert (ended.message["outputs"], broker.registered) == ([], [])


def test_segments_in_another_order_are_noticed(broker: Broker) -> None:
    # Each segment is authentic by itself: only the digest of the whole body proves their order.
    given = broker.stored("in.bin", bytes(SEGMENT) + b"\1" * SEGMENT)
    file = Path(given["body"])
    raw = file.read_bytes()
    file.write_bytes(raw[CIPHER_SEGMENT:] + raw[:CIPHER_SEGMENT])
    ended = broker.run(shell("cat in.bin > copy"), inputs=[given], **COPY)
    assert (ended.message["cause"], broker.registered) == ("system", [])


def test_a_cut_or_missing_or_linked_body_is_noticed(broker: Broker) -> None:
    cut, gone, linked = (broker.stored(f"{n}.bin", bytes(2 * SEGMENT)) for n in range(3))
    Path(cut["body"]).write_bytes(Path(cut["body"]).read_bytes()[:CIPHER_SEGMENT])
    Path(gone["body"]).unlink()
    Path(linked["body"]).rename(f"{linked['body']}.real")
    Path(linked["body"]).symlink_to(f"{linked['body']}.real")
    for given in (cut, gone, linked):
        ended = broker.run(shell("true"), inputs=[given], **COPY)  # it need not even be read
        assert ended.message["cause"] == "system"


def test_a_refusal_reaches_the_dispatcher_as_a_sentence(broker: Broker) -> None:
    broker.close()
    broker.path.unlink()
    ended = broker.run(shell("true"))
    assert ended.message["cause"] == "system"
    assert ended.message["reason"] == "The key broker does not answer; is it running?"
