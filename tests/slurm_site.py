"""A whole Strongroom whose tasks run on a real SLURM cluster."""

import json
from pathlib import Path

from services.slurm import USERS, Slurm
from site_of_tests import Site

from demo.stage import Stage, free_port


def environment(cluster: Slurm, *, project: str) -> dict[str, str]:
    """Return the settings with which tasks of a project are jobs of the first of the cluster's users."""
    said = {
        "TES__BACKEND": "slurm",
        "NODES__PORT": str(free_port()),
        "SLURM__DRIVER": "cli",
        "SLURM__CONF": str(cluster.conf),
        "SLURM__USERS": json.dumps({project: USERS[0]}),
        "SLURM__AGENT": str(cluster.agent),
        "SLURM__JOINER": str(cluster.joiner),
    }
    return {f"STRONGROOM_{name}": value for name, value in said.items()}


def slurm_site(home: Path, cluster: Slurm) -> Site:
    """Return a site that is not yet open."""
    return Site(home, **environment(cluster, project="cohort"), STRONGROOM_WES__JOBS="32")


def start_agents(stage: Stage, cluster: Slurm) -> None:
    """Let each node in, as an operator does, and start its agent."""
    for node in cluster.nodes:
        stage.run("node", "add", node, "--out", str(cluster.papers_of(node)))
        cluster.start_agent(node, f"127.0.0.1:{stage.settings.nodes.port}")
