"""The door for nodes gives each attempt's things to its own place only, whoever knocks with whatever (T1, T22)."""

import contextlib
import io
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from words_room import HERE, Room, until

from sandbox import seal, wire
from sandbox.door import Door, DoorClosed, DoorRefused, Papers
from strongroom.database import now, transaction
from strongroom.doors import Message, listen, serve
from strongroom.errors import NotAllowed
from strongroom.settings import Settings
from tes import node_door, node_keys, strangers
from tes.backends.schedulers import Proof
from tes.node_door import NodeDoor
from tes.store import Attempt

INPUT, OTHER, NEW = "1" * 32, "2" * 32, "3" * 32
ATTEMPT = "a" * 32


@dataclass
class Site:
    """An open door, the rows behind it, and how nodes reach it."""

    room: Room
    home: Path
    port: int
    doors: list[Door] = field(default_factory=list)

    def door(self, papers: Papers) -> Door:
        self.doors.append(Door("127.0.0.1", self.port, papers))
        return self.doors[-1]

    def node(self, name: str) -> Door:
        folder = self.home / f"papers-{name}"
        if not folder.exists():
            node_keys.admit(self.home / "nodes", name, folder)
        return self.door(Papers(folder / "ca.pem", folder / "node.pem", folder / "node.key"))

    def nobody(self) -> Door:
        return self.door(Papers(self.home / "nodes" / "ca.pem"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(home=tmp_path, nodes={"port": 0})
    room = Room(tmp_path)
    for name in (INPUT, OTHER):
        (tmp_path / "objects" / name[:2]).mkdir(parents=True)
        (tmp_path / "objects" / name[:2] / name).write_bytes(b"sealed " + name.encode())
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "script.py").write_text("print()")
    mounts = [{"source": str(tmp_path / "workflow"), "path": "/run/workflow"}]
    limits = {"output_files": 3, "output_bytes": 1 << 20, "log_bytes": 1 << 10}
    spec = {"code_mounts": mounts, "limits": limits, "executors": [{}]}
    launch = room.launch(ATTEMPT, spec=json.dumps(spec).encode(), order={"objects": [INPUT]})
    room.remote.submit(launch, room.tell())
    with NodeDoor(settings, room.remote, room.pledges).open() as door:
        one = Site(room, tmp_path, door.getsockname()[1])
        yield one
        for line in one.doors:
            line.close()


def begun(site: Site) -> tuple[Door, str]:
    door = site.node("n1")
    return door, str(door.ask({"verb": "begin", "attempt": ATTEMPT})["pass"])


def refused(door: Door, **message: object) -> int:
    with pytest.raises(DoorRefused) as refusal:
        door.ask(dict(message))
    return refusal.value.status


def store(door: Door, content: bytes, **message: object) -> None:
    with door.storing({"verb": "store", **message}, len(content)) as write:
        write(content)


def test_a_node_gets_what_its_attempt_needs_and_nothing_else(site: Site) -> None:
    door, taken = begun(site)
    mine = {"attempt": ATTEMPT, "pass": taken}
    body, packed = io.BytesIO(), io.BytesIO()
    door.fetch({"verb": "body", "object": INPUT, **mine}, body)
    door.fetch({"verb": "code", "path": "/run/workflow", **mine}, packed)
    assert body.getvalue() == b"sealed " + INPUT.encode()
    assert b"script.py" in packed.getvalue()
    assert refused(door, verb="body", object=OTHER, **mine) == 403
    assert refused(door, verb="body", object="../../etc/passwd", **mine) == 403
    assert refused(door, verb="url_to_read", object=OTHER, **mine) == 403
    assert door.ask({"verb": "url_to_read", "object": INPUT, **mine})["url"] is None  # bodies lie in a folder here
    assert door.ask({"verb": "url_to_put", "object": NEW, "length": 3, **mine})["url"] is None
    assert refused(door, verb="url_to_put", object=NEW, length=-1, **mine) == 400
    assert refused(door, verb="code", path="/etc", **mine) == 404
    store(door, b"new", object=NEW, **mine)
    assert (site.home / "objects" / NEW[:2] / NEW).read_bytes() == b"new"


def test_t30_an_attempt_stores_no_more_than_its_task_may_leave(site: Site) -> None:
    door, taken = begun(site)
    mine = {"attempt": ATTEMPT, "pass": taken}
    assert stored_until_refused(door, 1 << 19, mine) == 4  # of a MiB, twice and a little for what broke off
    assert refused(door, verb="broker", message={"verb": "register"}, **mine) != 500  # the line is in step


def test_t30_an_attempt_stores_few_bodies_however_small(site: Site) -> None:
    door, taken = begun(site)
    assert stored_until_refused(door, 0, {"attempt": ATTEMPT, "pass": taken}) == 2 * (3 + 2)


def test_t30_an_attempt_that_is_over_stores_nothing(site: Site) -> None:
    door, taken = begun(site)
    with transaction(site.room.engine) as session:
        session.execute(sa.update(Attempt).where(Attempt.id == ATTEMPT).values(ended=now()))
    with pytest.raises(DoorRefused, match="over"):
        store(door, b"late", object=NEW, attempt=ATTEMPT, **{"pass": taken})
    assert not (site.home / "objects" / NEW[:2] / NEW).exists()


def stored_until_refused(door: Door, size: int, mine: dict[str, Any]) -> int:
    for number in range(100):
        try:
            store(door, b"x" * size, object=f"{number:032x}", **mine)
        except DoorRefused:
            return number
    raise AssertionError("it stores for ever")


@pytest.mark.parametrize("planted", ["link", "folder", "fifo"])
def test_a_link_in_the_store_is_no_body(site: Site, planted: str) -> None:
    """Services own the store, and the door is root's: what they plant there opens nothing of others."""
    door, taken = begun(site)
    mine, body = {"attempt": ATTEMPT, "pass": taken}, io.BytesIO()
    broker, folder = site.home / "broker", site.home / "objects" / INPUT[:2]
    broker.mkdir()
    for name in ("kek", INPUT):
        (broker / name).write_bytes(b"a key")
    (folder / INPUT).unlink()
    if planted == "link":
        (folder / INPUT).symlink_to(broker / "kek")
    elif planted == "folder":
        folder.rmdir()
        folder.symlink_to(broker)
    else:
        os.mkfifo(folder / INPUT)
    with pytest.raises(DoorRefused, match="no such object"):
        door.fetch({"verb": "body", "object": INPUT, **mine}, body)
    assert body.getvalue() == b""


def test_nothing_is_stored_behind_a_link(site: Site) -> None:
    door, taken = begun(site)
    broker, before = site.home / "broker", site.home / "objects"
    broker.mkdir()
    (before / NEW[:2]).symlink_to(broker)
    with pytest.raises((DoorClosed, DoorRefused)):
        store(door, b"new", object=NEW, attempt=ATTEMPT, **{"pass": taken})
    with pytest.raises(OSError, match="directory"), seal.Folder(before) as folder:
        folder.create(NEW)
    assert list(broker.iterdir()) == []


def test_t22_what_is_stored_is_never_replaced(site: Site) -> None:
    door, taken = begun(site)
    mine = {"attempt": ATTEMPT, "pass": taken}
    for name, status in ((OTHER, 403), ("../" + NEW[3:], 400), (None, 400)):
        with pytest.raises(DoorRefused) as refusal:
            store(door, b"forged", object=name, **mine)
        assert refusal.value.status == status
    assert (site.home / "objects" / OTHER[:2] / OTHER).read_bytes() == b"sealed " + OTHER.encode()
    store(door, b"good", object=NEW, **mine)


def test_t1_a_stolen_attempt_id_is_worth_nothing(site: Site) -> None:
    papers = site.home / "papers-n1"
    node_keys.admit(site.home / "nodes", "n1", papers)
    for thief in (site.nobody(), site.node("n2")):
        assert refused(thief, verb="begin", attempt=ATTEMPT) == 403
        for verb in ("claim", "body", "store", "started", "code", "url_to_read", "url_to_put"):
            assert refused(thief, verb=verb, attempt=ATTEMPT, object=INPUT, length=0, **{"pass": "0" * 64}) == 403
    begun(site)


def test_t1_a_dismissed_node_and_one_with_old_papers_are_nobody(site: Site) -> None:
    old = site.node("n1")
    node_keys.admit(site.home / "nodes", "n1", site.home / "newer")
    assert refused(old, verb="begin", attempt=ATTEMPT) == 403
    node_keys.dismiss(site.home / "nodes", "n1")
    newer = site.home / "newer"
    again = site.door(Papers(newer / "ca.pem", newer / "node.pem", newer / "node.key"))
    assert refused(again, verb="begin", attempt=ATTEMPT) == 403


def test_t22_before_a_claim_nobody_ends_an_attempt_without_its_pass(site: Site) -> None:
    begun(site)
    said = {"type": "result", "cause": "system", "reason": "forged"}
    assert refused(site.nobody(), verb="result", attempt=ATTEMPT, result=said) == 403
    assert site.room.remote.status(ATTEMPT) is not None


def test_papers_of_another_authority_do_not_even_connect(site: Site) -> None:
    node_keys.admit(site.home / "elsewhere", "n1", site.home / "forged")
    forged = site.home / "forged"
    stranger = Papers(site.home / "nodes" / "ca.pem", forged / "node.pem", forged / "node.key")
    with pytest.raises(DoorClosed):
        site.door(stranger).ask({"verb": "begin", "attempt": ATTEMPT})
    with pytest.raises(DoorClosed):  # and a node does not speak with another door than ours
        site.door(Papers(forged / "ca.pem")).ask({"verb": "begin", "attempt": ATTEMPT})


@pytest.mark.parametrize("verb", ["export", "adopt", "destroy", "recipient", "register dataset", None])
def test_t2_no_other_verb_of_the_broker_passes(site: Site, verb: str | None) -> None:
    door, _ = begun(site)
    assert refused(door, verb="broker", message={"verb": verb}) == 400


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xffx", b"\0\0\0\4null", b"\0\0\0\2[]", b'\0\0\0\5{"a":'])
def test_what_is_no_message_ends_the_line_and_harms_nobody(site: Site, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port)) as plain:
        plain.sendall(raw)
    context = Papers(site.home / "nodes" / "ca.pem").context()
    with (
        socket.create_connection(("127.0.0.1", site.port)) as connection,
        context.wrap_socket(connection, server_hostname="strongroom-nodes") as line,
    ):
        line.sendall(raw)
        with contextlib.suppress(OSError):
            assert wire.recv(line) is None
    begun(site)


