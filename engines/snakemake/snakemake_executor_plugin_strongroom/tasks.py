"""Turns one Snakemake job into one TES task."""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import is_flagged
from snakemake.shell import shell

from snakemake_executor_plugin_strongroom.paths import absolute, vetted_folder
from snakemake_executor_plugin_strongroom.scripts import script_call

if TYPE_CHECKING:
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow

# As bare Snakemake sets them (snakemake/shell.py), so that libraries keep to the job's threads.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
# The kernel takes 128 KiB an argument.
LONGEST_ARGUMENT = 100_000


def task_of(job: "Job", workflow: "Workflow") -> dict[str, Any]:
    """The body of createTask; the gateway adds the vetted folder and looks every path up."""
    # The name of every engine-made file is derived from its content: a resumed run asks for the same task.
    folder = absolute(workflow.workdir_init)
    command, inline = _command(job, workflow, folder / ".snakemake" / "scripts")
    code = vetted_folder(workflow)
    outputs = [f for f in job.output if not is_flagged(f, "touch")]
    return {
        "name": job.rule.name,
        "tags": {"rule": job.rule.name, "job": str(job.jobid)},
        "resources": _resources(job),
        "executors": [
            {
                "image": job.container_img_url,
                "command": command,
                "workdir": str(folder),
                "env": _environment(job),
            }
        ],
        "inputs": [_input(f) for f in job.input if not absolute(f).is_relative_to(code)] + inline,
        "outputs": [_output(f) for f in [*outputs, *job.log]],
        # Snakemake makes these itself, once the task is done.
        "touch": [str(absolute(f)) for f in job.output if is_flagged(f, "touch")],
    }


def _command(job: "Job", workflow: "Workflow", scripts: Path) -> tuple[list[str], list[dict[str, str]]]:
    if job.is_script:
        interpreter, content = script_call(job, workflow)
        return _inline(scripts, f"{job.rule.name}.{interpreter}", content, command=[interpreter])
    line = " ".join((shell._get_process_prefix("bash"), job.shellcmd, shell._process_suffix)).strip()
    if len(line.encode()) > LONGEST_ARGUMENT:
        return _inline(scripts, f"{job.rule.name}.bash", line + "\n", command=["bash"])
    return ["bash", "-c", line], []


def _inline(scripts: Path, name: str, content: str, *, command: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    path = str(scripts / f"{digest}.{name}")
    return [*command, path], [{"path": path, "content": content}]


def _input(path: str) -> dict[str, str]:
    kind = "DIRECTORY" if absolute(path).is_dir() else "FILE"
    return {"path": str(absolute(path)), "type": kind}


def _output(path: str) -> dict[str, str]:
    kind = "DIRECTORY" if is_flagged(path, "directory") else "FILE"
    return {"path": str(absolute(path)), "type": kind}


def _resources(job: "Job") -> dict[str, Any]:
    """Snakemake counts megabytes of 10^6 bytes and minutes; TES counts gigabytes, our backends seconds."""
    resources: dict[str, Any] = {"cpu_cores": job.threads}
    for ours, theirs in (("mem_mb", "ram_gb"), ("disk_mb", "disk_gb")):
        if isinstance(megabytes := job.resources.get(ours), int):
            resources[theirs] = megabytes / 1000
    if isinstance(minutes := job.resources.get("runtime"), int):
        resources["backend_parameters"] = {"walltime_seconds": str(minutes * 60)}
    return resources


def _environment(job: "Job") -> dict[str, str]:
    environment = dict.fromkeys(THREAD_VARIABLES, str(job.threads))
    folder = job.resources.get("tmpdir")
    # The engine's own default, or one that Snakemake leaves to the job ("<TBD>"), says nothing about the task's.
    if isinstance(folder, str) and folder.startswith("/") and folder != tempfile.gettempdir():
        environment |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder)
    return environment
