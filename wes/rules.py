"""Decides what an engine may ask for at its run's gateway: a job becomes a TES task or is refused (T19)."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from strongroom.canonical import digest
from strongroom.errors import BadRequest, NotAllowed
from wes.glimpses import Words

WORK = "/run/work/"
WORKFLOW = "/run/workflow/"
SCRIPTS = ".snakemake/"
FIELDS = frozenset({"name", "tags", "resources", "executors", "inputs", "outputs", "touch"})
EXECUTOR_FIELDS = frozenset({"image", "command", "workdir", "env"})
RESOURCE_FIELDS = frozenset({"cpu_cores", "ram_gb", "disk_gb", "backend_parameters"})
ENV = frozenset(
    {
        "OMP_NUM_THREADS",
        "GOTO_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    }
)
NO_LISTS: Mapping[str, Words] = {}
MOST_CONTENT = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=,-]*")
_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Held:
    """What the gateway knows of a file of its run: its object (None: empty, made by touch) and its directory."""

    object: str | None
    is_input: bool
    directory: str | None = None
    content: str | None = None  # a file of the vetted folder that lies in the work folder as well


@dataclass(frozen=True)
class Job:
    """An engine's job, checked: the TES task without its name, its key, and the files it touches."""

    rule: str
    key: str
    task: dict[str, Any]
    touches: tuple[str, ...]
    directories: tuple[str, ...]
    passed: Mapping[str, str] = field(default_factory=dict)  # outputs that are files of the run already
    free: bool = False  # a command that no template of the manifest binds (T18)
    own: tuple[str, frozenset[str]] | None = None  # its folder, and the names there that its task does not choose


def job_of(
    asked: Mapping[str, Any],
    *,
    run: str,
    images: Mapping[str, str],
    files: Mapping[str, Held],
    lists: Mapping[str, Words] = NO_LISTS,
) -> Job:
    """Return the job that `asked` describes; raise `BadRequest` or `NotAllowed` with the field named.

    `images` maps the names that the workflow uses to signed digests; `files` are the run's own, by relative path;
    `lists` what the manifest grants an engine to read of a task's files.
    """
    only(asked, FIELDS, "a job")
    rule = rule_of(asked)
    executor = _executor(asked.get("executors"), images)
    outputs = _outputs(checked_list(asked, "outputs"), files, run)
    touches = tuple(_output_path(path, "touch", files) for path in checked_list(asked, "touch"))
    # An empty file that a rule without a body touched is known from the first job that needs it.
    new = {path: Held(None, is_input=False) for path in touches if path not in files}
    inputs = _inputs(checked_list(asked, "inputs"), {**files, **new} if new else files)
    for output in outputs:
        grant = lists.get(relative(output["path"], "outputs"))
        if grant is not None and grant.rule == rule and output["type"] == "FILE":
            output["tells"] = grant.tells()  # T17: the task's own walls look whether it is such a list
    task = {"executors": [executor], "inputs": inputs, "outputs": outputs, "resources": resources_of(asked)}
    # Decision 18: without tags, names or engine ids, so that a resumed engine meets its earlier tasks.
    try:
        key = digest({"run": run, "rule": rule, "task": task, "touch": sorted(touches)})
    except (ValueError, RecursionError) as error:
        raise BadRequest("a job: plain JSON was expected, without NaN or halves of letters.") from error
    directories = tuple(relative(o["path"], "outputs") for o in outputs if o["type"] == "DIRECTORY")
    return Job(rule, key, task, touches, directories)


def rule_of(asked: Mapping[str, Any]) -> str:
    """Return the rule or process that a job says it is of."""
    tags = asked.get("tags")
    rule = str(tags.get("rule", "")) if isinstance(tags, dict) else ""
    if not _RULE.fullmatch(rule):
        raise BadRequest("tags.rule: the name of a rule of this workflow.")
    return rule