def test_the_alarm_is_in_the_log(site: Site) -> None:
    refused(site.node("n2"), verb="begin", attempt=ATTEMPT)
    with site.room.engine.connect() as connection:
        events = connection.exec_driver_sql("select event, subject from audit_events").fetchall()
    assert ("claim.refused", ATTEMPT) in events
    assert site.room.remote.begin(ATTEMPT, HERE)


@pytest.fixture
def asked(site: Site) -> list[Message]:
    """What a broker hears that refuses everything, as one that writes each refusal down."""
    heard: list[Message] = []

    def answer(message: Message, _caller: object) -> Message:
        heard.append(message)
        raise NotAllowed("no")

    (site.home / "sockets").mkdir()
    door = listen(site.home / "sockets" / "broker.sock")
    threading.Thread(
        target=serve, args=(door,), kwargs={"allowed": {os.geteuid()}, "answer": answer}, daemon=True
    ).start()
    return heard


def written(site: Site) -> list[dict[str, object]]:
    """Return the facts of all that is in the audit log."""
    with site.room.engine.connect() as connection:
        rows = connection.exec_driver_sql("select body from audit_events order by seq").scalars().all()
    return [json.loads(body)["facts"] for body in rows]


def test_t30_strangers_at_the_door_write_nothing(site: Site, asked: list[Message]) -> None:
    stranger, letters = site.nobody(), "strangers write what they like " * 2
    begun(site)
    for attempt in (letters, ATTEMPT, "f" * 32, None):
        for question in (
            {"verb": "register", "attempt": attempt, "outputs": []},
            {"verb": "grant", "order": attempt},
        ):
            for more in ({}, {"attempt": attempt}, {"attempt": attempt, "pass": "0" * 64}, {"attempt": ATTEMPT}):
                assert refused(stranger, verb="broker", message=question, **more) in (400, 403)
    for verb in ("begin", "claim", "started", "result", "store", "show", "code"):
        assert refused(stranger, verb=verb, attempt="f" * 32, length=0, result={}) in (400, 403, 404)
    assert asked == []
    assert written(site) == []


