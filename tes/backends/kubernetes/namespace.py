"""Says what the namespace of task pods must have, and sees to it that it has."""

import base64
import hashlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from strongroom.clusters import Kubernetes
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from tes.backends.kubernetes.api import Api, Refusal
from tes.backends.kubernetes.pod_spec import ACCOUNT, OURS, StoreAt

Object = dict[str, Any]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
_LARGEST_CONFIG_MAP: Final = 1 << 20
_PATHS: Final[Mapping[str, str]] = {
    "Namespace": "/api/v1/namespaces",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "LimitRange": "/api/v1/namespaces/{}/limitranges",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}
_CLAIMED_BY_NODES: Final = "'system:nodes' in request.userInfo.groups"


class NamespaceNotReady(StrongroomError):
    """The namespace lacks something that task pods need, and we may not make it."""


@dataclass(frozen=True)
class Files:
    """What pods are given from ConfigMaps, named by digest: who knows the name knows the content."""

    launcher: bytes
    ca: bytes

    @classmethod
    def read(cls, launcher: Path, ca: Path) -> "Files":
        """Read both; raises `NamespaceNotReady`."""
        try:
            found = cls(launcher.read_bytes(), ca.read_bytes())
        except OSError as error:
            raise NamespaceNotReady(f"{error.filename} is not there; `make setup` makes the launcher.") from error
        if len(found.launcher) > _LARGEST_CONFIG_MAP:
            raise NamespaceNotReady("The launcher is larger than a ConfigMap may be.")
        return found

    @property
    def launcher_sha256(self) -> str:
        """What `stage` must find (T26)."""
        return hashlib.sha256(self.launcher).hexdigest()

    @property
    def launcher_name(self) -> str:
        """The launcher's ConfigMap."""
        return f"launcher-{self.launcher_sha256[:40]}"

    @property
    def ca_name(self) -> str:
        """The ConfigMap of the CA of the door for nodes."""
        return f"door-{hashlib.sha256(self.ca).hexdigest()[:40]}"


def store_at(settings: Settings) -> StoreAt | None:
    """Return where pods reach the object store; None where bodies come by the door. Raises `NamespaceNotReady`."""
    if settings.objects.store == "folder":
        return None
    host, port = settings.objects.s3.reached_at
    try:
        return StoreAt(host, port, (str(ipaddress.ip_address(host)),))
    except ValueError as error:
        if not settings.objects.s3.addresses:
            raise NamespaceNotReady(
                "objects.s3.addresses: the IP addresses of the S3 endpoint; pods ask no DNS."
            ) from error
    return StoreAt(host, port, tuple(map(str, settings.objects.s3.addresses)))


def wanted(
    settings: Kubernetes,
    files: Files,
    *,
    host: str,
    port: int,
    store: StoreAt | None = None,
    outside: Sequence[str] = (),
) -> list[Object]:
    """Return everything that must be there, in the order in which it can be made (pure)."""
    name = settings.namespace
    return [
        _object("Namespace", "v1", name, {}, labels={**RESTRICTED, **OURS}),
        *_admission(name),
        _object("ServiceAccount", "v1", ACCOUNT, {"automountServiceAccountToken": False}),
        *_network(host, port),
        *_to_the_store(store),
        *_to_other_sites(outside),
        _object("ResourceQuota", "v1", "tasks", {"spec": {"hard": _quota(settings)}}),
        _object("LimitRange", "v1", "tasks", {"spec": {"limits": [_LIMITS]}}),
        _object("ConfigMap", "v1", files.launcher_name, _binary("launcher", files.launcher)),
        _object("ConfigMap", "v1", files.ca_name, _binary("ca.pem", files.ca)),
    ]


def _quota(settings: Kubernetes) -> Object:
    # A Secret would be a key in etcd; nothing here needs one, or a way in.
    return {"pods": str(settings.pods), "secrets": "0", "services": "0", "persistentvolumeclaims": "0"}


_LIMITS: Final = {
    "type": "Container",
    "default": {"cpu": "1", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    "defaultRequest": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "1Mi"},
}


def _network(host: str, port: int) -> Iterator[Object]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise NamespaceNotReady("nodes.address: with Kubernetes the door is an IP address and a port.") from error
    both = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    yield _object("NetworkPolicy", "networking.k8s.io/v1", "deny-all", {"spec": both})
    yield _egress("to-the-door", [address], port)


