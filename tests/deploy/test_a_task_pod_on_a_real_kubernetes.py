"""Executors in a real pod run in order, and neither kubelet nor API server learns a word of theirs."""

import json
import socketserver
import threading

import httpx
import pytest
from launcher_lab import WITHOUT_LANDLOCK
from services.kubernetes import Cluster
from task_pods import RESTRICTED, a_pod, an_order, deliver_launcher, import_busybox, log, places_with, run

CANARY = "CANARY-7f3a-7f3a"  # put together at run time only, so that no spec holds it
TALK = """
word=7f3a; canary=CANARY-$word-$word
echo $canary; echo $canary >&2; echo $canary > /work/secret
for path in /dev/termination-log /proc/1/fd/1 /proc/1/fd/2 /etc/hosts /own/ended; do echo $canary > $path; done
exit 3
"""


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> str:
    return import_busybox(cluster)


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> str:
    return cluster.make_namespace("task-pods")


@pytest.fixture(scope="module")
def launcher(cluster: Cluster, namespace: str) -> str:
    return deliver_launcher(cluster, namespace)


def test_what_a_task_says_stays_in_memory(cluster: Cluster, namespace: str, image: str, launcher: str) -> None:
    pod = run(cluster, namespace, a_pod("hostile", [an_order(TALK)], image=image, launcher=launcher))
    assert "cause=exited\nexit_code=3\n" in log(cluster, namespace, "hostile", "seal")
    assert log(cluster, namespace, "hostile", "executor-0") == ""
    assert CANARY not in json.dumps(pod)
    assert {one["state"]["terminated"]["exitCode"] for one in pod["status"]["containerStatuses"]} == {0}
    assert places_with(CANARY, cluster) == set()


def test_without_landlock_the_kubelet_would_keep_a_message(
    cluster: Cluster, namespace: str, image: str, launcher: str
) -> None:
    canary = CANARY.replace("7f3a", "90b2")
    talk = an_order(TALK.replace("7f3a", "90b2"))
    unsafe = a_pod("unsafe", [talk], image=image, launcher=launcher, options=[WITHOUT_LANDLOCK])
    pod = run(cluster, namespace, unsafe)
    messages = [one["state"]["terminated"].get("message", "") for one in pod["status"]["containerStatuses"]]
    assert f"{canary}\n" in messages
    found = places_with(canary, cluster)
    assert any(place.startswith("lib/etcd") for place in found), found
    assert "lib/kubelet" in found


def test_executors_wait_for_stage_and_for_each_other(
    cluster: Cluster, namespace: str, image: str, launcher: str
) -> None:
    orders = [
        an_order("cat staged > first"),
        an_order("cat first > second; exit 7", number=1, ignore_error=1),
        an_order("grep -q genome second", number=2),
        an_order("false", number=3),
        an_order("touch never", number=4),
    ]
    stage = "sleep 1; echo genome > /work/staged"
    pod = run(cluster, namespace, a_pod("ordered", orders, image=image, launcher=launcher, stage=stage))
    assert pod["status"]["phase"] == "Succeeded"
    told = log(cluster, namespace, "ordered", "seal")
    codes = [line.partition("=")[2] for line in told.splitlines() if line.startswith("exit_code=")]
    assert codes == ["0", "7", "0", "1"]
    assert told.endswith("next=stop\ncause=skipped\nend\n")


def test_stage_reaches_the_network_and_an_executor_does_not(
    cluster: Cluster, namespace: str, image: str, launcher: str
) -> None:
    visitors: list[object] = []

    class Visit(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            visitors.append(self.client_address)

    with socketserver.TCPServer((cluster.place.host, 0), Visit) as server:
        threading.Thread(target=server.serve_forever).start()
        connect = f"nc -w 5 {cluster.place.host} {server.server_address[1]} < /dev/null"
        pod = a_pod("network", [an_order(connect)], image=image, launcher=launcher, stage=f"{connect} || exit 9")
        run(cluster, namespace, pod)
        server.shutdown()
    assert len(visitors) == 1
    assert "cause=exited\nexit_code=1\n" in log(cluster, namespace, "network", "seal")


def test_the_launchers_filter_lies_on_top_of_the_nodes(
    cluster: Cluster, namespace: str, image: str, launcher: str
) -> None:
    order = an_order("grep -q '^Seccomp_filters:.2$' /proc/self/status && grep -q '^CapBnd:.0*$' /proc/self/status")
    run(cluster, namespace, a_pod("filters", [order], image=image, launcher=launcher))
    assert "exit_code=0\n" in log(cluster, namespace, "filters", "seal")


def test_a_volume_on_the_nodes_disk_is_refused(cluster: Cluster, namespace: str, image: str, launcher: str) -> None:
    pod = a_pod("disk", [an_order("true")], image=image, launcher=launcher)
    pod["spec"]["volumes"][0]["emptyDir"] = {}
    pod["spec"]["containers"] = pod["spec"]["containers"][:-1]  # `seal` would wait for ever
    ended = run(cluster, namespace, pod)
    codes = {one["name"]: one["state"]["terminated"]["exitCode"] for one in ended["status"]["containerStatuses"]}
    assert codes == {"stage": 0, "executor-0": 64}


def test_nobody_changes_the_launcher(cluster: Cluster, namespace: str, launcher: str) -> None:
    path = f"{namespace}/configmaps/{launcher}"
    changed = cluster.ask("GET", path)
    changed["binaryData"]["launcher"] = "AAAA"
    with pytest.raises(httpx.HTTPStatusError, match="immutable"):
        cluster.ask("PUT", path, changed)


@pytest.mark.parametrize(
    "weaker",
    [{"runAsNonRoot": False}, {"allowPrivilegeEscalation": True}, {"capabilities": {}}, {"seccompProfile": None}],
)
def test_a_weaker_pod_is_not_admitted(
    cluster: Cluster, namespace: str, image: str, launcher: str, weaker: dict[str, object]
) -> None:
    pod = a_pod("weaker", [an_order("true")], image=image, launcher=launcher)
    pod["spec"]["containers"][1]["securityContext"] = {**RESTRICTED, **weaker}
    with pytest.raises(httpx.HTTPStatusError, match="violates PodSecurity"):
        cluster.ask("POST", f"{namespace}/pods", pod)