def test_t30_an_alarm_that_repeats_is_counted(site: Site) -> None:
    stranger, other = site.nobody(), site.node("n2")
    for _ in range(40):
        assert refused(stranger, verb="begin", attempt=ATTEMPT) == 403
    assert refused(other, verb="begin", attempt=ATTEMPT) == 403  # nobody hides behind another's noise
    said = [(facts["node"], facts.get("times")) for facts in written(site)]
    assert said == [*(("unknown", times) for times in (None, 2, 4, 8, 16, 32)), ("n2", None)]
    assert site.room.remote.begin(ATTEMPT, HERE)


def test_t30_an_attempt_has_the_broker_refuse_a_few_times_only(site: Site, asked: list[Message]) -> None:
    door, taken = begun(site)
    mine = {"attempt": ATTEMPT, "pass": taken}
    for _ in range(20):
        assert refused(door, verb="broker", message={"verb": "grant", "order": {}}, **mine) == 403
    assert len(asked) == node_door.MOST_REFUSALS


def test_t2_an_attempt_registers_nothing_but_its_own(site: Site, asked: list[Message]) -> None:
    door, taken = begun(site)
    mine = {"attempt": ATTEMPT, "pass": taken}
    for question in (
        {"verb": "register", "attempt": "f" * 32},
        {"verb": "register", "dataset": "calls", "name": "x"},
    ):
        assert refused(door, verb="broker", message=question, **mine) == 403
    assert asked == []


