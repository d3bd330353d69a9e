"""Decides whether a task may run, and as what: a request becomes a plan or is refused with its field named."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.fields import WORK
from strongroom.errors import BadRequest
from strongroom.settings import Tes
from tes import files
from tes.files import plain_path, task_path
from tes.schemas import Executor, NewTask, Resources

GIB, LEAST = 1 << 30, 1 << 20
MOST_EXECUTORS = 16
PARAMETERS = ("walltime_seconds", "writable_root")  # tesResources.backend_parameters
STREAMS = ("stdin", "stdout", "stderr")
Patterns = Mapping[str, re.Pattern[str]]
NO_MORE: Patterns = {}
PASSED_OVER = "Not a backend parameter here, passed over:"
_IMAGE = re.compile(r"sha256:[0-9a-f]{64}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_RESERVED_ENV = re.compile(r"LD_.*|STRONGROOM_.*")


@dataclass(frozen=True)
class Need:
    """What a task takes of the node: cores, bytes of memory and of scratch, seconds."""

    cores: float
    memory: int
    scratch: int
    seconds: int
    on_disk: bool  # scratch is encrypted disk, not memory
    writable_root: bool  # what it changes of its image takes scratch too


def plan(task: NewTask, *, run: str, limits: Tes, also: Patterns = NO_MORE) -> dict[str, Any]:
    """Return what the dispatcher needs of `task` as plain JSON; raise `BadRequest` naming what is wrong.

    `also`: backend parameters of this site's backend, by name, and what their values look like.
    """
    need = resources(task.resources or Resources(), limits, also)
    parameters, passed_over = backend_parameters(task.resources or Resources(), also)
    volumes = files.volumes(task.volumes or [])
    folders = (WORK, *volumes)
    executors = [_executor(n, e, folders) for n, e in enumerate(task.executors)]
    if len(executors) > MOST_EXECUTORS:
        raise BadRequest(f"executors: at most {MOST_EXECUTORS} are possible.")
    given = files.inputs(task.inputs or [], run)
    wanted = files.outputs(task.outputs or [], run, folders=folders)
    files.check_together(given, wanted, run)
    return {
        "executors": executors,
        "inputs": given,
        "outputs": wanted,
        "volumes": volumes,
        "cores": need.cores,
        "memory": need.memory,
        "scratch": need.scratch,
        "seconds": need.seconds,
        "scratch_on_disk": need.on_disk,
        "writable_root": need.writable_root,
        "backend_parameters": {name: value for name, value in parameters.items() if name in also},
        "warnings": [f"{PASSED_OVER} {_printable(name)}" for name in passed_over],
    }


def resources(asked: Resources, limits: Tes, also: Patterns = NO_MORE) -> Need:
    """Return what is given for what is asked; more than this node has is refused at once, never queued for ever."""
    cores = float(asked.cpu_cores or 1)
    memory = max(LEAST, int((asked.ram_gb or limits.task_memory_gb) * GIB))
    scratch = max(LEAST, int((asked.disk_gb or limits.scratch_gb) * GIB))
    if cores > limits.cores:
        raise BadRequest(f"resources.cpu_cores: at most {limits.cores:g} here.")
    on_disk = memory + scratch > limits.memory_gb * GIB
    if on_disk and (memory > limits.memory_gb * GIB or scratch > limits.scratch_disk_gb * GIB):
        # Nothing decrypted may reach a disk: scratch is memory, or encrypted with a key that nobody keeps.
        encrypted = f", or {limits.scratch_disk_gb:g} GB of disk_gb" if limits.scratch_disk_gb else ""
        raise BadRequest(f"resources.ram_gb and disk_gb: at most {limits.memory_gb:g} GB together here{encrypted}.")
    parameters, unknown = backend_parameters(asked, also)
    if unknown and asked.backend_parameters_strict:
        raise BadRequest(f"resources.backend_parameters: {_printable(unknown[0])} is not supported here.")
    seconds = limits.wall_seconds
    if (wanted := parameters.get("walltime_seconds")) is not None:
        if not re.fullmatch(r"[1-9][0-9]{0,8}", wanted):
            raise BadRequest("resources.backend_parameters.walltime_seconds: a whole number of seconds.")
        seconds = min(int(wanted), limits.wall_seconds)
    writable_root = parameters.get("writable_root", "false")
    if writable_root not in ("true", "false"):
        raise BadRequest("resources.backend_parameters.writable_root: true or false.")
    return Need(cores, memory, scratch, seconds, on_disk, writable_root == "true")


def backend_parameters(asked: Resources, also: Patterns = NO_MORE) -> tuple[dict[str, str], list[str]]:
    """Return the parameters that are known, by their own names, and the names of the others (TES 1.1)."""
    given, names = asked.backend_parameters or {}, {*PARAMETERS, *also}
    known = {name.lower(): value for name, value in given.items() if name.lower() in names}
    if len(known) < sum(name.lower() in names for name in given):
        raise BadRequest("resources.backend_parameters: a name stands there twice; capitals make no difference.")
    for name, pattern in also.items():
        if name in known and pattern.fullmatch(known[name]) is None:
            raise BadRequest(f"resources.backend_parameters.{name}: not a value that it may have.")
    return known, sorted(name for name in given if name.lower() not in names)


def kept(request: dict[str, Any], also: Patterns = NO_MORE) -> dict[str, Any]:
    """Return the request without backend parameters that nobody here knows: they are neither stored nor returned."""
    resources = request.get("resources") or {}
    if "backend_parameters" not in resources:
        return request
    known, _ = backend_parameters(Resources(backend_parameters=resources["backend_parameters"]), also)
    return {**request, "resources": {**resources, "backend_parameters": known}}


def images_of(plan: Mapping[str, Any]) -> list[str]:
    """Return the images of a plan, each once, in the order of its executors."""
    return list(dict.fromkeys(executor["image"] for executor in plan["executors"]))


def _executor(n: int, executor: Executor, folders: Collection[str]) -> dict[str, Any]:
    where = f"executors[{n}]"
    if not _IMAGE.fullmatch(executor.image):
        raise BadRequest(f"{where}.image: images are named by digest (sha256:…).")
    if not executor.command[0]:
        raise BadRequest(f"{where}.command: the first word is a program.")
    env = dict(executor.env or {})
    for name in env:
        if not _ENV_NAME.fullmatch(name) or _RESERVED_ENV.fullmatch(name):
            raise BadRequest(f"{where}.env: this name of a variable is not allowed.")
    return {
        "image": executor.image,
        "command": list(executor.command),
        "workdir": _workdir(executor.workdir, f"{where}.workdir"),
        "env": env,
        "ignore_error": bool(executor.ignore_error),
        **{name: _stream(getattr(executor, name), f"{where}.{name}", folders) for name in STREAMS},
    }


def _workdir(path: str | None, field: str) -> str | None:
    return plain_path(path, field) if path and path != "/" else path or None


def _stream(path: str | None, field: str, folders: Collection[str]) -> str | None:
    if not path:
        return None
    if task_path(path, field, folders) in folders:
        raise BadRequest(f"{field}: a file, not a folder.")
    return path


def _printable(text: str) -> str:
    return ascii(text[:60])[1:-1]
