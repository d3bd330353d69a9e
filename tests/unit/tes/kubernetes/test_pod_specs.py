"""What stands in the pod of an attempt, in its namespace, and in answers of the API server."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.pod.places import STAGE_UID
from strongroom.clusters import Kubernetes, Toleration
from strongroom.settings import Settings
from strongroom.storage import S3, Objects
from tes.backends import Launch
from tes.backends.kubernetes.api import cleaned
from tes.backends.kubernetes.namespace import Files, NamespaceNotReady, store_at, wanted
from tes.backends.kubernetes.pod_spec import StoreAt, Surroundings, pod_of
from tes.backends.schedulers import SchedulerRefused

MIB = 1 << 20
DIGESTS = ["sha256:" + letter * 64 for letter in "ab"]
SECRET = "genotype"


def a_spec(**changes: Any) -> dict[str, Any]:
    limits = {"memory_bytes": 100 * MIB, "cpu_cores": 1.5, "scratch_bytes": 50 * MIB, "wall_seconds": 60}
    return {
        "uid": 100_007,
        "inputs": [{"size": 5 * MIB + 1, "path": "/run/work/in"}, {"content": "AAAA", "path": "/run/work/c"}],
        "outputs": [],
        "code_mounts": [{"source": "/catalogue/x", "path": "/run/workflow"}],
        "executors": [{"command": [SECRET], "env": {"X": SECRET}}] * 2,
        "limits": {**limits, "log_bytes": MIB},
        "walls": "bubblewrap",
        **changes,
    }


def a_pod(settings: Kubernetes | None = None, **changes: Any) -> dict[str, Any]:
    plan = {"image": DIGESTS[0], "executors": [{"image": DIGESTS[0]}, {"image": DIGESTS[1]}]}
    launch = Launch("a" * 32, json.dumps(a_spec(**changes)).encode(), {}, plan)
    chosen = settings or Kubernetes(repository="images.test/all", node_image="images.test/node@sha256:1")
    return pod_of(launch, Surroundings(chosen, "10.0.0.1", 8443, "launcher-1", "f" * 64, "door-1"))


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pod["spec"]["containers"]}


def test_t26_no_word_of_the_task_is_in_its_pod() -> None:
    assert SECRET not in json.dumps(a_pod())


def test_images_are_named_by_digest_each_executors_own() -> None:
    images = {name: one["image"] for name, one in containers(a_pod()).items()}
    assert images["executor-0"] == f"images.test/all@{DIGESTS[0]}"
    assert images["executor-1"] == f"images.test/all@{DIGESTS[1]}"
    assert images["stage"] == images["seal"] == "images.test/node@sha256:1"


def test_t1_the_token_is_mounted_in_stage_alone_and_keys_in_ours() -> None:
    mounted = {name: {mount["name"] for mount in one["volumeMounts"]} for name, one in containers(a_pod()).items()}
    assert [name for name, volumes in mounted.items() if "token" in volumes] == ["stage"]
    assert [name for name, volumes in mounted.items() if "keys" in volumes] == ["stage", "seal"]
    assert a_pod()["spec"]["automountServiceAccountToken"] is False


def test_t22_an_executor_writes_its_own_control_folder_alone() -> None:
    for number in (0, 1):
        mounts = containers(a_pod())[f"executor-{number}"]["volumeMounts"]
        assert [m for m in mounts if m["name"] == "control"] == [
            {"name": "control", "mountPath": "/strongroom/control", "readOnly": True},
            {"name": "control", "mountPath": "/strongroom/own", "subPath": str(number)},
        ]
        (code,) = [m for m in mounts if m["name"] == "code"]
        assert code == {"name": "code", "mountPath": "/run/workflow", "subPath": "0", "readOnly": True}


def test_inputs_belong_to_somebody_else_than_the_task() -> None:
    users = {name: one["securityContext"]["runAsUser"] for name, one in containers(a_pod()).items()}
    assert users == {"stage": STAGE_UID, "executor-0": 100_007, "executor-1": 100_007, "seal": 100_007}


def test_every_volume_is_memory_a_configmap_or_the_token() -> None:
    for volume in a_pod()["spec"]["volumes"]:
        kind = next(name for name in volume if name != "name")
        assert kind in {"emptyDir", "configMap", "projected"}
        if kind == "emptyDir":
            assert volume[kind]["medium"] == "Memory"
            assert int(volume[kind]["sizeLimit"]) > 0


def test_a_containers_limit_is_the_tasks_memory_and_its_share_of_volumes() -> None:
    found = containers(a_pod())
    assert int(found["executor-0"]["resources"]["limits"]["memory"]) >= (100 + 50 + 2) * MIB
    assert int(found["stage"]["resources"]["limits"]["memory"]) >= 5 * MIB + 64 * MIB
    work = next(v for v in a_pod()["spec"]["volumes"] if v["name"] == "work")
    assert int(work["emptyDir"]["sizeLimit"]) == 5 * MIB + 2 * 4096 + 50 * MIB


def test_a_pod_asks_for_the_tasks_cores_in_sum() -> None:
    asked = [int(one["resources"]["requests"]["cpu"].rstrip("m")) for one in containers(a_pod()).values()]
    assert sum(asked) == 1500


def test_the_pods_deadline_is_later_than_the_tasks() -> None:
    assert a_pod()["spec"]["activeDeadlineSeconds"] > 60 + 900


@pytest.mark.parametrize(
    "change",
    [{"writable_root": True}, {"scratch": {"driver": "fscrypt"}}, {"loopback": True}, {"walls": "runsc"}],
)
def test_what_pods_cannot_give_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SchedulerRefused):
        a_pod(**change)


def test_nodes_and_runtimes_are_chosen_by_settings() -> None:
    chosen = Kubernetes(
        repository="r",
        node_image="n",
        runtime_class="plain",
        runtime_class_of_runsc="gvisor",
        node_selector={"zone": "safe"},
        tolerations=(Toleration(key="only"), Toleration(key="for", value="us", effect="NoSchedule")),
    )
    spec = a_pod(chosen)["spec"]
    assert spec["runtimeClassName"] == "plain"
    assert spec["nodeSelector"] == {"zone": "safe"}
    assert spec["tolerations"] == [
        {"key": "only", "operator": "Exists"},
        {"key": "for", "value": "us", "effect": "NoSchedule", "operator": "Equal"},
    ]
    assert a_pod(chosen, walls="runsc")["spec"]["runtimeClassName"] == "gvisor"
    assert "runtimeClassName" not in a_pod()["spec"]


def test_the_only_way_out_of_the_namespace_is_the_door() -> None:
    made = {(one["kind"], one["metadata"]["name"]): one for one in objects()}
    assert made["NetworkPolicy", "deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (rule,) = made["NetworkPolicy", "to-the-door"]["spec"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert rule["ports"] == [{"port": 8443, "protocol": "TCP"}]
    assert made["ResourceQuota", "tasks"]["spec"]["hard"]["secrets"] == "0"
    with pytest.raises(NamespaceNotReady, match="IP address"):
        objects("door.example")


def test_with_an_object_store_its_endpoint_is_the_one_other_way_out() -> None:
    at = StoreAt("s3.example", 443, ("10.0.0.7", "fd00::7"))
    found = wanted(Kubernetes(), Files(b"program", b"certificate"), host="10.0.0.1", port=8443, store=at)
    policies = {one["metadata"]["name"]: one["spec"] for one in found if one["kind"] == "NetworkPolicy"}
    assert set(policies) == {"deny-all", "to-the-door", "to-the-store"}
    (rule,) = policies["to-the-store"]["egress"]
    assert rule["to"] == [{"ipBlock": {"cidr": "10.0.0.7/32"}}, {"ipBlock": {"cidr": "fd00::7/128"}}]
    assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]


def test_pods_know_the_store_by_its_addresses_and_ask_no_dns() -> None:
    chosen = Kubernetes(repository="images.test/all", node_image="images.test/node@sha256:1")
    launch = Launch("a" * 32, json.dumps(a_spec()).encode(), {}, {"executors": [{"image": DIGESTS[0]}] * 2})
    around = Surroundings(chosen, "10.0.0.1", 8443, "launcher-1", "f" * 64, "door-1")
    named = replace(around, store=StoreAt("s3.example", 443, ("10.0.0.7",)))
    assert pod_of(launch, named)["spec"]["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["s3.example"]}]
    by_number = replace(around, store=StoreAt("10.0.0.7", 443, ("10.0.0.7",)))
    assert "hostAliases" not in pod_of(launch, by_number)["spec"]
    assert "hostAliases" not in pod_of(launch, around)["spec"]


def test_an_endpoint_with_a_name_needs_its_addresses() -> None:
    s3 = {"bucket": "bodies", "access_key": "AK", "secret_key_file": "/run/secret"}

    def settings(endpoint: str, *addresses: str, **more: str) -> Settings:
        return Settings(objects=Objects(store="s3", s3=S3(endpoint=endpoint, addresses=addresses, **s3, **more)))

    assert store_at(Settings()) is None
    assert store_at(settings("https://10.0.0.7:9000")) == StoreAt("10.0.0.7", 9000, ("10.0.0.7",))
    assert store_at(settings("https://s3.example", "10.0.0.7")) == StoreAt("s3.example", 443, ("10.0.0.7",))
    virtual = store_at(settings("https://s3.example", "10.0.0.7", addressing="virtual"))
    assert virtual == StoreAt("bodies.s3.example", 443, ("10.0.0.7",))
    with pytest.raises(NamespaceNotReady, match=r"objects\.s3\.addresses"):
        store_at(settings("https://s3.example"))


def test_t26_config_maps_are_immutable_and_named_by_their_content() -> None:
    names = {one["metadata"]["name"] for one in objects() if one["kind"] == "ConfigMap"}
    others = {one["metadata"]["name"] for one in objects(launcher=b"other") if one["kind"] == "ConfigMap"}
    assert len(names & others) == 1
    assert all(one["immutable"] for one in objects() if one["kind"] == "ConfigMap")


def test_a_launcher_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NamespaceNotReady, match="launcher"):
        Files.read(tmp_path / "launcher", tmp_path / "ca.pem")


def objects(host: str = "10.0.0.1", launcher: bytes = b"program") -> list[dict[str, Any]]:
    return wanted(Kubernetes(), Files(launcher, b"certificate"), host=host, port=8443)


def test_t10_what_a_container_wrote_is_dropped_wherever_it_stands() -> None:
    told = {"terminated": {"exitCode": 0, "message": SECRET}}
    status = {
        kind: [{"name": "x", "state": told, "lastState": {"waiting": {"reason": "r", "message": SECRET}}}]
        for kind in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    }
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Running", **status}}
    for answer in (pod, {"items": [pod]}, {"type": "MODIFIED", "object": pod}):
        given = json.loads(json.dumps(answer))
        assert SECRET not in json.dumps(cleaned(given))
        assert '"exitCode": 0' in json.dumps(given)
