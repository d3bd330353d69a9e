"""The place of the suite for backends where attempts are jobs of a real SLURM cluster, with an agent on each node."""

import pwd
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backend_house import PROJECT, House, Told, eventually, follow
from services.slurm import USERS, Slurm

from demo.stage import free_port
from strongroom.clusters import Nodes
from strongroom.clusters import Slurm as Site
from strongroom.networks import Federation
from strongroom.storage import Objects
from tes import node_keys
from tes.backends import Launch
from tes.backends.remote import Remote
from tes.backends.slurm import scripts
from tes.backends.slurm.cli import Cli
from tes.backends.slurm.client import Job, JobState, SlurmClient, SlurmUnavailable
from tes.backends.slurm.jobs import open_jobs
from tes.backends.slurm.states import ENDED
from tes.node_door import NodeDoor

OTHER_PROJECT = "other"


class Mortal(NodeDoor):
    """A door for nodes whose lines can be cut, as the kernel cuts those of a process that was killed."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.lines: list[socket.socket] = []

    def cut(self) -> None:
        """Cut them."""
        for line in self.lines:
            with suppress(OSError), line:
                line.shutdown(socket.SHUT_RDWR)

    def _converse(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self.lines.append(raw.dup())
        super()._converse(raw, context)


class SlurmPlace:
    """A cluster, and a dispatcher's part that can die."""

    name = "slurm"

    def __init__(self, house: House, cluster: Slurm) -> None:
        self.house = house
        self.cluster = cluster
        self.backend: Remote
        self._nodes: Mortal
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
        self.scheduler = open_jobs(settings, pledges.owners)
        self.backend = Remote(self.scheduler, pledges, self.house.signer, stuck_seconds=3)

    def open_door(self) -> None:
        """Let nodes in."""
        self.backend.sweep()
        self._nodes = Mortal(self.house.settings, self.backend, self.house.pledges)
        self._door = self._nodes.open()

    def die(self) -> None:
        """Forget everything and answer nobody, as a dispatcher that was killed."""
        self.backend._live.clear()
        self._door.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept() does not notice a close
        self._door.close()
        self._nodes.cut()

    def launch(self, *commands: Sequence[str], **changes: Any) -> Launch:
        """Return an attempt that was not handed in."""
        return self.house.launch(self.name, self.cluster.agent / "broker.sock", *commands, **changes)

    def submit(self, *commands: Sequence[str], **changes: Any) -> Told:
        """Start an attempt."""
        return follow(self.backend, self.launch(*commands, **changes))

    def another_life(self, *left: Told, dead: bool = False) -> list[Told]:
        """Kill the dispatcher, unless it is dead, and start another, which takes up what it left."""
        if not dead:
            self.die()
        self.begin_life()
        followed = [follow(self.backend, told.launch, resumed=True) for told in left]
        self.open_door()
        return followed

    @contextmanager
    def answers_are_lost(self) -> Iterator[None]:
        """Lose SLURM's answers to what is submitted."""
        client = self.scheduler._client
        self.scheduler._client = Loses(client)
        try:
            yield
        finally:
            self.scheduler._client = client

    def copies(self, attempt: str) -> int:
        """Return how many jobs SLURM has of the attempt."""
        return len(self.jobs_of(attempt))

    def jobs_of(self, attempt: str) -> list[JobState]:
        """Return SLURM's jobs of the attempt, oldest first."""
        since = datetime.now(UTC) - timedelta(hours=1)
        return sorted(Cli(self.cluster.conf).find({f"tes-{attempt}": USERS[0]}, since=since), key=lambda job: job.id)

    def start_again(self, launch: Launch) -> None:
        """Have a second job of the attempt, which waits for the first; and a second stub at its place, at once."""
        (first,) = self.jobs_of(launch.attempt)
        Cli(self.cluster.conf).submit(scripts.job(launch, user=USERS[0], site=self.house.settings.slurm))
        assert self.stub(launch.attempt, node=first.nodes).wait(20) == 0

    def stub(self, attempt: str, *, node: str, user: str = USERS[0]) -> "subprocess.Popen[bytes]":
        """Start a stub on a node, as its job would."""
        sock = self.cluster.home / "nodes" / node / "run" / "join.sock"
        who = pwd.getpwnam(user)
        words = [str(self.cluster.joiner), str(sock), attempt]
        return subprocess.Popen(words, user=who.pw_uid, group=who.pw_gid, extra_groups=[])

    def all_is_over(self, attempt: str) -> None:
        """Wait until every job of the attempt has ended, a second one without having run anything."""
        jobs = eventually(lambda: _ended(self.jobs_of(attempt)), "a job does not end")
        assert all((job.state, job.exit_code) == ("COMPLETED", 0) for job in jobs[1:])


def _ended(jobs: list[JobState]) -> list[JobState] | None:
    return jobs if all(job.state in ENDED for job in jobs) else None


@dataclass(frozen=True)
class Loses:
    """A client whose jobs go in, and whose answers do not come back."""

    client: SlurmClient

    def submit(self, job: Job) -> int:
        """Submit, and do not say so."""
        self.client.submit(job)
        raise SlurmUnavailable("Socket timed out on send/recv operation")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


@contextmanager
def open_rest_place(request: pytest.FixtureRequest, folder: Path) -> Iterator[SlurmPlace]:
    """Return a place that is spoken to through slurmrestd."""
    cluster: Slurm = request.getfixturevalue("slurm")
    tokens = folder / "tokens"
    tokens.mkdir(mode=0o700)
    for user in USERS:
        (tokens / user).write_text(cluster.token(user, 3600))
    more = {"driver": "rest", "rest_url": cluster.rest_url, "rest_user": USERS[0], "tokens": tokens}
    with open_place(request, folder, **more) as place:
        yield place


@contextmanager
def open_place(request: pytest.FixtureRequest, folder: Path, **more: Any) -> Iterator[SlurmPlace]:
    """Return the place."""
    cluster: Slurm = request.getfixturevalue("slurm")
    objects, federation = more.pop("objects", Objects()), more.pop("federation", Federation())
    site = Site(
        conf=cluster.conf,
        users={PROJECT: USERS[0], OTHER_PROJECT: USERS[1]},
        agent=cluster.agent,
        joiner=cluster.joiner,
        pause_seconds=0.2,
        options=("constraint", "partition", "time"),
        **{"driver": "cli", **more},
    )
    house = House(folder, slurm=site, objects=objects, federation=federation, nodes=Nodes(port=free_port()))
    place = SlurmPlace(house, cluster)
    place.open_door()
    try:
        yield place
    finally:
        place.die()
        cluster.stop_agents()
        house.close()
