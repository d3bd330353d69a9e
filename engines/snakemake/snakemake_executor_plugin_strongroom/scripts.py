"""Writes the text that runs a rule's script inside its task."""

import shlex
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from snakemake.script import BashScript, get_source
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_strongroom import in_task
from snakemake_executor_plugin_strongroom.paths import absolute, vetted_folder

if TYPE_CHECKING:
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow

PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def script_call(job: "Job", workflow: "Workflow") -> tuple[str, str]:
    """The interpreter and the text it runs: the job's facts, then the vetted script at its own path."""
    source_file, _, language, is_local, _ = get_source(
        job.rule.script, workflow.sourcecache, job.rule.basedir, job.wildcards, job.params
    )
    path = absolute(source_file.get_path_or_uri(secret_free=True))
    # T23: only what the vetters signed is mounted in the task.
    if not is_local or not path.is_relative_to(vetted_folder(workflow)):
        raise WorkflowError("The script lies outside the workflow's folder: copy it into it.", rule=job.rule)
    if language == "python":
        return "python3", _python(job, workflow, path)
    if language == "bash":
        return "bash", _bash(job, workflow, source_file) + f"\nsource {shlex.quote(str(path))}\n"
    raise WorkflowError(
        f"Scripts in {language} do not run in tasks: use Python (.py), Bash (.sh) or shell:.", rule=job.rule
    )


def _python(job: "Job", workflow: "Workflow", path: Path) -> str:
    facts = {
        "named": {
            kind: _named(job, getattr(job, kind))
            for kind in ("input", "output", "params", "wildcards", "resources", "log")
        },
        "plain": {
            "threads": job.threads,
            "rule": job.rule.name,
            "config": _plain(job, workflow.globals["config"]),
            "scriptdir": str(path.parent),
            "bench_iteration": None,
        },
    }
    return f"{Path(in_task.__file__).read_text()}\n\nrun({str(path)!r}, {facts!r})\n"


def _named(job: "Job", items: Any) -> tuple[list[Any], dict[str, tuple[int, int | None]]]:
    return [_plain(job, item) for item in items], dict(items._get_names())


def _plain(job: "Job", value: Any) -> Any:
    """The value in Python's own literals: tasks have no Snakemake that could unpickle more."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, dict):
        return {_plain(job, key): _plain(job, item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        kind = list if isinstance(value, list) else tuple if isinstance(value, tuple) else set
        return kind(_plain(job, item) for item in value)
    if type(value) in PLAIN:
        return value
    # repr() of a subclass, such as Snakemake's file names, need not be a literal.
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    raise WorkflowError(
        f"A parameter of type {type(value).__name__} cannot be given to a script: use text, numbers, lists.",
        rule=job.rule,
    )


def _bash(job: "Job", workflow: "Workflow", source_file: Any) -> str:
    preamble: str = BashScript.generate_preamble(
        path=source_file,
        source="",
        basedir=job.rule.basedir,
        input_=job.input,
        output=job.output,
        params=job.params,
        wildcards=job.wildcards,
        threads=job.threads,
        resources=job.resources,
        log=job.log,
        config=workflow.globals["config"],
        rulename=job.rule.name,
        conda_env=None,
        container_img=None,
        singularity_args="",
        env_modules=None,
        bench_record=None,
        jobid=None,
        bench_iteration=None,
        cleanup_scripts=True,
        shadow_dir=None,
        is_local=True,
    )
    return preamble
