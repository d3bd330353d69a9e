"""Writes what the daemons of a test cluster read, and says how each one is started."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml
from services import oci
from services.kubernetes_keys import write_keys
from services.kubernetes_place import NODE, Place

SERVICES = "10.96.0.0/16"
PAUSE = "strongroom.test/pause"


def write(place: Place) -> None:
    """Write everything below the cluster's folder, and make its cgroups."""
    for name in ("keys", "settings", "cni", "lib/kubelet", "log/pods"):
        (place.folder / name).mkdir(parents=True)
    for source, target in place.mounts():
        if source.parent.name == "settings":
            source.write_text(Path(target).read_text())
    for folder in place.cgroups():
        folder.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty means that nobody may come in
            if (folder.parent / name).exists():
                (folder / name).write_text((folder.parent / name).read_text())
    write_keys(place)
    (place.folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(place)))
    command = ["/bin/busybox", "sleep", "2147483647"]
    digest = oci.write_archive(place.pause, {"bin/busybox": oci.BUSYBOX.read_bytes()}, command=command)
    (place.folder / "containerd.toml").write_text(_containerd(place, f"{PAUSE}@{digest}"))
    (place.folder / "cni" / "bridge.conflist").write_text(json.dumps(_network(place)))


def _kubelet(place: Place) -> dict[str, object]:
    keys = place.keys
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.node,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "tlsCertFile": str(keys / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(keys / "kubelet-server.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{place.link}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # a negative one needs CAP_SYS_RESOURCE
        "maxOpenFiles": 20000,
        "seccompDefault": True,
        "resolvConf": "",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "makeIPTablesUtilChains": False,
        "kubeAPIQPS": 100,
        "kubeAPIBurst": 200,
    }


def _containerd(place: Place, pause: str) -> str:
    return f"""\
version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
disable_hugetlb_controller = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{place.folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


def _network(place: Place) -> dict[str, object]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": place.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def command(place: Place, name: str, binary: str) -> Sequence[str]:
    """Return the command line of one daemon."""
    keys = place.keys
    as_itself = [
        f"--{what}={keys}/{name}.kubeconfig"
        for what in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    ]
    match name:
        case "etcd":
            return ["etcd", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn"]
        case "containerd":
            return ["containerd", f"--config={place.folder}/containerd.toml"]
        case "kube-apiserver":
            return [
                binary,
                name,
                "--etcd-servers=http://127.0.0.1:2379",
                f"--advertise-address={place.node}",
                "--endpoint-reconciler-type=none",
                f"--service-cluster-ip-range={SERVICES}",
                f"--client-ca-file={keys}/ca.crt",
                f"--tls-cert-file={keys}/apiserver.crt",
                f"--tls-private-key-file={keys}/apiserver.key",
                f"--kubelet-client-certificate={keys}/apiserver-kubelet.crt",
                f"--kubelet-client-key={keys}/apiserver-kubelet.key",
                f"--kubelet-certificate-authority={keys}/ca.crt",
                "--kubelet-preferred-address-types=InternalIP",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={keys}/accounts.pub",
                f"--service-account-signing-key-file={keys}/accounts.key",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--feature-gates=SizeBasedListCostEstimate=false",  # asks more of etcd than Debian's 3.4 can do
            ]
        case "kube-controller-manager":
            return [
                binary,
                name,
                *as_itself,
                f"--service-account-private-key-file={keys}/accounts.key",
                f"--root-ca-file={keys}/ca.crt",
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--allocate-node-cidrs=true",
                f"--cluster-cidr={place.pods}",
                f"--service-cluster-ip-range={SERVICES}",
            ]
        case "kube-scheduler":
            return [binary, name, *as_itself, "--leader-elect=false"]
        case _:
            return [
                binary,
                "kubelet",
                f"--config={place.folder}/kubelet.yaml",
                f"--kubeconfig={keys}/kubelet.kubeconfig",
                f"--hostname-override={NODE}",
                f"--node-ip={place.node}",
            ]
