"""On SLURM an attempt goes to its own node and user, once, and only its own words count."""

import base64
import contextlib
import json
import os
import pwd
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from backend_house import Told, eventually, processes_of
from backend_slurm import OTHER_PROJECT, SlurmPlace, open_place
from sandbox_lab import shell
from services.slurm import USERS

from sandbox import wire
from sandbox.agent import MOST_OF_A_USER
from sandbox.crypt4gh import new_private_key, public_key_of
from sandbox.door import Door, DoorRefused, Papers
from sandbox.signing import AttemptKey
from sandbox.spec import spec_digest
from strongroom.audit import AuditEvent
from strongroom.database import reading
from tes import node_keys
from tes.backends import held

OWNER, STRANGER = USERS
DOORS: list[Door] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what a test opened."""
    yield
    while DOORS:
        DOORS.pop().close()


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmPlace]:
    with open_place(request, tmp_path_factory.mktemp("own")) as one:
        yield one


@contextmanager
def waiting(place: SlurmPlace, script: str = "exit 3", **changes: Any) -> Iterator[Told]:
    """Yield an attempt whose job runs on n1, where the agent stands still: nobody has begun it yet."""
    agent = place.cluster.pid("agent-n1")
    os.kill(agent, signal.SIGSTOP)
    try:
        told = place.submit(shell(script), plan={"backend_parameters": {"constraint": "n1"}}, **changes)
        eventually(lambda: place.backend.status(told.attempt) == "RUNNING", "its job does not run")
        yield told
    finally:
        os.kill(agent, signal.SIGCONT)


def door_of(place: SlurmPlace, node: str | None) -> Door:
    """Return a connection with the papers of a node, or with none."""
    folder = place.cluster.papers_of(node or "n1")
    own = (folder / "node.pem", folder / "node.key") if node else (None, None)
    door = Door("127.0.0.1", place.house.settings.nodes.port, Papers(folder / "ca.pem", *own))
    DOORS.append(door)
    return door


def begin(place: SlurmPlace, told: Told, *, node: str | None = "n1", user: str = OWNER) -> dict[str, Any]:
    return door_of(place, node).ask({"verb": "begin", "attempt": told.attempt, "user": user})


def claim_of(told: Told, begun: dict[str, Any], own: AttemptKey, **changes: str) -> dict[str, Any]:
    said = {
        "verb": "claim",
        "attempt": told.attempt,
        "pass": begun["pass"],
        "spec_sha256": spec_digest(told.launch.spec),
        "public_key": base64.b64encode(public_key_of(new_private_key())).decode(),
        "signing_key": base64.b64encode(own.public_key).decode(),
    }
    return {**said, **changes}


def refusals(place: SlurmPlace, attempt: str) -> list[dict[str, Any]]:
    """Return the audit events that say that an attempt was wanted by somebody else."""
    query = sa.select(AuditEvent.body).where(AuditEvent.subject == attempt, AuditEvent.event == "claim.refused")
    with reading(place.house.engine) as session:
        return [json.loads(body)["facts"] for body in session.scalars(query)]


@pytest.mark.parametrize(
    ("node", "user"),
    [("n2", OWNER), ("n1", STRANGER), ("n1", "root"), (None, OWNER)],
    ids=["another node", "another user", "root", "no certificate"],
)
def test_t1_an_attempt_is_not_begun_from_elsewhere(place: SlurmPlace, node: str | None, user: str) -> None:
    with waiting(place) as told:
        with pytest.raises(DoorRefused, match="does not run this attempt there") as refused:
            begin(place, told, node=node, user=user)
        assert refused.value.status == 403
        assert refusals(place, told.attempt) == [{"kind": "task", "node": node or "unknown"}]
    assert told.ends() == ("exited", 3)  # its own place still may


def test_t1_a_stub_of_another_user_on_the_right_node_gets_nothing(place: SlurmPlace) -> None:
    told = place.submit(shell("sleep 2; exit 3"), plan={"backend_parameters": {"constraint": "n1"}})
    eventually(lambda: processes_of(told.launch), "the task does not run")
    assert place.stub(told.attempt, node="n1", user=STRANGER).wait(20) == 77
    assert place.stub(told.attempt, node="n2", user=OWNER).wait(20) == 77
    assert told.ends() == ("exited", 3)
    assert place.house.claims.count(told.attempt) == 1


def test_t1_a_job_that_takes_an_attempts_name_is_not_its_job(place: SlurmPlace) -> None:
    # Job names are no secret; another project's user may have one of the same name.
    told = place.submit(shell("sleep 3; exit 3"), plan={"backend_parameters": {"constraint": "n1"}})
    eventually(lambda: processes_of(told.launch), "the task does not run")
    words = f"{place.cluster.joiner} {place.cluster.agent}/join.sock {told.attempt}"
    argv = ["sbatch", "--parsable", "--uid", STRANGER, "-J", f"tes-{told.attempt}", "-C", "n2", "-o", "/dev/null"]
    theirs = place.cluster.run(*argv, "-D", "/", "--wrap", f"exec {words}").strip()
    state = ["sacct", "-nXP", "-o", "exitcode", "-j", theirs]
    eventually(lambda: place.cluster.run(*state).strip() == "77:0", "their job gets something")
    (after,) = place.another_life(told)  # whose job is whose is not forgotten
    assert after.ends() == ("exited", 3)
    assert place.house.claims.count(told.attempt) == 1


def test_t1_a_node_that_was_dismissed_begins_nothing(place: SlurmPlace) -> None:
    nodes, door = place.house.settings.home / "nodes", door_of(place, "n1")
    admitted = (nodes / "admitted" / "n1").read_text()
    with waiting(place) as told:
        with pytest.raises(DoorRefused):
            door.ask({"verb": "begin", "attempt": "0" * 32, "user": OWNER})
        node_keys.dismiss(nodes, "n1")
        try:
            for one in (door, door_of(place, "n1")):  # on the line that it has, and on a new one
                with pytest.raises(DoorRefused) as refused:
                    one.ask({"verb": "begin", "attempt": told.attempt, "user": OWNER})
                assert refused.value.status == 403
        finally:
            (nodes / "admitted" / "n1").write_text(admitted)
    assert told.ends() == ("exited", 3)


def test_t1_an_attempt_is_begun_once_from_its_own_place_too(place: SlurmPlace) -> None:
    with waiting(place, "exit 0") as told:
        begun = begin(place, told)
        assert begun["spec"].encode() == told.launch.spec
        with pytest.raises(DoorRefused) as refused:
            begin(place, told)
        assert refused.value.status == 409
    place.all_is_over(told.attempt)  # its own stub finds the lease taken and ends with 0
    assert place.jobs_of(told.attempt)[0].exit_code == 0
    assert place.house.claims.count(told.attempt) == 0


def test_t1_a_second_claim_stops_the_attempt_and_is_told(place: SlurmPlace, caplog: pytest.LogCaptureFixture) -> None:
    with waiting(place) as told:
        begun, door = begin(place, told), door_of(place, "n1")
        for wrong in ("0" * 64, "", None):
            with pytest.raises(DoorRefused) as refused:
                door.ask({**claim_of(told, begun, AttemptKey()), "pass": wrong})
            assert refused.value.status == 403
        assert door.ask(claim_of(told, begun, AttemptKey()))["type"] == "order"
        with pytest.raises(DoorRefused, match="claimed once"):
            door.ask(claim_of(told, begun, AttemptKey()))
        assert told.ends() == ("system", None)
        assert "claimed twice" in told.end()["reason"]
        assert refusals(place, told.attempt)
        eventually(lambda: place.jobs_of(told.attempt)[0].state == "CANCELLED", "its job goes on")
    assert "'alarm': True" in caplog.text or "alarm=True" in caplog.text
    assert place.house.claims.count(told.attempt) == 1


def test_t22_a_result_is_believed_from_its_attempt_alone(place: SlurmPlace) -> None:
    with waiting(place) as told:
        begun, door, own = begin(place, told), door_of(place, "n1"), AttemptKey()
        door.ask(claim_of(told, begun, own))
        said = {"type": "result", "cause": "exited", "exit_code": 0, "reason": None, "outputs": []}
        other = AttemptKey().signed(said)
        changed = {**own.signed({**said, "exit_code": 3}), "exit_code": 0}
        for forged in (said, other, changed, {**said, "signature": "x"}):
            with pytest.raises(DoorRefused, match="not signed"):
                door_of(place, None).ask({"verb": "result", "attempt": told.attempt, "result": forged})
        assert not told.over.is_set()
        door.ask({"verb": "result", "attempt": told.attempt, "result": own.signed({**said, "exit_code": 5})})
        assert told.ends() == ("exited", 5)


def test_t22_a_result_forged_in_a_nodes_spool_is_not_believed(place: SlurmPlace) -> None:
    told = place.submit(shell("sleep 6; exit 3"), plan={"backend_parameters": {"constraint": "n1"}})
    eventually(lambda: processes_of(told.launch), "the task does not run")
    said = AttemptKey().signed({"type": "result", "cause": "exited", "exit_code": 0, "reason": None, "outputs": []})
    forged = place.cluster.spool_of("n2") / f"{told.attempt}.json"
    forged.write_text(json.dumps({"pass": "0" * 64, "result": said}))
    place.cluster.kill("agent-n2")
    place.cluster.restart("agent-n2")
    eventually(lambda: not forged.exists(), "it waits for ever")
    assert "is not wanted" in place.cluster.said("agent-n2")
    assert not told.over.is_set()
    assert told.ends() == ("exited", 3)


def test_t22_a_spec_that_was_swapped_on_the_node_gets_no_keys(place: SlurmPlace) -> None:
    with waiting(place) as told:
        begun, door = begin(place, told), door_of(place, "n1")
        spec = json.loads(begun["spec"])
        spec["executors"][0]["command"] = ["/bin/sh", "-c", "cat /run/work/* > /run/work/leak"]
        other = claim_of(told, begun, AttemptKey(), spec_sha256=spec_digest(json.dumps(spec).encode()))
        answer = door.ask(other)
        assert (answer["type"], answer["reason"]) == ("refused", "This claim is not for the spec of its attempt.")
    assert place.house.claims.count(told.attempt) == 0


def test_t22_each_project_has_jobs_of_a_user_of_its_own(place: SlurmPlace) -> None:
    mine, theirs = place.submit(shell("sleep 2")), place.submit(shell("sleep 2"), project=OTHER_PROJECT)
    eventually(lambda: all(told.started.is_set() for told in (mine, theirs)), "they do not start")
    query = ["squeue", "--noheader", "--format=%u"]
    shown = [place.cluster.run(*query, f"--name=tes-{told.attempt}").strip() for told in (mine, theirs)]
    assert shown == [OWNER, STRANGER]
    assert (mine.ends(), theirs.ends()) == (("exited", 0), ("exited", 0))
    nobody = place.submit(shell("exit 0"), project="without-a-user")
    assert nobody.ends() == ("system", None)
    assert "No user of the cluster" in nobody.end()["reason"]


def test_t22_no_process_of_the_jobs_user_is_the_tasks(place: SlurmPlace) -> None:
    told = place.submit(shell("sleep 3"))
    eventually(lambda: processes_of(told.launch), "the task does not run")
    eventually(told.started.is_set, "it does not start")
    number = pwd.getpwnam(OWNER).pw_uid
    jobs = [pid for pid in place.cluster.processes() if os.stat(f"/proc/{pid}").st_uid == number]
    assert [Path(os.readlink(f"/proc/{pid}/exe")) for pid in jobs] == [place.cluster.joiner]
    users = {uid for node in place.cluster.nodes for uid in users_below(place.cluster.pid(f"agent-{node}"))}
    assert json.loads(told.launch.spec)["uid"] in users
    assert number not in users
    told.end()


def users_below(pid: int) -> set[int]:
    """Return whose the processes are that descend from this one."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return {uid for child in children for uid in (os.stat(f"/proc/{child}").st_uid, *users_below(int(child)))}


