"""A namespace of a real Kubernetes cluster where attempts are pods, and a dispatcher's part that can die."""

import shutil
import socket
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from backend_house import House, Told, eventually, follow
from launcher_lab import built
from sandbox_lab import LOADER
from services.kubernetes import Cluster

from demo.people import node_image
from demo.stage import free_port
from strongroom.clusters import Kubernetes, Nodes
from strongroom.networks import Federation
from strongroom.storage import Objects
from tes.backends import Launch
from tes.backends.kubernetes.api import Api, Object
from tes.backends.kubernetes.pod_spec import name_of
from tes.backends.kubernetes.pods import Pods, open_pods
from tes.backends.remote import Remote
from tes.backends.schedulers import SchedulerUnavailable
from tes.node_door import NodeDoor

REPOSITORY = "strongroom.test/images"


class HungUp(dict[str, Any]):
    """The verbs of a dispatcher that is dead: its connections end."""

    def get(self, key: str, default: Any = None) -> Any:
        """Hang up."""
        raise ConnectionError


class Silent:
    """The cluster, as a dispatcher that is dead hears of it."""

    def __init__(self, scheduler: Pods) -> None:
        self.pause = scheduler.pause

    def everything(self) -> tuple[str, ...]:
        """Find nothing to kill."""
        return ()


class KubernetesPlace:
    """A namespace of a cluster, and a dispatcher's part that can die."""

    name = "kubernetes"

    def __init__(self, house: House, cluster: Cluster, image: str) -> None:
        self.house = house
        self.cluster = cluster
        self.image = image
        self.namespace = house.settings.kubernetes.namespace
        self.backend: Remote
        self.scheduler: Pods
        self._nodes: NodeDoor
        self._door: socket.socket
        (house.settings.home / "objects").rmdir()
        (house.settings.home / "objects").symlink_to(house.lab.bodies)
        self.begin_life()
        self.open_door()

    def begin_life(self) -> None:
        """Be a dispatcher's part anew, with nothing but the rows."""
        self.scheduler = open_pods(self.house.settings)
        self.backend = Remote(self.scheduler, self.house.pledges, self.house.signer, stuck_seconds=3)

    def open_door(self) -> None:
        """Let pods in."""
        self.backend.sweep()
        self._nodes = NodeDoor(self.house.settings, self.backend, self.house.pledges)
        self._door = self._nodes.open()

    def die(self) -> None:
        """Forget everything and answer nobody, as a dispatcher that was killed."""
        self.backend._live.clear()
        self.backend._scheduler = Silent(self.scheduler)  # its threads live on
        self._nodes._verbs = HungUp()
        self._door.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() does not notice a close
        self._door.close()

    def launch(self, *commands: Sequence[str], images: Sequence[str] = (), **changes: Any) -> Any:
        """Return an attempt that was not handed in; `images` are digests, one an executor."""
        for given in changes.get("inputs", ()):
            if "object" in given and self.house.settings.objects.store == "folder":
                self.keep_body(Path(given["body"]), given["object"])
        each = images or [self.image] * len(commands)
        plan = {"image": self.image, "executors": [{"image": one} for one in each], **changes.pop("plan", {})}
        rest = {"code_mounts": [], **changes}
        commands = tuple(map(in_the_image, commands))
        return self.house.launch(self.name, Path("/run/broker.sock"), *commands, plan=plan, **rest)

    def keep_body(self, body: Path, name: str) -> None:
        """Put a sealed body where the door for nodes looks for it."""
        kept = self.house.lab.bodies / name[:2] / name
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(body, kept)

    def submit(self, *commands: Sequence[str], **changes: Any) -> Told:
        """Start an attempt."""
        return follow(self.backend, self.launch(*commands, **changes))

    def another_life(self, *left: Told) -> list[Told]:
        """Kill the dispatcher and start another, which takes up what it left."""
        self.die()
        self.begin_life()
        followed = [follow(self.backend, told.launch, resumed=True) for told in left]
        self.open_door()
        return followed

    @contextmanager
    def answers_are_lost(self) -> Iterator[None]:
        """Lose the API server's answers to what is made."""
        api = self.scheduler._api
        self.scheduler._api = Loses(api)  # type: ignore[assignment]
        try:
            yield
        finally:
            self.scheduler._api = api

    def copies(self, attempt: str) -> int:
        """Return how many pods there ever were of the attempt."""
        found = self.cluster.ask("GET", f"/api/v1/namespaces/{self.namespace}/events")["items"]
        made = (event["involvedObject"] for event in found if event["reason"] == "Scheduled")
        return len({one["uid"] for one in made if one["name"] == name_of(attempt)})

    def start_again(self, launch: Launch) -> None:
        """Hand it in a second time: there is no other way to have a pod twice."""
        self.scheduler.place(launch)

    def all_is_over(self, attempt: str) -> None:
        """Wait until there is no pod of it any more."""
        eventually(lambda: name_of(attempt) not in str(self.pods()), "its pod stays", within=60)

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of the namespace."""
        found = self.cluster.ask("GET", f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return list(found)


@dataclass(frozen=True)
class Loses:
    """An API server that does what it is asked, and whose answers to that do not come back."""

    api: Api

    def ask(self, method: str, path: str, body: Object | None = None, **query: str) -> Object:
        """Ask; say nothing of what was made."""
        answer = self.api.ask(method, path, body, **query)
        if method == "POST" and path.endswith("/pods"):
            raise SchedulerUnavailable("lost")
        return answer

    def events(self, path: str, **query: Any) -> Iterator[Object]:
        """Watch."""
        return self.api.events(path, **query)


def in_the_image(command: Sequence[str]) -> Sequence[str]:
    """Return a command for the image's own Python in place of this host's, which no pod has."""
    if command[0] in LOADER.values():
        return ["/usr/bin/python3", *command[command.index("-S") :]]
    return command


def import_layout(cluster: Cluster, layout: Path) -> str:
    """Bring an OCI layout to the node; return its digest."""
    archive = cluster.place.folder / f"{layout.name}.tar"
    with tarfile.open(archive, "w") as packed:
        for path in sorted(layout.rglob("*")):
            packed.add(path, path.relative_to(layout), recursive=False)
    return cluster.import_image(archive, REPOSITORY).rpartition("@")[2]


def settings_of(cluster: Cluster, image: str, **more: Any) -> Kubernetes:
    """Return settings for a namespace of its own."""
    given = {
        "kubeconfig": cluster.kubeconfig,
        "namespace": f"tasks-{uuid.uuid4().hex[:8]}",
        "repository": REPOSITORY,
        "node_image": f"{REPOSITORY}@{image}",
        "launcher": built(),
        **more,
    }
    return Kubernetes(**given)


def open_place(request: pytest.FixtureRequest, folder: Path, **more: Any) -> AbstractContextManager[KubernetesPlace]:
    """Return the place in the cluster of all tests."""
    return place_in(request.getfixturevalue("cluster"), folder, **more)


@contextmanager
def place_in(cluster: Cluster, folder: Path, **more: Any) -> Iterator[KubernetesPlace]:
    """Return the place in a cluster."""
    image = import_layout(cluster, node_image())
    nodes = Nodes(host=cluster.place.host, port=free_port())
    rest = {"objects": more.pop("objects", Objects()), "federation": more.pop("federation", Federation())}
    house = House(folder, kubernetes=settings_of(cluster, image, **more), nodes=nodes, **rest)
    place = KubernetesPlace(house, cluster, image)
    try:
        yield place
    finally:
        place.die()
        house.close()
