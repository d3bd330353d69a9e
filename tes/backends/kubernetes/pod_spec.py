"""Writes the pod of one attempt: nothing in it says what the task does (T26) (pure)."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.pod import places
from sandbox.pod.places import Site
from strongroom.clusters import Kubernetes
from tes.backends import Launch
from tes.backends.schedulers import SchedulerRefused

Object = dict[str, Any]
ATTEMPT: Final = "strongroom.attempt"
OURS: Final = {"app.kubernetes.io/managed-by": "strongroom"}
ACCOUNT: Final = "strongroom-task"
GRACE: Final = 10  # seconds between the kubelet's SIGTERM and its SIGKILL
_TOKEN_SECONDS: Final = 600  # the shortest that there is
_AFTER_THE_DEADLINE: Final = 120  # for a launcher that was killed, and for sealing
_PYTHON: Final = 96 << 20  # memory of our own containers, beside what they lay into volumes
_CODE: Final = 64 << 20  # most that code folders hold, and their archive for a moment
_PAGE: Final = 4096
_OUR_CPU: Final = 10  # thousandths of a core kept free for each container of ours
_ORDER: Final = 5 << 20  # most of one executor's order, and what else is in its folder
_HANDOVER: Final = 4 << 20


@dataclass(frozen=True)
class StoreAt:
    """Where pods reach the object store: the name that its certificate has, its port, and its addresses."""

    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Surroundings:
    """What all pods of one Strongroom share: the door, the names of the two ConfigMaps, and the object store."""

    settings: Kubernetes
    host: str
    port: int
    launcher: str
    launcher_sha256: str
    ca: str
    store: StoreAt | None = None


def name_of(attempt: str) -> str:
    """Return the name of an attempt's pod: there can be one only."""
    return f"task-{attempt}"


def pod_of(launch: Launch, around: Surroundings) -> Object:
    """Return the pod of an attempt; raises `SchedulerRefused` for what pods cannot give."""
    spec = json.loads(launch.spec)
    _check_possible(spec, around.settings)
    uid, executors = spec["uid"], launch.plan["executors"]
    site = Site(launch.attempt, around.host, around.port, around.launcher_sha256)
    sizes = Sizes.of(spec)
    settings = around.settings
    runsc = spec.get("walls") == "runsc"
    runtime = settings.runtime_class_of_runsc if runsc else settings.runtime_class
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": GRACE,
        "activeDeadlineSeconds": math.ceil(
            spec["limits"]["wall_seconds"] + settings.start_seconds + _AFTER_THE_DEADLINE
        ),
        "securityContext": {"fsGroup": uid, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": settings.node_selector,
        "tolerations": [_toleration(one.model_dump()) for one in settings.tolerations],
        "containers": [
            _our_container("stage", site, around, user=places.STAGE_UID, group=uid, memory=sizes.stage),
            *(
                _executor(number, image, spec, around, sizes=sizes)
                for number, image in enumerate(_images(launch, settings))
            ),
            _our_container("seal", site, around, user=uid, group=uid, memory=sizes.seal),
        ],
        "volumes": _volumes(around, sizes, executors=len(executors)),
    }
    if runtime:
        pod["runtimeClassName"] = runtime
    if around.store is not None and around.store.host not in around.store.addresses:
        # In place of DNS, which is one more way out.
        pod["hostAliases"] = [{"ip": one, "hostnames": [around.store.host]} for one in around.store.addresses]
    labels = {**OURS, ATTEMPT: launch.attempt}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name_of(launch.attempt), "labels": labels},
        "spec": pod,
    }