def resources_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a job asks for of the node; `tes.admission` holds it to its limits."""
    resources = asked.get("resources") or {}
    only(resources, RESOURCE_FIELDS, "resources")
    return dict(resources)


def relative(path: Any, field: str) -> str:
    """Return `path` relative to /run/work; anything that is not plainly inside the run is refused."""
    if not isinstance(path, str) or posixpath.normpath(path) != path or not path.startswith(WORK):
        raise NotAllowed(f"{field}: a path outside this run.")
    inside = path.removeprefix(WORK)
    if len(inside) > 400 or not all(_NAME.fullmatch(part) or part == ".snakemake" for part in inside.split("/")):
        raise NotAllowed(f"{field}: names are letters, digits and . _ + = , - only.")
    return inside


def _executor(asked: Any, images: Mapping[str, str]) -> dict[str, Any]:
    if not isinstance(asked, list) or len(asked) != 1 or not isinstance(asked[0], dict):
        raise BadRequest("executors: exactly one.")
    executor = asked[0]
    only(executor, EXECUTOR_FIELDS, "executors[0]")
    name = str(executor.get("image"))
    image = next(iter(images.values())) if name == "" and len(images) == 1 else images.get(name)
    if image is None and name == "":
        raise NotAllowed("executors[0].image: this workflow has several; name the rule's own by container:.")
    if image is None:
        raise NotAllowed("executors[0].image: not among the images that the vetters signed for this workflow.")
    command = executor.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(c, str) for c in command):
        raise BadRequest("executors[0].command: a list of words.")
    if executor.get("workdir", "/run/work") != "/run/work":
        raise NotAllowed("executors[0].workdir: jobs run in /run/work.")
    env = executor.get("env") or {}
    only(env, ENV, "executors[0].env")
    return {
        "image": image,
        "command": command,
        "workdir": "/run/work",
        "env": {name: _threads(value) for name, value in env.items()},
    }


def _threads(value: Any) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", str(value)):
        raise BadRequest("executors[0].env: numbers of threads only.")
    return str(value)


def _inputs(asked: Any, files: Mapping[str, Held]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for given in asked:
        only(given, frozenset({"path", "type", "content"}), "inputs")
        path = str(given.get("path"))
        if "content" in given:
            inside = relative(path, "inputs")
            if not inside.startswith(SCRIPTS) or len(str(given["content"])) > MOST_CONTENT:
                raise NotAllowed("inputs: content is for the job's own script, one MiB at most.")
            found[inside] = {"path": path, "content": str(given["content"])}
        elif posixpath.normpath(path) == path and path.startswith(WORKFLOW):
            continue  # the vetted folder is mounted in every task
        else:
            for inside in _held(relative(path, "inputs"), files):
                held = files[inside]
                clear = {"content": held.content or ""}
                source = clear if held.object is None else {"url": f"strongroom://object/{held.object}"}
                found[inside] = {"path": WORK + inside, "type": "FILE", **source}
    return [found[inside] for inside in sorted(found)]


def _held(inside: str, files: Mapping[str, Held]) -> list[str]:
    # T19: inputs resolve in the table of objects that this run owns, never through the engine's file system.
    if inside in files:
        return [inside]
    below = [path for path in files if path.startswith(inside + "/")]
    if not below:
        raise NotAllowed("inputs: not a file of this run.")
    return below


def _outputs(asked: Any, files: Mapping[str, Held], run: str) -> list[dict[str, Any]]:
    outputs = []
    for wanted in asked:
        only(wanted, frozenset({"path", "type"}), "outputs")
        inside = _output_path(wanted.get("path"), "outputs", files)
        kind = wanted.get("type", "FILE")
        if kind not in ("FILE", "DIRECTORY"):
            raise BadRequest("outputs: type is FILE or DIRECTORY.")
        if kind == "DIRECTORY" and any(f.is_input and path.startswith(f"{inside}/") for path, f in files.items()):
            raise NotAllowed("outputs: a folder with inputs in it is never an output.")
        outputs.append({"path": WORK + inside, "url": f"strongroom://run/{run}/{inside}", "type": kind})
    return sorted(outputs, key=lambda output: str(output["path"]))


def _output_path(path: Any, field: str, files: Mapping[str, Held]) -> str:
    inside = relative(path, field)
    held = files.get(inside)
    if f"{inside}/".startswith((SCRIPTS, "inputs/")) or (held is not None and held.is_input):
        raise NotAllowed(f"{field}: inputs and the engine's own files are never outputs.")
    # T19: in a folder that a manifest names, an input may have outputs beside it, and none below it.
    above = (files.get(str(one)) for one in PurePosixPath(inside).parents)
    if any(held is not None and held.is_input for held in above):
        raise NotAllowed(f"{field}: what lies below an input is never an output.")
    return inside


def checked_list(asked: Mapping[str, Any], field: str) -> list[Any]:
    """Return a field that is a list, or missing."""
    given = asked.get(field) or []
    if not isinstance(given, list):
        raise BadRequest(f"{field}: a list was expected.")
    return given


def only(given: Any, known: frozenset[str], where: str) -> None:
    """Raise unless `given` is an object with no field but these."""
    if not isinstance(given, dict):
        raise BadRequest(f"{where}: an object was expected.")
    for name in given:
        if name not in known:
            raise BadRequest(f"{where}: {str(name)[:60]!r} is not a field that a gateway knows.")
