"""Nobody but its own pod claims an attempt, and a task in a pod speaks to nobody: on a real Kubernetes."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from backend_house import Told, eventually
from backend_kubernetes import KubernetesPlace
from launcher_attacks import MAKE_THE_LAUNCHER_SPEAK
from launcher_lab import built
from sandbox_lab import python, shell
from services.kubernetes_keys import client_context
from task_pods import RESTRICTED, places_with

from sandbox.door import Door, DoorRefused, Papers
from sandbox.pod.places import AUDIENCE
from sandbox.signing import AttemptKey
from strongroom.errors import NotAllowed
from tes.backends.kubernetes.pod_spec import ACCOUNT, name_of
from tes.backends.schedulers import Proof

MARK = """
import errno, os, sys, time
canary = b"CANARY-{word}-" + b"{word}"
for place, follows in (("/dev/termination-log", True), ("/dev/termination-log", False), (None, True)):
    try:
        os.setxattr(place or os.open("/dev/termination-log", 0), "user.x", canary, follow_symlinks=follows)
        print("worked")
    except OSError as error:
        print(errno.errorcode[error.errno])
time.sleep(3)
sys.exit(3)
"""
REFUSED = "Nobody enters or changes a task's pod"


def running(pods: KubernetesPlace) -> Iterator[Told]:
    told = pods.submit(shell("sleep 500"), plan={"seconds": 600, "cores": 0.1})
    assert told.started.wait(60)
    yield told
    pods.backend.cancel(told.attempt)
    assert told.ends()[0] == "canceled"


@pytest.fixture(scope="module")
def victim(pods: KubernetesPlace) -> Iterator[Told]:
    """An attempt that runs until the last test here is done."""
    yield from running(pods)


@pytest.fixture(scope="module")
def other(pods: KubernetesPlace) -> Iterator[Told]:
    """Another one."""
    yield from running(pods)


def pod_of(pods: KubernetesPlace, told: Told) -> dict[str, Any]:
    return pods.cluster.ask("GET", f"/api/v1/namespaces/{pods.namespace}/pods/{name_of(told.attempt)}")


def token_of(pods: KubernetesPlace, told: Told, audience: str = AUDIENCE, *, as_kubelet: bool = True) -> str:
    """Have a token made as the kubelet does for a pod's volume, or as the administrator."""
    pod = pod_of(pods, told)["metadata"]
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod["name"], "uid": pod["uid"]}
    asked = {"spec": {"audiences": [audience], "boundObjectRef": bound, "expirationSeconds": 600}}
    path = f"/api/v1/namespaces/{pods.namespace}/serviceaccounts/{ACCOUNT}/token"
    if not as_kubelet:
        return str(pods.cluster.ask("POST", path, asked)["status"]["token"])
    place = pods.cluster.place
    with httpx.Client(base_url=place.server, verify=client_context(place, "kubelet"), trust_env=False) as api:
        answer = api.post(path, json=asked)
        assert answer.is_success, answer.text
        return str(answer.json()["status"]["token"])


@pytest.fixture
def door(pods: KubernetesPlace) -> Iterator[Door]:
    """The door for nodes, as any pod reaches it."""
    nodes = pods.house.settings.nodes
    one = Door(nodes.host, nodes.port, Papers(pods.house.settings.home / "nodes" / "ca.pem"))
    yield one
    one.close()


def alarms(pods: KubernetesPlace, told: Told) -> int:
    with pods.house.engine.connect() as connection:
        rows = connection.exec_driver_sql("select event, subject from audit_events").fetchall()
    return [tuple(row) for row in rows].count(("claim.refused", told.attempt))


# T1: whose attempt it is


def test_t1_the_pods_own_token_proves_its_node(pods: KubernetesPlace, victim: Told) -> None:
    node = pods.scheduler.prove(victim.attempt, Proof(None, token=token_of(pods, victim)))
    assert node == pod_of(pods, victim)["spec"]["nodeName"]


def test_t1_a_stolen_attempt_id_with_another_pods_token_is_refused_and_noted(
    pods: KubernetesPlace, door: Door, victim: Told, other: Told
) -> None:
    token, before = token_of(pods, other), alarms(pods, victim)
    with pytest.raises(DoorRefused, match="not bound to the pod of that attempt") as refused:
        door.ask({"verb": "begin", "attempt": victim.attempt, "token": token})
    assert refused.value.status == 403
    assert alarms(pods, victim) == before + 1
    assert pods.scheduler.prove(other.attempt, Proof(None, token=token))  # which is good for its own


def test_t1_a_token_for_another_audience_is_refused(pods: KubernetesPlace, victim: Told) -> None:
    token = pods.cluster.kubectl("create", "token", "default", "-n", "default", "--audience", "elsewhere").strip()
    for wrong in (token, "", "a.b.c", None):
        with pytest.raises(NotAllowed):
            pods.scheduler.prove(victim.attempt, Proof(None, token=wrong))


