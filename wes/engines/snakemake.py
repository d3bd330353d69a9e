"""Runs workflows by Snakemake."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from strongroom.settings import Settings
from wes import bound
from wes.engines import HOME, Folders, JobOf, Launch, write_fresh
from wes.manifest import Manifest

CONFIG = "config.yaml"
PLUGIN = "snakemake_executor_plugin_strongroom"


def option_words(options: Mapping[str, str]) -> list[str]:
    """Return Snakemake's words for options that were checked (wes.options), but for the targets."""
    words = list[str]()
    if until := options.get("until"):
        words += ["--until", *until.split(",")]
    words += [f"--{name}" for name in ("keep-going", "forceall") if options.get(name) == "true"]
    return [*words, "--retries", options.get("retries") or "0"]


# Each thread that a library for numbers starts by itself, one a core, counts in an engine's memory.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Snakemake:
    """Snakemake with our executor and logger plug-ins."""

    name = "snakemake"
    types: tuple[str, ...] = ("SMK", "SNAKEMAKE")
    version = "9.27.1"
    keeps_tree = True  # --rerun-triggers mtime: what is there is not asked for again

    def write_config(self, folders: Folders, config: Mapping[str, Any], launch: Launch) -> None:  # noqa: ARG002
        """Write the run's checked parameters as the YAML that the engine reads."""
        write_fresh(folders.config / CONFIG, yaml.safe_dump(dict(config), sort_keys=True))

    def mounts(self, folders: Folders, settings: Settings) -> list[tuple[Path, str]]:
        """Return the environment, our plug-ins and the configuration."""
        return [
            (settings.wes.snakemake, "/opt/engine"),
            (settings.wes.plugins, "/opt/plugins"),
            (folders.config / CONFIG, f"/run/{CONFIG}"),
        ]

    def environment(self, launch: Launch) -> dict[str, str]:  # noqa: ARG002
        """Return what lets Python find our plug-ins."""
        return {
            "PYTHONPATH": "/opt/plugins",
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": f"{HOME}/cache",
        } | ONE_THREAD

    def command(self, launch: Launch, folders: Folders) -> list[str]:  # noqa: ARG002
        """Return Snakemake's words; all that a user or a workflow could set is set here (engines.md 4.2)."""
        asked = launch.options.get("targets")
        targets = asked.split(",") if asked else launch.manifest.targets
        return [
            *("/opt/engine/bin/python", "-P", "-m", "strongroom_engine"),
            *("-s", f"/run/workflow/{launch.manifest.entry}", "-d", "/run/work", "--configfile", f"/run/{CONFIG}"),
            *("--executor", "strongroom", "--strongroom-socket", "/run/tes.sock", "--logger", "strongroom"),
            *("--strongroom-folder", "/run/workflow", "--wrapper-prefix", "file:///run/workflow/wrappers/"),
            # Workflows may read workflow.cores; how many tasks run at once is for --jobs to say.
            *("--jobs", str(launch.jobs), "--cores", str(launch.jobs * max(1, int(launch.cores)))),
            *("--max-threads", str(max(1, int(launch.cores)))),
            *("--scheduler", "greedy", "--latency-wait", "0"),
            # --jobs is the limit: our plug-in takes this one for none.
            *("--max-jobs-per-timespan", "1000/0s"),
            *("--profile", "none", "--workflow-profile", "none", "--nolock", *option_words(launch.options)),
            *("--rerun-incomplete", "--rerun-triggers", "mtime"),
            *(("--", *targets) if targets else ()),
        ]

    def limits(self, launch: Launch) -> tuple[str, ...]:
        """Return how a process of it is limited: memory, files."""
        return (f"--as={launch.memory}", "--nofile=4096")

    def job_of(self, manifest: Manifest, settings: Settings, config: Mapping[str, Any]) -> JobOf:
        """Return the rules for jobs of Snakemake, with the commands that this workflow's vetters signed."""
        return partial(bound.job_of, manifest=manifest, config=config, written=written(settings))


def written(settings: Settings) -> bound.Written:
    """Return what our plug-in writes round a rule's own command; gateways compare with it (T18)."""
    folder = settings.wes.plugins / PLUGIN
    return bound.Written((folder / "in_task.py").read_text(), (folder / "benchmark.sh").read_text())