@dataclass(frozen=True)
class Sizes:
    """Bytes: of volumes, and of what each container may use; a volume counts for who writes into it."""

    work: int
    log_bytes: int
    stage: int
    executor: int
    seal: int

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> "Sizes":
        """Return what a spec asks for."""
        limits = spec["limits"]
        sizes = [_size_of(given) for given in spec["inputs"]]
        inputs = sum(-(-size // _PAGE) * _PAGE for size in sizes)
        words = len(json.dumps(spec)) + _HANDOVER
        control = 2 * limits["log_bytes"] + _ORDER
        return cls(
            work=inputs + limits["scratch_bytes"],
            log_bytes=limits["log_bytes"],
            stage=_PYTHON + inputs + _CODE + words + _ORDER * len(spec["executors"]),
            executor=limits["memory_bytes"] + limits["scratch_bytes"] + control,
            seal=_PYTHON + words,
        )


def _size_of(given: Mapping[str, Any]) -> int:
    """Return the most bytes that an input is: of one of another site no more is known."""
    if "content" in given:
        return len(given["content"])
    return int(given["size"] if "size" in given else given["most"])


def _check_possible(spec: Mapping[str, Any], settings: Kubernetes) -> None:
    if spec.get("writable_root"):
        raise SchedulerRefused("Tasks cannot change their image here; write below /run/work or /tmp.")
    if spec.get("scratch", {}).get("driver", "tmpfs") != "tmpfs":
        raise SchedulerRefused("Scratch is memory here; ask for less disk_gb.")
    if spec.get("loopback"):
        raise SchedulerRefused("Tasks cannot speak TCP with themselves here; ask the operator to turn it off.")
    if spec.get("walls") == "runsc" and not settings.runtime_class_of_runsc:
        raise SchedulerRefused("This data needs walls that the cluster does not offer; ask the operator.")


def _images(launch: Launch, settings: Kubernetes) -> Sequence[str]:
    """Return each executor's image by digest: a tag may mean something else tomorrow."""
    return [f"{settings.repository}@{one['image']}" for one in launch.plan["executors"]]


def _executor(number: int, image: str, spec: Mapping[str, Any], around: Surroundings, *, sizes: Sizes) -> Object:
    volumes: Sequence[str] = spec.get("volumes", ())
    words = [places.LAUNCHER, str(around.settings.start_seconds), places.OWN]
    mounts: list[Object] = [
        {"name": "work", "mountPath": places.VOLUME},
        *([] if places.TMP in volumes else [{"name": "work", "mountPath": places.TMP, "subPath": "tmp"}]),
        {"name": "work", "mountPath": places.SHM, "subPath": "shm"},
        *(
            {"name": "work", "mountPath": path, "subPath": f"{places.VOLUMES}/{place}"}
            for place, path in enumerate(volumes)
        ),
        {"name": "control", "mountPath": places.CONTROL, "readOnly": True},
        {"name": "control", "mountPath": places.OWN, "subPath": str(number)},
        _launcher_mount(),
        *(
            {"name": "code", "mountPath": mount["path"], "subPath": str(place), "readOnly": True}
            for place, mount in enumerate(spec["code_mounts"])
        ),
    ]
    # They run one after the other: only the first keeps its share free. In sum the pod asks for the task's cores.
    uid, cores = spec["uid"], math.ceil(spec["limits"]["cpu_cores"] * 1000)
    limits = {"cpu": f"{cores}m", "memory": str(sizes.executor)}
    kept = max(1, cores - 2 * _OUR_CPU - (len(spec["executors"]) - 1))
    requests = {"cpu": f"{kept}m", "memory": str(sizes.executor)} if number == 0 else {"cpu": "1m", "memory": "1Mi"}
    return {
        **_container(f"executor-{number}", image, mounts, user=uid, group=uid),
        "command": [*words, places.VOLUME, places.TMP, places.SHM, *volumes],
        "resources": {"limits": limits, "requests": requests},
    }


def _our_container(name: str, site: Site, around: Surroundings, *, user: int, group: int, memory: int) -> Object:
    mounts: list[Object] = [
        {"name": "work", "mountPath": places.VOLUME},
        {"name": "control", "mountPath": places.CONTROL},
        {"name": "keys", "mountPath": places.KEYS},
        {"name": "ca", "mountPath": _folder(places.CA), "readOnly": True},
    ]
    if name == "stage":
        mounts += [
            {"name": "code", "mountPath": places.CODE},
            {"name": "token", "mountPath": _folder(places.TOKEN), "readOnly": True},
            _launcher_mount(),
        ]
    return {
        **_container(name, around.settings.node_image, mounts, user=user, group=group),
        "command": ["/usr/bin/python3", "-P", "-B", "-m", "sandbox.pod", name, site.words()],
        "resources": {
            "limits": {"cpu": "1", "memory": str(memory)},
            "requests": {"cpu": f"{_OUR_CPU}m", "memory": str(memory)},
        },
    }


def _container(name: str, image: str, mounts: Sequence[Object], *, user: int, group: int) -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": group,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": list(mounts),
    }


def _volumes(around: Surroundings, sizes: Sizes, *, executors: int) -> list[Object]:
    token = {"audience": places.AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    control = executors * (2 * sizes.log_bytes + _ORDER)
    return [
        _memory("work", sizes.work),
        _memory("control", control),
        _memory("keys", sizes.seal),
        _memory("code", _CODE),
        {"name": "launcher", "configMap": {"name": around.launcher, "defaultMode": 0o555}},
        {"name": "ca", "configMap": {"name": around.ca, "defaultMode": 0o444}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 0o440}},
    ]


def _memory(name: str, size: int) -> Object:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}}


def _launcher_mount() -> Object:
    return {"name": "launcher", "mountPath": _folder(places.LAUNCHER), "readOnly": True}


def _toleration(one: Mapping[str, str]) -> Object:
    found = {name: value for name, value in one.items() if value}
    return {**found, "operator": "Equal" if one["value"] else "Exists"}


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