def test_t1_a_token_of_the_right_audience_and_another_account_is_refused(pods: KubernetesPlace, victim: Told) -> None:
    token = pods.cluster.kubectl("create", "token", "default", "-n", "default", "--audience", AUDIENCE).strip()
    with pytest.raises(NotAllowed, match="not bound"):
        pods.scheduler.prove(victim.attempt, Proof("node1", "root", token))


def test_t1_nobody_but_a_kubelet_has_a_token_made(pods: KubernetesPlace, victim: Told) -> None:
    with pytest.raises(httpx.HTTPStatusError, match=REFUSED):
        token_of(pods, victim, as_kubelet=False)


def test_t1_a_second_begin_is_refused(pods: KubernetesPlace, door: Door, victim: Told) -> None:
    with pytest.raises(DoorRefused, match="begun before") as refused:
        door.ask({"verb": "begin", "attempt": victim.attempt, "token": token_of(pods, victim)})
    assert refused.value.status == 409


def test_t1_a_pod_of_the_same_name_made_by_somebody_else_is_not_the_attempts(pods: KubernetesPlace) -> None:
    told = pods.submit(shell("sleep 500"), plan={"cores": 0.1})
    assert told.started.wait(60)
    made = pod_of(pods, told)
    path = f"/api/v1/namespaces/{pods.namespace}/pods"
    pods.cluster.ask("DELETE", f"{path}/{made['metadata']['name']}?gracePeriodSeconds=0")
    meta = {name: made["metadata"][name] for name in ("name", "labels")}
    spec = {name: value for name, value in made["spec"].items() if name != "nodeName"}
    again = pods.cluster.ask("POST", path, {"metadata": meta, "spec": spec})
    assert again["metadata"]["uid"] != made["metadata"]["uid"]
    eventually(lambda: pod_of(pods, told)["status"]["phase"] == "Running", "it does not run", within=60)
    with pytest.raises(NotAllowed, match="not the one that was made"):
        pods.scheduler.prove(told.attempt, Proof(None, token=token_of(pods, told)))
    pods.backend.cancel(told.attempt)
    told.end()


# T9 and T10: what a task may say


def test_t9_a_task_cannot_make_its_launcher_speak(pods: KubernetesPlace) -> None:
    report = pods.submit(python(MAKE_THE_LAUNCHER_SPEAK)).end()
    found = json.loads(pods.house.opened(report)["stdout.0"])
    assert found["attached"] == "EPERM"
    assert set(found) == {"own_socket", "attached"}


def test_t9_no_key_no_token_and_no_network_in_an_executor(pods: KubernetesPlace, victim: Told) -> None:
    mounted = {
        one["name"]: {mount["name"] for mount in one["volumeMounts"]}
        for one in pod_of(pods, victim)["spec"]["containers"]
    }
    assert mounted["executor-0"] == {"work", "control", "launcher"}
    assert {name for name, volumes in mounted.items() if "token" in volumes} == {"stage"}
    assert {name for name, volumes in mounted.items() if "keys" in volumes} == {"stage", "seal"}
    nodes = pods.house.settings.nodes
    connect = f"import socket; socket.create_connection(({nodes.host!r}, {nodes.port}), 5)"
    look = "ls /strongroom; ls /strongroom/keys /strongroom/token /var/run/secrets /run/secrets 2>/dev/null; env"
    report = pods.submit(shell(look), python(connect)).end()
    opened = pods.house.opened(report)
    words = opened["stdout.0"].decode().split()
    assert words[:3] == ["control", "launcher", "own"]
    assert all("=" in word for word in words[3:])
    assert report["executors"][1]["exit_code"] == 1
    assert b"Address family not supported" in opened["stderr.1"]


def test_t10_a_hostile_writer_leaves_nothing_on_the_node_or_in_the_api(pods: KubernetesPlace) -> None:
    word, places = "5c1d", ("/dev/termination-log", "/proc/1/fd/1", "/proc/1/fd/2", "/etc/hosts", "/strongroom/own/x")
    script = (
        f"word={word}; canary=CANARY-$word-$word; echo $canary; echo $canary >&2; echo $canary > secret;"
        + "".join(f"echo $canary > {place};" for place in places)
        + "true"
    )
    told = pods.submit(shell(script), python(MARK.format(word=word)))
    canary = f"CANARY-{word}-{word}"
    name = name_of(told.attempt)

    def ended() -> str | None:
        found = json.dumps(pods.pods())
        return found if name in found and '"exitCode": 0' in found else None

    said = eventually(ended, "no container of it ended", within=60)
    assert canary not in said
    assert told.ends() == ("exited", 3)
    opened = pods.house.opened(told.end())
    assert canary in opened["stdout.0"].decode()
    assert opened["stdout.1"].split() == [b"ENOTSUP"] * 3
    assert places_with(canary, pods.cluster) == set()


# T22: whose words count


