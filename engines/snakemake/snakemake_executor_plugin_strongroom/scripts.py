"""Writes the text that runs a rule's script inside its task."""

import shlex
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from snakemake.script import BashScript, JuliaScript, RScript, get_source
from snakemake.sourcecache import infer_source_file
from snakemake.wrapper import get_script
from snakemake_interface_common.exceptions import WorkflowError

from snakemake_executor_plugin_strongroom import in_task
from snakemake_executor_plugin_strongroom.paths import absolute, vetted_path

if TYPE_CHECKING:
    from snakemake.jobs import Job
    from snakemake.workflow import Workflow

# Languages whose preamble of Snakemake's own needs nothing but the language: the script's text follows it.
WHOLE = {"r": (RScript, ("Rscript", "--vanilla")), "julia": (JuliaScript, ("julia",))}
PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def script_call(job: "Job", workflow: "Workflow", *, iteration: int | None = None) -> tuple[list[str], str]:
    """The interpreter's words and the text it runs: the job's facts, then the vetted script at its own path."""
    basedir = None if job.is_wrapper else job.rule.basedir
    source_file, source, language, is_local, _ = get_source(
        _named_script(job, workflow), workflow.sourcecache, basedir, job.wildcards, job.params
    )
    # T23: only what the vetters signed is mounted in the task.
    path = vetted_path(absolute(source_file.get_path_or_uri(secret_free=True)), workflow) if is_local else None
    if path is None:
        raise WorkflowError("The script lies outside the workflow's folder: copy it into it.", rule=job.rule)
    own = infer_source_file(str(path))
    if language == "python":
        return ["python3"], _python(job, path, iteration)
    if language == "bash":
        made = _stock(BashScript, job, own, source, iteration)
        return ["bash"], made.get_preamble() + f"\nsource {shlex.quote(str(path))}\n"
    if language in WHOLE:
        kind, words = WHOLE[language]
        made = _stock(kind, job, own, source, iteration)
        return list(words), made.get_preamble() + source
    raise WorkflowError(
        f"Scripts in {language} do not run in tasks: use Python (.py), Bash (.sh), R (.R), Julia (.jl) or shell:.",
        rule=job.rule,
    )


def _named_script(job: "Job", workflow: "Workflow") -> Any:
    if not job.is_wrapper:
        return job.rule.script
    found = get_script(job.rule.wrapper, workflow.sourcecache, workflow.workflow_settings.wrapper_prefix)
    if isinstance(found, dict):
        raise WorkflowError(
            "The wrapper is not in the workflow's folder: copy it, with its version, below wrappers/.", rule=job.rule
        )
    return found


def _python(job: "Job", path: Path, iteration: int | None) -> str:
    facts = {
        "named": {
            kind: _named(job, getattr(job, kind))
            for kind in ("input", "output", "params", "wildcards", "resources", "log")
        },
        "plain": {
            "threads": job.threads,
            "rule": job.rule.name,
            "config": _plain(job, _config(job)),
            "scriptdir": str(path.parent),
            "bench_iteration": iteration,
        },
    }
    return f"{Path(in_task.__file__).read_text()}\n\nrun({str(path)!r}, {facts!r})\n"


def _config(job: "Job") -> Any:
    """The configuration of the file, or the module, that the rule stands in."""
    return job.rule.run_func.__globals__["config"]


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


def _stock(kind: Any, job: "Job", path: Any, source: str, iteration: int | None) -> Any:
    return kind(
        path=path,
        cache_path=None,
        source=source,
        basedir=job.rule.basedir,
        input_=job.input,
        output=job.output,
        params=job.params,
        wildcards=job.wildcards,
        threads=job.threads,
        resources=job.resources,
        log=job.log,
        config=_config(job),
        rulename=job.rule.name,
        conda_env=None,
        conda_base_path=None,
        container_img=None,
        singularity_args="",
        env_modules=None,
        bench_record=None,
        jobid=None,
        bench_iteration=iteration,
        cleanup_scripts=True,
        shadow_dir=None,
        is_local=True,
        runtime_paths=None,
    )
