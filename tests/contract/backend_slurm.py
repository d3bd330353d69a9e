"""The place of the suite for backends where attempts are jobs of a real SLURM cluster, with an agent on each node."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from backend_house import PROJECT, House, Told, follow, free_port
from services.slurm import USERS, Slurm

from strongroom.settings import Nodes
from strongroom.settings import Slurm as Site
from tes import node_keys
from tes.backends.remote import Remote
from tes.backends.slurm.jobs import open_jobs
from tes.node_door import NodeDoor

OTHER_PROJECT = "other"


class SlurmPlace:
    """A cluster, and a dispatcher's part that can die."""

    name = "slurm"

    def __init__(self, house: House, cluster: Slurm) -> None:
        self.house = house
        self.cluster = cluster
        self.backend: Remote
        self._door: socket.socket
        for node in cluster.nodes:
            node_keys.admit(house.settings.home / "nodes", node, cluster.papers_of(node))
        self.begin_life()
        self.start_agents()

    def start_agents(self) -> None:
        """Start an agent on each node."""
        for node in self.cluster.nodes:
            self.cluster.start_agent(node, f"127.0.0.1:{self.house.settings.nodes.port}")

    def begin_life(self) -> None:
        """Be a dispatcher's part anew, with nothing but the rows."""
        settings, pledges = self.house.settings, self.house.pledges
        self.scheduler = open_jobs(settings, pledges.projects)
        self.backend = Remote(self.scheduler, pledges, self.house.signer, stuck_seconds=3)

    def open_door(self) -> None:
        """Let nodes in."""
        self.backend.sweep()
        self._door = NodeDoor(self.house.settings, self.backend, self.house.pledges).open()

    def die(self) -> None:
        """Forget everything and answer nobody, as a dispatcher that was killed."""
        self.backend._live.clear()
        # A thread waits in accept() on the same file: only a shutdown makes it end.
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def launch(self, *commands: Sequence[str], **changes: Any) -> Any:
        """Return an attempt that was not handed in."""
        return self.house.launch(self.name, self.cluster.agent / "broker.sock", *commands, **changes)

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
def open_place(request: pytest.FixtureRequest, folder: Path, **more: Any) -> Iterator[SlurmPlace]:
    """Return the place."""
    cluster: Slurm = request.getfixturevalue("slurm")
    site = Site(
        driver="cli",
        conf=cluster.conf,
        users={PROJECT: USERS[0], OTHER_PROJECT: USERS[1]},
        agent=cluster.agent,
        joiner=cluster.joiner,
        pause_seconds=0.2,
        options=("constraint", "partition"),
        **more,
    )
    house = House(folder, slurm=site, nodes=Nodes(port=free_port()))
    place = SlurmPlace(house, cluster)
    place.open_door()
    try:
        yield place
    finally:
        place.die()
        cluster.stop_agents()
        house.close()
