"""Runs attempts as pods: a `Scheduler` that watches the cluster and keeps what it saw in a table."""

import threading
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import structlog

from sandbox.pod.places import AUDIENCE
from strongroom.errors import NotAllowed
from strongroom.settings import Settings
from tes import node_keys
from tes.backends import Launch
from tes.backends.kubernetes import namespace
from tes.backends.kubernetes.api import Api, Refusal, selector
from tes.backends.kubernetes.namespace import Files
from tes.backends.kubernetes.pod_spec import ACCOUNT, ATTEMPT, GRACE, OURS, Surroundings, name_of, pod_of
from tes.backends.kubernetes.states import is_busy, seen_of
from tes.backends.schedulers import Proof, SchedulerRefused, SchedulerUnavailable, Seen

Object = dict[str, Any]
WATCH_SECONDS: Final = 240
_AGAIN: Final = 1.0
_EXTRA: Final = "authentication.kubernetes.io/"
log = structlog.get_logger()


class Pods:
    """The pods of one namespace."""

    name = "kubernetes"

    def __init__(self, api: Api, around: Surroundings, objects: list[Object]) -> None:
        self._api = api
        self._around = around
        self._objects = objects
        self._path = f"/api/v1/namespaces/{around.settings.namespace}/pods"
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._pods: dict[str, Object] = {}  # by attempt
        self._uids: dict[str, str] = {}  # of the pod that is an attempt's own, as first seen in this life
        self._current = False  # whether the table is what the cluster has
        self._ready = False

    def start(self) -> None:
        """Make the namespace ready and begin to watch; raises `NamespaceNotReady` when it cannot become so."""
        try:
            self._make_ready()
        except SchedulerUnavailable as error:
            log.warning("scheduler.silent", scheduler=self.name, detail=error.detail)
        threading.Thread(target=self._watch, name="pods", daemon=True).start()

    # What `Remote` asks

    def place(self, launch: Launch) -> None:
        """Make the attempt's pod; its name makes sure that there is one only."""
        if not self._ready:
            raise SchedulerUnavailable("The cluster is not ready for tasks.")
        pod = pod_of(launch, self._around)
        try:
            self._note(self._api.ask("POST", self._path, pod))
        except Refusal as error:
            if error.code == 409 and "already exists" in str(error.detail):
                self._note(self._api.ask("GET", f"{self._path}/{name_of(launch.attempt)}"))
            elif error.code == 409 or "exceeded quota" in str(error.detail):
                raise SchedulerUnavailable("The cluster has no room now.", detail=error.detail) from error
            else:
                log.error("pod.refused", attempt=launch.attempt, detail=error.detail)
                raise SchedulerRefused("The cluster does not take this task; ask the operator.") from error

    def look(self, attempts: Collection[str]) -> Mapping[str, Seen]:
        """Return what the table says; it is of no use while the watch is broken."""
        with self._lock:
            if not self._current:
                raise SchedulerUnavailable("The cluster does not answer.", detail="no watch")
            busy = any(map(is_busy, self._pods.values()))
            return {name: seen_of(self._pods[name], busy=busy) for name in attempts if name in self._pods}

    def stop(self, attempt: str) -> None:
        """Delete the pod: the kubelet asks launchers to kill everything, and waits for that."""
        self._delete(attempt)

    def forget(self, attempt: str) -> None:
        """Delete the pod of an attempt that is over."""
        self._delete(attempt)
        with self._lock:
            self._uids.pop(attempt, None)

    def prove(self, attempt: str, proof: Proof) -> str:
        """Return the pod's node if the token is bound to that very pod, by its kubelet (T1)."""
        if not proof.token:
            raise NotAllowed("A pod proves itself by its token.")
        said = self._reviewed(proof.token)
        pod = self._own_pod(attempt)
        node = pod["spec"].get("nodeName")
        expected = {"pod-name": pod["metadata"]["name"], "pod-uid": pod["metadata"]["uid"], "node-name": node}
        account = f"system:serviceaccount:{self._around.settings.namespace}:{ACCOUNT}"
        found = {name: (said.get("extra") or {}).get(_EXTRA + name) for name in expected}
        bound = all(value and found[name] == [value] for name, value in expected.items())
        if said.get("username") != account or not bound:
            raise NotAllowed("This token is not bound to the pod of that attempt.")
        return str(node)

    def shape(self, launch: Launch) -> None:
        """Return None: each attempt has a pod of its own."""

    def carry(self, done: str, launch: Launch, proof: Proof) -> None:
        """Return None: each attempt has a pod of its own."""

    def pause(self) -> None:
        """Wait for an event, a second at most."""
        self._changed.wait(1.0)
        self._changed.clear()

    def everything(self) -> Collection[str]:
        """Return all attempts that have a pod, asked for now."""
        return list(_by_attempt(self._list()))

    # How it works

    def _make_ready(self) -> None:
        namespace.ready(self._api, self._around.settings.namespace, self._objects)
        self._ready = True

    def _delete(self, attempt: str) -> None:
        try:
            body = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": GRACE}
            self._api.ask("DELETE", f"{self._path}/{name_of(attempt)}", body)
        except Refusal as error:
            if error.code != 404:
                raise SchedulerUnavailable("The cluster does not delete a pod.", detail=error.detail) from error

    def _reviewed(self, token: str) -> Object:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status = self._api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).get("status") or {}
        if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
            raise NotAllowed("This token is not one for us.")
        return dict(status.get("user") or {})

    def _own_pod(self, attempt: str) -> Object:
        try:
            pod = self._api.ask("GET", f"{self._path}/{name_of(attempt)}")
        except Refusal as error:
            raise NotAllowed("That attempt has no pod.", detail=error.detail) from error
        with self._lock:
            first = self._uids.get(attempt)
        if first != pod["metadata"]["uid"] or pod["metadata"].get("deletionTimestamp"):
            raise NotAllowed("The pod of that attempt is not the one that was made for it.")
        return pod

    def _note(self, pod: Object) -> None:
        attempt = (pod["metadata"].get("labels") or {}).get(ATTEMPT)
        if attempt is None or pod["metadata"]["name"] != name_of(attempt):
            return
        with self._lock:
            self._uids.setdefault(attempt, pod["metadata"]["uid"])
            self._pods[attempt] = pod
        self._changed.set()

    def _watch(self) -> None:
        while True:
            try:
                if not self._ready:
                    self._make_ready()
                version = self._resync()
                while version:
                    version = self._follow(version)
            except SchedulerUnavailable as error:
                log.warning("scheduler.silent", scheduler=self.name, detail=error.detail)
            except Refusal as error:
                log.warning("watch.refused", scheduler=self.name, detail=error.detail)
            except Exception:
                log.exception("watch.failure")
            with self._lock:
                self._current = False
            time.sleep(_AGAIN)

    def _list(self) -> Object:
        return self._api.ask("GET", self._path, labelSelector=selector(OURS))

    def _resync(self) -> str:
        found = self._list()
        with self._lock:
            self._pods = _by_attempt(found)
            for attempt, pod in self._pods.items():
                self._uids.setdefault(attempt, pod["metadata"]["uid"])
            self._current = True
        self._changed.set()
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> str:
        """Take in events until the watch ends; return where to go on, empty: list again."""
        query = {
            "labelSelector": selector(OURS),
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
        }
        for event in self._api.events(self._path, seconds=WATCH_SECONDS, **query):
            kind, found = event.get("type"), event.get("object") or {}
            if kind == "ERROR":
                return ""
            version = str(found["metadata"]["resourceVersion"])
            if kind == "DELETED":
                with self._lock:
                    self._pods.pop(str((found["metadata"].get("labels") or {}).get(ATTEMPT)), None)
                self._changed.set()
            elif kind != "BOOKMARK":
                self._note(found)
        return version


def _by_attempt(found: Object) -> dict[str, Object]:
    pods = {}
    for pod in found.get("items") or ():
        attempt = (pod["metadata"].get("labels") or {}).get(ATTEMPT)
        if attempt is not None and pod["metadata"]["name"] == name_of(attempt):
            pods[attempt] = pod
    return pods


def open_pods(settings: Settings) -> Pods:
    """Return the pods of the settings' namespace, watched; raises `NamespaceNotReady`."""
    chosen = settings.kubernetes
    for name in ("repository", "node_image"):
        if not getattr(chosen, name):
            raise namespace.NamespaceNotReady(
                f"kubernetes.{name} must be set; docs/guides/kubernetes.md says to what."
            )
    keys = settings.home / "nodes"
    node_keys.make_ca(keys)
    files = Files.read(chosen.launcher, keys / "ca.pem")
    host, port = settings.nodes.reached_at
    store, outside = namespace.store_at(settings), [str(one) for one in settings.federation.input_networks]
    around = Surroundings(chosen, host, port, files.launcher_name, files.launcher_sha256, files.ca_name, store)
    pods = Pods(
        Api(chosen), around, namespace.wanted(chosen, files, host=host, port=port, store=store, outside=outside)
    )
    pods.start()
    return pods