def test_t1_the_way_to_the_broker_is_for_supervisors_alone(place: SlurmPlace) -> None:
    path = place.cluster.home / "nodes" / "n1" / "run" / "broker.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as line:  # as root, but no supervisor of this agent's
        line.settimeout(10)
        line.connect(str(path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(line, {"verb": "grant", "order": {}})
            assert wire.recv(line) is None


@pytest.mark.parametrize("said", [b"", b"x", b"A" * 32 + b"\n", b"../../../../../../../../etc/passw\n", b"\0" * 33])
def test_t1_who_names_no_attempt_is_hung_up_on(place: SlurmPlace, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(15)
        line.connect(str(place.cluster.home / "nodes" / "n1" / "run" / "join.sock"))
        line.sendall(said)
        line.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):  # it has not read all of it
            assert line.recv(10) == b""


def test_t1_one_user_does_not_take_all_the_agents_threads(place: SlurmPlace) -> None:
    path, lines = str(place.cluster.home / "nodes" / "n1" / "run" / "join.sock"), []
    try:
        for _ in range(MOST_OF_A_USER + 1):  # all ours, root's
            lines.append(socket.socket(socket.AF_UNIX))
            lines[-1].connect(path)
        lines[-1].settimeout(5)
        assert lines[-1].recv(1) == b""  # hung up on at once, while the first ones may still say what they want
        assert place.submit(shell("exit 3"), plan={"backend_parameters": {"constraint": "n1"}}).ends() == (
            "exited",
            3,
        )
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize(
    ("node", "user", "spoiled"),
    [("n2", OWNER, False), ("n1", STRANGER, False), (None, OWNER, False), ("n1", OWNER, True)],
    ids=["another node", "another user", "no certificate", "another pass"],
)
def test_t1_more_is_given_to_the_place_of_the_job_alone(
    place: SlurmPlace, monkeypatch: pytest.MonkeyPatch, node: str | None, user: str, spoiled: bool
) -> None:
    monkeypatch.setattr(held, "FIRST", 1)
    monkeypatch.setattr(place.backend, "_held", held.Held())  # earlier tests left some that nobody ends
    with waiting(place) as told:
        following = place.submit(shell("exit 4"), plan={"backend_parameters": {"constraint": "n1"}})
        begun, own = begin(place, told), AttemptKey()
        door_of(place, "n1").ask(claim_of(told, begun, own))
        said = {"type": "result", "cause": "exited", "exit_code": 0, "reason": None, "outputs": []}
        taken = "0" * 64 if spoiled else begun["pass"]
        asked = {"verb": "result", "attempt": told.attempt, "pass": taken, "result": own.signed(said)}
        door = door_of(place, node)
        if spoiled:
            with pytest.raises(DoorRefused) as refused:
                door.ask({**asked, "more": True, "user": user})
            assert refused.value.status == 403
            assert not told.over.is_set()
            assert "next" not in door.ask({**asked, "pass": begun["pass"]})
        else:
            assert "next" not in door.ask({**asked, "more": True, "user": user})
            assert refusals(place, following.attempt) == [{"kind": "task", "node": node or "unknown"}]
        assert told.ends() == ("exited", 0)
        assert "next" not in door_of(place, "n1").ask({**asked, "pass": begun["pass"], "more": True, "user": OWNER})
    assert following.ends() == ("exited", 4)
    assert place.house.claims.count(following.attempt) == 1
