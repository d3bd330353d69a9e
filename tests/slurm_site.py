"""A whole Strongroom whose tasks run on a real SLURM cluster."""

import json
from pathlib import Path

from backend_house import free_port
from services.slurm import USERS, Slurm
from site_of_tests import Site


def slurm_site(home: Path, cluster: Slurm) -> Site:
    """Return a site, not yet open, whose jobs belong to the first of the cluster's users."""
    said = {
        "TES__BACKEND": "slurm",
        "NODES__PORT": str(free_port()),
        "SLURM__DRIVER": "cli",
        "SLURM__CONF": str(cluster.conf),
        "SLURM__USERS": json.dumps({"cohort": USERS[0]}),
        "SLURM__AGENT": str(cluster.agent),
        "SLURM__JOINER": str(cluster.joiner),
        "WES__JOBS": "32",
    }
    return Site(home, **{f"STRONGROOM_{name}": value for name, value in said.items()})


def start_agents(site: Site, cluster: Slurm) -> None:
    """Let each node in, as an operator does, and start its agent."""
    for node in cluster.nodes:
        site.stage.run("node", "add", node, "--out", str(cluster.papers_of(node)))
        cluster.start_agent(node, f"127.0.0.1:{site.stage.settings.nodes.port}")