def _to_other_sites(networks: Sequence[str]) -> Iterator[Object]:
    """Let `stage` fetch inputs of other sites; where from, the door for nodes decides."""
    if networks:
        rule = {"to": [{"ipBlock": {"cidr": one}} for one in networks]}
        only = {"podSelector": {"matchLabels": OURS}, "policyTypes": ["Egress"], "egress": [rule]}
        yield _object("NetworkPolicy", "networking.k8s.io/v1", "to-other-sites", {"spec": only})


def _to_the_store(store: StoreAt | None) -> Iterator[Object]:
    if store is not None:
        yield _egress("to-the-store", [ipaddress.ip_address(one) for one in store.addresses], store.port)


def _egress(name: str, addresses: Sequence[Address], port: int) -> Object:
    blocks = [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}} for address in addresses]
    rule = {"to": blocks, "ports": [{"port": port, "protocol": "TCP"}]}
    only = {"podSelector": {"matchLabels": OURS}, "policyTypes": ["Egress"], "egress": [rule]}
    return _object("NetworkPolicy", "networking.k8s.io/v1", name, {"spec": only})


def _admission(namespace: str) -> Iterator[Object]:
    """T26: nobody enters or changes a task pod; T1: nobody but a kubelet has tokens of the pods' account made."""
    kind, name = "admissionregistration.k8s.io/v1", f"strongroom-{namespace}"
    rules = [
        _rule(["CONNECT"], "pods/exec", "pods/attach", "pods/portforward", "pods/proxy"),
        _rule(["UPDATE"], "pods", "pods/ephemeralcontainers", "pods/resize"),
        _rule(["CREATE"], "serviceaccounts/token"),
    ]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules, "matchPolicy": "Equivalent"},
        "validations": [
            {
                "expression": f"request.resource.resource == 'serviceaccounts' && {_CLAIMED_BY_NODES}",
                "message": "Nobody enters or changes a task's pod, or speaks for it.",
                "reason": "Forbidden",
            }
        ],
    }
    yield _object("ValidatingAdmissionPolicy", kind, name, {"spec": spec})
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": only}
    yield _object("ValidatingAdmissionPolicyBinding", kind, name, {"spec": binding})


def _rule(operations: list[str], *resources: str) -> Object:
    every = {"apiGroups": [""], "apiVersions": ["*"], "scope": "*"}
    return {**every, "operations": operations, "resources": list(resources)}


def _binary(name: str, content: bytes) -> Object:
    return {"immutable": True, "binaryData": {name: base64.b64encode(content).decode()}}


def _object(kind: str, version: str, name: str, rest: Object, labels: Mapping[str, str] = OURS) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": dict(labels)}, **rest}


def ready(api: Api, namespace: str, objects: list[Object]) -> None:
    """Make what is missing, renew what differs; raises `NamespaceNotReady` naming what we may not make."""
    missing = [said for one in objects if (said := _made(api, namespace, one)) is not None]
    if missing:
        raise NamespaceNotReady(f"The namespace {namespace} is not ready for tasks: {'; '.join(missing)}.")


def _made(api: Api, namespace: str, one: Object) -> str | None:
    """Return None when it is there as it must be, else what is missing."""
    path, name = _PATHS[one["kind"]].format(namespace), one["metadata"]["name"]
    try:
        found = api.ask("GET", f"{path}/{name}")
    except Refusal as error:
        if error.code != 404:
            return f"{one['kind']} {name} may not be read"
        return _tried(api, "POST", path, one)
    if _holds(found, one):
        return None
    if one.get("immutable"):
        return f"{one['kind']} {name} is another one under this name; delete it"
    version = found["metadata"]["resourceVersion"]
    renewed = {**found, **one, "metadata": {**found["metadata"], "resourceVersion": version}}
    renewed["metadata"]["labels"] = {**(found["metadata"].get("labels") or {}), **one["metadata"]["labels"]}
    return _tried(api, "PUT", f"{path}/{name}", renewed)


def _tried(api: Api, method: str, path: str, one: Object) -> str | None:
    try:
        api.ask(method, path, one)
    except Refusal as error:
        if error.code == 409:  # somebody else makes it at this moment
            return None
        return f"{one['kind']} {one['metadata']['name']} may not be written ({error.detail})"
    return None


def _holds(found: Any, one: Any) -> bool:
    """Say whether an object has everything that we want of it, whatever the server added."""
    match one:
        case dict():
            return isinstance(found, dict) and all(_holds(found.get(name), value) for name, value in one.items())
        case list():
            return isinstance(found, list) and len(found) == len(one) and all(map(_holds, found, one))
        case _:
            return bool(found == one)
