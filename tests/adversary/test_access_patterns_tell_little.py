"""Who watches the storage learns little of what a task did: neither the sizes of its outputs nor what it read."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_broker import Broker, spoil
from sandbox_lab import Ended, Lab, shell

from sandbox.crypt4gh import SEGMENT, body_length_of, padded_length_of

COPY = {"outputs": [{"path": "/run/work/copy", "type": "FILE"}]}
WHOLE = {"read_whole": True}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(Lab(tmp_path))
    yield one
    one.close()


def stored(broker: Broker, ended: Ended) -> bytes:
    """Return what the storage's administrator sees of the one output."""
    assert ended.message["cause"] == "exited", ended.message
    row = broker.registered[-1]
    return (broker.lab.bodies / row["object"][:2] / row["object"]).read_bytes()


@pytest.mark.parametrize(("one", "other"), [(1, 4000), (70_000, 71_000), (1_000_000, 1_040_000)])
def test_t32_outputs_of_one_size_class_are_equally_long(broker: Broker, one: int, other: int) -> None:
    lengths = set()
    for size in (one, other):
        assert body_length_of(one) != body_length_of(other)  # without padding each length tells the exact size
        ended = broker.run(shell(f"head -c {size} /dev/zero > copy"), **COPY)
        lengths.add(len(stored(broker, ended)))
        assert ended.files["copy"] == bytes(size)
    assert lengths == {padded_length_of(body_length_of(one))}


def test_t32_what_a_task_prints_is_padded_too(broker: Broker) -> None:
    assert len(stored(broker, broker.run(shell("echo positive")))) == 4096
    assert len(stored(broker, broker.run(shell("echo negative, and more words")))) == 4096


def test_t32_padding_looks_like_what_it_pads(broker: Broker) -> None:
    ended = broker.run(shell("head -c 70000 /dev/zero > copy"), **COPY)
    raw = stored(broker, ended)
    padding = raw[body_length_of(70_000) :]
    assert len(padding) > 1000
    assert len(zlib.compress(padding, 9)) >= len(padding)
    assert len(zlib.compress(raw, 9)) >= len(raw)


def test_t32_a_padded_output_is_the_next_tasks_input(broker: Broker) -> None:
    content = os.urandom(2 * SEGMENT + 5)
    given = broker.stored("in.bin", content)
    body = Path(given["body"])
    body.write_bytes(body.read_bytes() + os.urandom(padded_length_of(given["body_length"]) - given["body_length"]))
    for more in ({}, WHOLE):
        broker.registered.clear()
        assert broker.run(shell("cp in.bin copy"), inputs=[{**given, **more}], **COPY).files["copy"] == content
    body.write_bytes(body.read_bytes() + b"x")  # neither the body's length nor its class's
    assert broker.run(shell("true"), inputs=[given]).message["cause"] == "system"


@pytest.mark.parametrize("more", [WHOLE, {}])
def test_t32_an_input_read_whole_is_not_touched_once_the_task_runs(broker: Broker, more: dict[str, Any]) -> None:
    content = os.urandom(20 * SEGMENT)
    given = {**broker.stored("in.bin", content), **more}
    broker.started = lambda: Path(given["body"]).unlink()
    ended = broker.run(
        shell("sleep 0.5; dd if=in.bin of=copy bs=65536 skip=7 count=1 2>/dev/null"), inputs=[given], **COPY
    )
    if more:
        assert ended.files["copy"] == content[7 * SEGMENT : 8 * SEGMENT]
    else:  # the attack works on an input that is read as the task goes: its storage is asked while it runs
        assert ended.message["cause"] == "system"


@pytest.mark.parametrize("more", [{"inputs": WHOLE}, {"limits": {"stage_bytes": 1 << 20}}])
def test_t32_a_spoilt_input_is_found_before_the_task_starts(broker: Broker, more: dict[str, Any]) -> None:
    given = {**broker.stored("in.bin", bytes(3 * SEGMENT)), **more.get("inputs", {})}
    spoil(Path(given["body"]), 2 * SEGMENT)
    ended = broker.run(shell("true"), inputs=[given], limits=more.get("limits", {}), **COPY)
    assert (ended.message["cause"], ended.message["executors"]) == ("system", [])
    assert "not the one that was registered" in ended.message["reason"]


def test_t32_inputs_read_whole_lie_beside_those_that_are_not(broker: Broker) -> None:
    given = [{**broker.stored("a/one", b"1"), **WHOLE}, broker.stored("a/two", b"2"), broker.stored("b", b"")]
    script = "cat a/one a/two b > copy; echo x 2>/dev/null >> a/one || touch a/three; rm a/one"
    ended = broker.run(shell(script), inputs=given, **COPY)
    assert ended.files == {"copy": b"12"}


def test_t32_more_than_the_node_holds_is_refused_with_the_reason(broker: Broker) -> None:
    size = 1 << 45
    given = {**broker.stored("in.bin", b""), "size": size, "body_length": body_length_of(size), **WHOLE}
    given["segments"] = size // SEGMENT
    ended = broker.run(shell("true"), inputs=[given])
    assert ended.message["reason"] == "This node has too little free memory for an input that must be read whole."
