"""Runs workflows by Nextflow."""

import json
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from strongroom.settings import Settings
from wes import nextflow_rules
from wes.engines import HOME, Folders, JobOf, Launch, write_fresh
from wes.manifest import Manifest
from wes.nextflow_settings import OWN_CONFIG, RUNTIMES

PARAMETERS, FIRST, CONFIG = "params.json", "first.config", "trusted.config"
JAVA = Path("/usr/bin/java")
CLASSES = "@/opt/classes/options"  # where jars are, and the archive of classes if this host could make one
# Groovy and Kryo look into classes of the JDK, which keeps them shut unless it is told.
_OPENED = (
    *(f"java.{package}" for package in ("lang", "io", "nio", "net", "util", "util.regex")),
    *("java.util.concurrent.locks", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.fs"),
    *("sun.net.www.protocol.http", "sun.net.www.protocol.https", "sun.net.www.protocol.file"),
    *("jdk.internal.misc", "jdk.internal.vm"),
)
JAVA_FLAGS = (
    *("-Xms32m", "-Xss1m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxMetaspaceSize=256m"),
    *(
        "-XX:-UsePerfData",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={HOME}/java.log",
        f"-Djava.io.tmpdir={HOME}",
    ),
    "-Djava.net.preferIPv4Stack=true",
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
)
# What a workflow's own configuration must not say comes after it, in a file of its own: Nextflow reads each by
# itself, the later counts, and a function of a configuration is found by that file's own code alone.
_TRUSTED = """\
process.executor = 'strongroom'
process.scratch = false
process.cache = 'standard'
executor.queueSize = {jobs}
workDir = '/run/work/work'
cleanup = false
docker.registry = ''
dag.enabled = report.enabled = timeline.enabled = trace.enabled = false
"""


class Nextflow:
    """Nextflow with our executor, in which every other executor's name means ours."""

    name = "nextflow"
    types: tuple[str, ...] = ("NFL", "NEXTFLOW")
    version = "25.04.4"
    keeps_tree = False  # the gateway knows what is complete, and a tree of a killed engine is no witness

    def write_config(self, folders: Folders, config: Mapping[str, Any], launch: Launch) -> None:
        """Write the run's checked parameters as JSON, and what Nextflow reads before and after the workflow's."""
        write_fresh(folders.config / PARAMETERS, json.dumps(dict(config), sort_keys=True))
        write_fresh(folders.config / FIRST, first_config(launch))
        write_fresh(folders.config / CONFIG, trusted_config(launch))

    def mounts(self, folders: Folders, settings: Settings) -> list[tuple[Path, str]]:
        """Return Nextflow's jars, Java's own settings, and what this run's Nextflow reads."""
        return [
            *jars(settings),
            *((folders.config / name, f"/run/{name}") for name in (PARAMETERS, FIRST, CONFIG)),
        ]

    def environment(self, launch: Launch) -> dict[str, str]:
        """Return what keeps Nextflow off the network and out of all other configuration."""
        return {
            "NXF_HOME": f"{HOME}/nextflow",
            "NXF_OFFLINE": "true",
            "NXF_ANSI_LOG": "false",
            "NXF_DISABLE_CHECK_LATEST": "true",
            "NXF_DISABLE_PARAMS_TYPE_DETECTION": "true",
            # The session's id is part of each task's hash: the next launch of this run asks for the same tasks.
            "NXF_UUID": str(uuid.UUID(hex=launch.run)),
            "STRONGROOM_SOCKET": "/run/tes.sock",
        }

    def command(self, launch: Launch, folders: Folders) -> list[str]:
        """Return Java's words and Nextflow's; all that a user or a workflow could set is set here."""
        own = [f"/run/workflow/{OWN_CONFIG}"] if (folders.workflow / OWN_CONFIG).is_file() else []
        configs = [word for one in (f"/run/{FIRST}", *own, f"/run/{CONFIG}") for word in ("-C", one)]
        heap = launch.memory // 2 >> 20
        return [
            *(str(JAVA.resolve()), f"-Xmx{heap}m", *JAVA_FLAGS),
            *(CLASSES, "strongroom.Main"),
            *("-log", f"{HOME}/nextflow.log", *configs),
            *("run", f"/run/workflow/{launch.manifest.entry}", "-w", "/run/work/work", "-ansi-log", "false"),
            *("-params-file", f"/run/{PARAMETERS}", "-name", "strongroom", "-offline"),
        ]

    def limits(self, launch: Launch) -> tuple[str, ...]:
        """Return how a process of it is limited: memory that it writes to (Java reserves far more), files."""
        return (f"--data={launch.memory}", "--nofile=4096")

    def job_of(self, manifest: Manifest, settings: Settings, config: Mapping[str, Any]) -> JobOf:  # noqa: ARG002
        """Return the rules for jobs of Nextflow, with the commands that this workflow's vetters signed."""
        return partial(nextflow_rules.job_of, is_bound=manifest.processes.is_bound)


def jars(settings: Settings) -> list[tuple[Path, str]]:
    """Return what Java and Nextflow's jars need to be seen of this host."""
    # Debian's Java has links into /etc, of which an engine sees nothing else.
    java = [path for path in sorted(Path("/etc").glob("java-*-openjdk")) if path.is_dir()]
    own = [(settings.wes.nextflow / "jars", "/opt/engine"), (settings.wes.nextflow / "classes", "/opt/classes")]
    return [*own, *((path, str(path)) for path in java)]


def first_config(launch: Launch) -> str:
    """Return the configuration before a workflow's own: the only image is that of each process without one."""
    images = launch.manifest.images
    return (
        f"process.container = {json.dumps(images[0])}\n"
        if len(images) == 1
        else "// one image is nobody's usual one\n"
    )


def trusted_config(launch: Launch) -> str:
    """Return the configuration that comes after the workflow's own."""
    return _TRUSTED.format(jobs=launch.jobs) + "".join(f"{name}.enabled = false\n" for name in RUNTIMES)