def test_t22_a_task_cannot_forge_how_another_executor_ended(pods: KubernetesPlace) -> None:
    forged = "next=run\\ncause=exited\\nexit_code=0\\nend\\n"
    folders = [f"/strongroom/{one}" for one in ("control/0", "control/1", "control/2", "own")]
    forge = "; ".join(f"printf '{forged}' > {folder}/ended; mv x {folder}/ended" for folder in folders)
    commands = [shell(f"printf '{forged}' > x; {forge}; exit 4"), shell(f"{forge}; exit 5"), shell("echo never")]
    report = pods.submit(*commands, each=[{"ignore_error": True}, {}, {}]).end()
    assert (report["cause"], report["exit_code"]) == ("exited", 5)
    assert [one["exit_code"] for one in report["executors"]] == [4, 5]
    assert "stdout.2" not in pods.house.opened(report)


def test_t22_a_result_signed_by_somebody_else_is_refused(door: Door, victim: Told) -> None:
    said = {"type": "result", "cause": "exited", "exit_code": 0, "outputs": []}
    for words in (AttemptKey().signed(said), said):
        with pytest.raises(DoorRefused, match="not signed with the key"):
            door.ask({"verb": "result", "attempt": victim.attempt, "result": words})
    assert not victim.over.is_set()


def test_t22_a_swapped_spec_gets_no_order(pods: KubernetesPlace) -> None:
    verbs = dict(pods._nodes._verbs)

    def swapped(line: Any, message: dict[str, Any]) -> dict[str, Any]:
        answer = dict(verbs["begin"](line, message) or {})
        return {**answer, "spec": answer["spec"].replace("echo honest", "echo forged")}

    pods._nodes._verbs = {**verbs, "begin": swapped}
    try:
        report = pods.submit(shell("echo honest")).end()
    finally:
        pods._nodes._verbs = verbs
    assert report["cause"] == "system"
    assert "spec" in report["reason"]


# T26: the cluster's API


@pytest.mark.parametrize(
    "way",
    [
        "exec?command=id&container=seal&stdout=true",
        "exec?command=id&container=executor-0&stdout=true",
        "attach?container=seal&stdout=true",
        "portforward?ports=80",
    ],
)
def test_t26_nobody_enters_a_task_pod(pods: KubernetesPlace, victim: Told, way: str) -> None:
    path = f"/api/v1/namespaces/{pods.namespace}/pods/{name_of(victim.attempt)}/{way}"
    for method in ("GET", "POST"):
        answer = pods.cluster.api.request(
            method, path, headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        )
        assert answer.status_code == 403, answer.text
        assert REFUSED in answer.text


def test_t26_nobody_changes_a_task_pod(pods: KubernetesPlace, victim: Told) -> None:
    pod = pod_of(pods, victim)
    path = f"/api/v1/namespaces/{pods.namespace}/pods/{name_of(victim.attempt)}"
    image = pod["spec"]["containers"][0]["image"]
    spy = {"name": "spy", "image": image, "command": ["sleep", "100"], "securityContext": RESTRICTED}
    changed: dict[str, Any] = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [spy]}}
    for where, body in (
        (f"{path}/ephemeralcontainers", changed),
        (path, {**pod, "metadata": {**pod["metadata"], "labels": {}}}),
        (path, {**pod, "spec": {**pod["spec"], "activeDeadlineSeconds": 1}}),
    ):
        with pytest.raises(httpx.HTTPStatusError, match=REFUSED):
            pods.cluster.ask("PUT", where, body)


def test_t26_the_api_never_learns_what_a_task_does(pods: KubernetesPlace) -> None:
    word = "CANARY-a17e"
    told = pods.submit(shell(f"echo {word}; sleep 2"), each=[{"env": {"WORD": word}}])
    assert told.started.wait(60)
    for kind in ("pods", "configmaps", "secrets", "events"):
        found = pods.cluster.ask("GET", f"/api/v1/namespaces/{pods.namespace}/{kind}")
        assert word not in json.dumps(found)
    assert not pods.cluster.ask("GET", f"/api/v1/namespaces/{pods.namespace}/secrets")["items"]
    told.end()
    assert places_with(word, pods.cluster) == set()


def test_t26_stage_refuses_a_launcher_that_is_not_the_chosen_one(pods: KubernetesPlace) -> None:
    weaker = base64.b64encode(built("refuse_calls").read_bytes()).decode()
    config_map = {"metadata": {"name": "weaker"}, "immutable": True, "binaryData": {"launcher": weaker}}
    pods.cluster.ask("POST", f"/api/v1/namespaces/{pods.namespace}/configmaps", config_map)
    around = pods.scheduler._around
    pods.scheduler._around = replace(around, launcher="weaker")
    try:
        report = pods.submit(shell("echo ran")).end()
    finally:
        pods.scheduler._around = around
    assert report["cause"] == "system"
    assert "launcher" in report["reason"]
    assert "outputs" not in report  # told before a claim, so nothing else is believed
