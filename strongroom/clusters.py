"""The settings of clusters: SLURM, Kubernetes, and the door through which their nodes reach us."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SOURCE = Path(__file__).resolve().parent.parent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Nodes(_Part):
    """The door through which nodes of a cluster reach the dispatcher; it is open with such a backend only."""

    host: str = Field("127.0.0.1", description="Address to bind.")
    port: int = Field(8443, description="TCP port; TLS by a private CA of Strongroom's own.")
    address: str = Field("", description="HOST:PORT by which nodes reach it; empty means the address it is bound to.")

    @property
    def reached_at(self) -> tuple[str, int]:
        """Host and port that nodes are told."""
        host, _, port = (self.address or f"{self.host}:{self.port}").rpartition(":")
        return host, int(port)


class Toleration(_Part):
    """A taint of nodes that task pods bear."""

    key: str = Field(description="The taint's key.")
    value: str = Field("", description="The taint's value; empty: any.")
    effect: Literal["", "NoSchedule", "NoExecute", "PreferNoSchedule"] = Field("", description="Empty: all effects.")


class Kubernetes(_Part):
    """The cluster whose pods tasks run in, with the backend `kubernetes`."""

    kubeconfig: Path | None = Field(
        None, description="How to reach the API server; by default the account of the pod that Strongroom runs in."
    )
    namespace: str = Field(
        "strongroom-tasks",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="Of task pods, and nothing else.",
    )
    repository: str = Field("", description="Where nodes have images from: REPOSITORY, without the digest.")
    node_image: str = Field(
        "",
        description="The image of our own containers: REPOSITORY@sha256:DIGEST of what `images/build.py node` makes.",
    )
    launcher: Path = Field(
        _SOURCE / ".venvs" / "launcher" / "launcher", description="The first process of executors, static."
    )
    runtime_class: str = Field("", description="RuntimeClass of task pods; empty means the nodes' default.")
    runtime_class_of_runsc: str = Field(
        "", description="RuntimeClass (gVisor, Kata) of tasks whose walls are `runsc`; empty refuses them."
    )
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have to get task pods.")
    tolerations: tuple[Toleration, ...] = Field((), description="Taints of nodes that task pods bear.")
    pods: int = Field(200, description="Most task pods at once: the namespace's quota.")
    start_seconds: int = Field(
        900, description="Longest that a pod may take to fetch its images and decrypt its inputs."
    )


class Slurm(_Part):
    """How tasks become jobs of a SLURM cluster; it counts with `tes.backend` = `slurm`."""

    driver: Literal["probe", "rest", "cli", "pyslurm"] = Field(
        "probe", description="How SLURM is spoken to; `probe` is slurmrestd where it answers, else SLURM's commands."
    )
    rest_url: str | None = Field(None, description="slurmrestd: unix:/path, https://… or http:// on this host.")
    rest_user: str = Field("strongroom", description="The user that slurmrestd is read as.")
    tokens: Path | None = Field(
        None, description="Folder of slurmrestd's tokens, a file for each user, which the site renews."
    )
    conf: Path | None = Field(None, description="The cluster's slurm.conf, if it is not where SLURM looks for it.")
    users: Mapping[str, str] = Field(
        {}, description="Project → the cluster's user that its jobs run as; a project without one gets no jobs."
    )
    options: tuple[Literal["partition", "account", "qos", "constraint", "gres", "time"], ...] = Field(
        (), description="Options of sbatch that a task may name in `backend_parameters`."
    )
    template: Path | None = Field(
        None, description="Script that jobs begin with, `#!/bin/sh` by default; our own `exec` line ends it."
    )
    joiner: Path = Field(
        Path("/usr/local/lib/strongroom/joiner"), description="On nodes: the program that a job's script becomes."
    )
    agent: Path = Field(Path("/run/strongroom"), description="On nodes: the agent's folder, with its sockets.")
    carry_minutes: int = Field(
        5,
        ge=0,
        le=1440,
        description="For so long after its begin a job takes further tasks of its project on, of the same size and "
        "wishes, and asks for so much more time; 0: a job a task.",
    )
    pause_seconds: float = Field(0.5, gt=0, description="Pause between two questions for the states of all jobs.")

    @model_validator(mode="after")
    def _a_user_is_of_one_project(self) -> "Slurm":
        # T22: what a job of one project can reach is not to be another project's.
        users = list(self.users.values())
        if len(set(users)) < len(users) or not all(_USER.fullmatch(user) and user != "root" for user in users):
            raise ValueError("slurm.users: each project has a user of its own, and none is root.")
        return self
