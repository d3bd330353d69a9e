"""What Strongroom makes in the cluster, and what an account of few rights can do with it."""

import json
import uuid
from pathlib import Path

import pytest
import yaml
from backend_house import follow
from backend_kubernetes import KubernetesPlace
from sandbox_lab import shell

from tes.backends.kubernetes.api import Api
from tes.backends.kubernetes.namespace import NamespaceNotReady, ready
from tes.backends.kubernetes.pods import Pods, open_pods

# As docs/guides/kubernetes.md has them.
IN_THE_NAMESPACE = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "list", "watch", "delete"]},
    {
        "apiGroups": ["", "networking.k8s.io"],
        "resources": ["configmaps", "serviceaccounts", "resourcequotas", "limitranges", "networkpolicies"],
        "verbs": ["get", "create", "update"],
    },
]
IN_THE_CLUSTER = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {
        "apiGroups": ["", "admissionregistration.k8s.io"],
        "resources": ["namespaces", "validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        "verbs": ["get"],
    },
]


def an_account(pods: KubernetesPlace, folder: Path) -> Path:
    """Make an account with the documented rights; return its kubeconfig."""
    cluster, name = pods.cluster, f"strongroom-{uuid.uuid4().hex[:8]}"
    cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": name}})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    api = "/apis/rbac.authorization.k8s.io/v1"
    for kind, rules, path in (
        ("Role", IN_THE_NAMESPACE, f"{api}/namespaces/{pods.namespace}"),
        ("ClusterRole", IN_THE_CLUSTER, api),
    ):
        cluster.ask("POST", f"{path}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules})
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        cluster.ask(
            "POST",
            f"{path}/{kind.lower()}bindings",
            {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]},
        )
    token = cluster.kubectl("create", "token", name, "-n", "default").strip()
    server = {"server": cluster.place.server, "certificate-authority": str(cluster.place.keys / "ca.crt")}
    found = folder / "kubeconfig"
    found.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": server}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    return found


def test_an_account_with_the_documented_rights_runs_attempts(pods: KubernetesPlace, tmp_path: Path) -> None:
    chosen = pods.house.settings.kubernetes.model_copy(update={"kubeconfig": an_account(pods, tmp_path)})
    pods.die()
    kept, pods.house.settings = pods.house.settings, pods.house.settings.model_copy(update={"kubernetes": chosen})
    try:
        pods.begin_life()
        pods.open_door()
        assert pods.submit(shell("exit 3")).ends() == ("exited", 3)
        told = follow(pods.backend, pods.launch(shell("sleep 300")))
        assert told.started.wait(60)
        pods.backend.cancel(told.attempt)
        assert told.ends() == ("canceled", None)
    finally:
        pods.die()
        pods.house.settings = kept
        pods.begin_life()
        pods.open_door()


def test_what_is_missing_and_may_not_be_made_is_named(pods: KubernetesPlace, tmp_path: Path) -> None:
    policy = f"strongroom-{pods.namespace}"
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    chosen = pods.house.settings.kubernetes.model_copy(update={"kubeconfig": an_account(pods, tmp_path)})
    settings = pods.house.settings.model_copy(update={"kubernetes": chosen})
    pods.cluster.ask("DELETE", f"{path}/{policy}")
    try:
        with pytest.raises(NamespaceNotReady, match=f"ValidatingAdmissionPolicy {policy} may not be written"):
            open_pods(settings)
    finally:
        objects = pods.scheduler._objects
        ready(Api(pods.house.settings.kubernetes), pods.namespace, objects)
    assert pods.cluster.ask("GET", f"{path}/{policy}")


def test_what_somebody_weakened_is_put_right_at_the_next_start(pods: KubernetesPlace) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{pods.namespace}/networkpolicies/deny-all"
    weak = pods.cluster.ask("GET", path)
    pods.cluster.ask("PUT", path, {**weak, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})
    namespace = f"/api/v1/namespaces/{pods.namespace}"
    unlabelled = pods.cluster.ask("GET", namespace)
    unlabelled["metadata"]["labels"].pop("pod-security.kubernetes.io/enforce")
    pods.cluster.ask("PUT", namespace, unlabelled)
    ready(Api(pods.house.settings.kubernetes), pods.namespace, pods.scheduler._objects)
    assert pods.cluster.ask("GET", path)["spec"]["policyTypes"] == ["Ingress", "Egress"]
    labels = pods.cluster.ask("GET", namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_second_start_changes_nothing(pods: KubernetesPlace) -> None:
    def versions() -> list[str]:
        kinds = ("configmaps", "serviceaccounts", "resourcequotas", "limitranges")
        found = [pods.cluster.ask("GET", f"/api/v1/namespaces/{pods.namespace}/{kind}")["items"] for kind in kinds]
        policies = pods.cluster.ask("GET", f"/apis/networking.k8s.io/v1/namespaces/{pods.namespace}/networkpolicies")
        return [
            json.dumps([one["metadata"]["name"], one["metadata"].get("generation"), one.get("spec")])
            for items in (*found, policies["items"])
            for one in items
        ]

    before = versions()
    again: Pods = open_pods(pods.house.settings)
    assert versions() == before
    assert again.name == "kubernetes"
