"""Turns one Snakemake job into one TES task."""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import is_flagged
from snakemake.shell import shell
from snakemake.utils import format as filled
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_strongroom.paths import absolute
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
# What a command may name of its job, whatever else has these names.
OF_A_JOB = ("input", "output", "params", "wildcards", "threads", "resources", "log", "jobid")
# The kernel takes 128 KiB an argument.
LONGEST_ARGUMENT = 100_000


# `benchmark:` is measured where the job runs; what cannot be measured without more tools in the image is NA, as
# Snakemake writes it. $1 is the file, $2 how often; then the job's own words.
# A file of its own, since gateways compare with it.
BENCHMARK = Path(__file__).with_name("benchmark.sh").read_text()


def task_of(job: "Job", workflow: "Workflow") -> dict[str, Any]:
    """The body of createTask; the gateway adds the vetted folder and looks every path up."""
    # The name of every engine-made file is derived from its content: a resumed run asks for the same task.
    folder = absolute(workflow.workdir_init)
    command, inline = _command(job, workflow, folder / ".snakemake" / "scripts")
    if job.benchmark:
        command = ["bash", "-c", BENCHMARK, "benchmark", str(job.benchmark), str(job.benchmark_repeats), *command]
    made = [*(f for f in job.output if not is_flagged(f, "touch")), *job.log]
    # Rules without a name are numbered by Snakemake; a rule's name is a word everywhere else.
    rule = job.rule.name if job.rule.name.isidentifier() else f"rule_{job.rule.name}"
    return {
        "name": rule,
        "tags": {"rule": rule, "job": str(job.jobid)},
        "resources": _resources(job),
        "executors": [
            {
                "image": job.container_img_url or "",
                "command": command,
                "workdir": str(folder),
                "env": _environment(job),
            }
        ],
        "inputs": [_input(f) for f in job.input] + inline,
        "outputs": [_output(f) for f in [*made, *([job.benchmark] if job.benchmark else [])]],
        "touch": _touched(job, workflow),
    }


def _touched(job: "Job", workflow: "Workflow") -> list[str]:
    """Empty files that Snakemake makes itself: of this job once it is done, or already of rules without a body."""
    before = [
        file
        for dependency, files in workflow.dag.dependencies[job].items()
        if dependency.is_norun
        for file in dependency.output
        if file in files and is_flagged(file, "touch")
    ]
    own = [file for file in job.output if is_flagged(file, "touch")]
    return list(dict.fromkeys(str(absolute(file)) for file in [*before, *own]))


def _command(job: "Job", workflow: "Workflow", scripts: Path) -> tuple[list[str], list[dict[str, str]]]:
    if job.is_script or job.is_wrapper:
        words, content = script_call(job, workflow, iteration=0 if job.benchmark else None)
        return _inline(scripts, f"{job.rule.name}.{words[0]}", content, command=words)
    line = " ".join((shell._get_process_prefix("bash"), _filled(job), shell._process_suffix)).strip()
    if len(line.encode()) > LONGEST_ARGUMENT:
        return _inline(scripts, f"{job.rule.name}.bash", line + "\n", command=["bash"])
    return ["bash", "-c", line], []


def _filled(job: "Job") -> str:
    """Fill a command in with what is known where its rule stands, as bare Snakemake runs it.

    job.shellcmd, which Snakemake only prints, has the configuration and the names of the outermost file instead.
    """
    words = {name: getattr(job, name) for name in OF_A_JOB}
    known = {**job.rule.run_func.__globals__, **words, "rule": job.rule.name, "bench_iteration": None}
    try:
        return str(filled(job.rule.shellcmd, **known))
    except Exception as error:  # as many as there are ways to be no name, no part or no format
        raise WorkflowError(f"{type(error).__name__}: {error}", rule=job.rule) from error


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
    environment = dict.fromkeys(THREAD_VARIABLES, str(max(1, job.threads)))
    folder = job.resources.get("tmpdir")
    # The engine's own default, or one that Snakemake leaves to the job ("<TBD>"), says nothing about the task's.
    if isinstance(folder, str) and folder.startswith("/") and folder != tempfile.gettempdir():
        environment |= dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), folder)
    return environment