def tls(site: Site) -> ssl.SSLSocket:
    """Return a connection of somebody without a certificate."""
    raw = socket.create_connection(("127.0.0.1", site.port))
    raw.settimeout(10)
    context = Papers(site.home / "nodes" / "ca.pem").context()
    return context.wrap_socket(raw, server_hostname="strongroom-nodes")


def test_t30_a_stranger_is_heard_briefly(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "SECONDS", 1.0)
    door, _ = begun(site)
    with socket.create_connection(("127.0.0.1", site.port)) as silent, tls(site) as dripping:
        silent.settimeout(10)
        since = time.monotonic()
        dripping.sendall(b"\0\0\1\0")
        with contextlib.suppress(OSError):
            while time.monotonic() - since < 9:
                dripping.sendall(b" ")
                time.sleep(0.2)
        assert time.monotonic() - since < 9
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
    time.sleep(1)
    assert refused(door, verb="begin", attempt=ATTEMPT) == 409  # on its line, which has proved its node


def test_t30_who_is_answered_slowly_is_not_hung_up_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "SECONDS", 0.5)
    prove = site.room.words.prove

    def slowly(attempt: str, proof: Proof) -> str:
        time.sleep(3)  # its scheduler takes its time
        return prove(attempt, HERE if proof.token == "a pod's" else proof)

    monkeypatch.setattr(site.room.words, "prove", slowly)
    assert site.nobody().ask({"verb": "begin", "attempt": ATTEMPT, "token": "a pod's"})["pass"]


def test_t30_a_stranger_says_little(site: Site, asked: list[Message]) -> None:
    _, taken = begun(site)
    with tls(site) as line:
        line.sendall((strangers.LARGEST + 1).to_bytes(4, "big"))
        with contextlib.suppress(OSError):
            assert wire.recv(line) is None
    with pytest.raises(DoorClosed):
        site.nobody().ask({"verb": "result", "attempt": ATTEMPT, "result": {"reason": "x" * strangers.LARGEST}})
    with pytest.raises(DoorClosed):
        store(site.nobody(), b"x" * (1 << 22), object=NEW, attempt=ATTEMPT, **{"pass": "0" * 64})
    # Who has the pass shows it first, on a line that nobody knows yet.
    long = {"verb": "register", "attempt": ATTEMPT, "outputs": ["x" * (1 << 20)]}
    assert refused(site.nobody(), verb="broker", message=long, attempt=ATTEMPT, **{"pass": taken}) == 403
    assert asked == [long]


def test_t30_an_address_has_few_strangers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "OF_AN_ADDRESS", 3)
    door, _ = begun(site)
    lines = [tls(site) for _ in range(3)]
    with pytest.raises(DoorClosed):
        site.nobody().ask({"verb": "begin", "attempt": ATTEMPT})
    assert refused(door, verb="begin", attempt=ATTEMPT) == 409
    for line in lines:
        line.close()
    until(lambda: _is_heard(site))


def _is_heard(site: Site) -> bool:
    try:
        site.nobody().ask({"verb": "begin", "attempt": ATTEMPT})
    except DoorRefused as error:
        return error.status == 403
    except DoorClosed:
        return False
    return False
