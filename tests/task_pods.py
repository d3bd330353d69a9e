"""Makes pods of one task for tests: stage, executors behind the launcher, seal; Pod Security `restricted`."""

import base64
import hashlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from launcher_lab import UID, built, order
from searching import attributes
from services import oci
from services.kubernetes import Cluster, Object

LAUNCHER = "/strongroom/launcher"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": UID,
    "runAsGroup": UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}


def import_busybox(cluster: Cluster) -> str:
    """Bring the image of all containers to the node; return its reference."""
    archive = cluster.place.folder / "busybox.tar"
    oci.write_archive(archive, oci.busybox())
    return cluster.import_image(archive, "strongroom.test/busybox")


def deliver_launcher(cluster: Cluster, namespace: str) -> str:
    """Put the launcher into a ConfigMap that nobody can change, named by its digest (T26)."""
    program = built().read_bytes()
    name = f"launcher-{hashlib.sha256(program).hexdigest()[:32]}"
    data = {"launcher": base64.b64encode(program).decode()}
    whole: Object = {"metadata": {"name": name}, "immutable": True, "binaryData": data}
    cluster.ask("POST", f"{namespace}/configmaps", whole)
    return name


def a_pod(
    name: str,
    executors: Sequence[bytes],
    *,
    image: str,
    launcher: str,
    stage: str = "true",
    options: Sequence[str] = (),
) -> Object:
    """Return a pod whose `stage` runs a script and gives these orders, and whose `seal` prints how each one ended."""
    give = "".join(
        f"cd /control/{n}; echo {base64.b64encode(one).decode()} | base64 -d > part && mv part order\n"
        for n, one in enumerate(executors)
    )
    folders = " ".join(f"/control/{n}" for n in range(len(executors)))
    last = len(executors) - 1
    take = f"until [ -e /control/{last}/ended ]; do usleep 5000; done; cat /control/*/ended"
    work, control = {"name": "work", "mountPath": "/work"}, {"name": "control", "mountPath": "/control"}

    def container(name: str, command: Sequence[str], *mounts: Object) -> Object:
        return {
            "name": name,
            "image": image,
            "imagePullPolicy": "Never",
            "command": list(command),
            "securityContext": RESTRICTED,
            "resources": RESOURCES,
            "volumeMounts": list(mounts),
        }

    def executor(number: int) -> Object:
        own = {"name": "control", "mountPath": "/own", "subPath": str(number)}
        program = {"name": "launcher", "mountPath": str(Path(LAUNCHER).parent), "readOnly": True}
        command = [LAUNCHER, *options, "120", "/own", "/work"]
        return container(f"executor-{number}", command, work, {**control, "readOnly": True}, own, program)

    memory = {"medium": "Memory", "sizeLimit": "16Mi"}
    volumes = [{"name": name, "emptyDir": memory} for name in ("work", "control")]
    containers = [
        container("stage", ["sh", "-c", f"mkdir -p {folders}\n{stage}\n{give}"], work, control),
        *(executor(number) for number in range(len(executors))),
        container("seal", ["sh", "-c", take], work, control),
    ]
    return {
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "dnsPolicy": "Default",
            "securityContext": {"fsGroup": UID},
            "volumes": [*volumes, {"name": "launcher", "configMap": {"name": launcher, "defaultMode": 0o555}}],
            "containers": containers,
        },
    }


def an_order(script: str, *, number: int = 0, **fields: object) -> bytes:
    """Return the order of one executor that runs a script in the shell."""
    after = f"/control/{number - 1}/ended" if number else None
    return order("sh", "-c", script, env=["PATH=/bin"], workdir="/work", after=after, **fields)


def run(cluster: Cluster, namespace: str, pod: Object) -> Object:
    """Run a pod to its end, and return it as the API server has it."""
    cluster.ask("POST", f"{namespace}/pods", pod)
    path = f"{namespace}/pods/{pod['metadata']['name']}"

    def ended() -> Object | None:
        found = cluster.ask("GET", path)
        return found if found["status"]["phase"] in {"Succeeded", "Failed"} else None

    return cluster.until(ended, f"the pod {shlex.quote(path)} ended")  # type: ignore[no-any-return]


def log(cluster: Cluster, namespace: str, pod: str, container: str) -> str:
    """Return what the kubelet kept of what a container printed."""
    answer = cluster.api.get(f"{namespace}/pods/{pod}/log", params={"container": container})
    assert answer.is_success, answer.text
    return answer.text


def places_with(canary: str, cluster: Cluster) -> set[str]:
    """Return which folders of the cluster hold these bytes, in attributes too: etcd's, the kubelet's, logs."""
    found = set()
    for folder, folders, names in os.walk(cluster.place.folder):
        for path in (Path(folder) / name for name in [*folders, *names]):
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            if canary.encode() in content or canary.encode() in attributes(path):
                found.add(str(path.relative_to(cluster.place.folder)).partition("/pods")[0])
    return found
