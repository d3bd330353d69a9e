"""Decides whether a task may run, and as what: a request becomes a plan or is refused with its field named."""

import base64
import posixpath
import re
from dataclasses import dataclass
from typing import Any

from sandbox.fields import SpecError, check_folder
from strongroom.errors import BadRequest
from strongroom.settings import Tes
from tes.schemas import Executor, Input, NewTask, Output, Resources

WORK = "/run/work"
GIB = 1 << 30
MOST_EXECUTORS = 16
MOST_CONTENT = 1 << 20
MOST_FILES = 20_000
PASSED_OVER = "Not a backend parameter here, passed over:"
PARAMETERS = ("walltime_seconds", "writable_root")  # tesResources.backend_parameters
_OBJECT = re.compile(r"strongroom://object/([0-9a-f]{32})")
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


def plan(task: NewTask, *, run: str, limits: Tes) -> dict[str, Any]:
    """Return what the dispatcher needs of `task` as plain JSON; raise `BadRequest` naming what is wrong."""
    need = resources(task.resources or Resources(), limits)
    _, passed_over = backend_parameters(task.resources or Resources())
    executors = [_executor(n, e) for n, e in enumerate(task.executors)]
    if len(executors) > MOST_EXECUTORS:
        raise BadRequest(f"executors: at most {MOST_EXECUTORS} are possible.")
    images = {e["image"] for e in executors}
    if len(images) != 1:
        raise BadRequest("executors: all executors of a task use the same image here.")
    if task.volumes:
        raise BadRequest("volumes: not offered by this backend; write below /run/work.")
    inputs = [_input(n, i) for n, i in enumerate(task.inputs or [])]
    outputs = [_output(n, o, run) for n, o in enumerate(task.outputs or [])]
    if len(inputs) + len(outputs) > MOST_FILES:
        raise BadRequest(f"inputs and outputs: at most {MOST_FILES} together.")
    paths = [i["path"] for i in inputs] + [o["path"] for o in outputs]
    if len(set(paths)) != len(paths):
        raise BadRequest("inputs and outputs: each path may be named once.")
    return {
        "image": images.pop(),
        "executors": executors,
        "inputs": inputs,
        "outputs": outputs,
        "cores": need.cores,
        "memory": need.memory,
        "scratch": need.scratch,
        "seconds": need.seconds,
        "scratch_on_disk": need.on_disk,
        "writable_root": need.writable_root,
        "warnings": [f"{PASSED_OVER} {name[:100]}" for name in passed_over],
    }


def resources(asked: Resources, limits: Tes) -> Need:
    """Return what is given for what is asked; more than this node has is refused at once, never queued for ever."""
    cores = float(asked.cpu_cores or 1)
    memory = int((asked.ram_gb or limits.task_memory_gb) * GIB)
    scratch = int((asked.disk_gb or limits.scratch_gb) * GIB)
    if cores > limits.cores:
        raise BadRequest(f"resources.cpu_cores: at most {limits.cores:g} here.")
    on_disk = memory + scratch > limits.memory_gb * GIB
    if on_disk and (memory > limits.memory_gb * GIB or scratch > limits.scratch_disk_gb * GIB):
        # Nothing decrypted may reach a disk: scratch is memory, or encrypted with a key that nobody keeps.
        encrypted = f", or {limits.scratch_disk_gb:g} GB of disk_gb" if limits.scratch_disk_gb else ""
        raise BadRequest(f"resources.ram_gb and disk_gb: at most {limits.memory_gb:g} GB together here{encrypted}.")
    parameters, unknown = backend_parameters(asked)
    if unknown and asked.backend_parameters_strict:
        raise BadRequest(f"resources.backend_parameters: {unknown[0]} is not supported here.")
    seconds = limits.wall_seconds
    if (wanted := parameters.get("walltime_seconds")) is not None:
        if not re.fullmatch(r"[1-9][0-9]{0,8}", wanted):
            raise BadRequest("resources.backend_parameters.walltime_seconds: a whole number of seconds.")
        seconds = min(int(wanted), limits.wall_seconds)
    writable_root = parameters.get("writable_root", "false")
    if writable_root not in ("true", "false"):
        raise BadRequest("resources.backend_parameters.writable_root: true or false.")
    return Need(cores, memory, scratch, seconds, on_disk, writable_root == "true")


def backend_parameters(asked: Resources) -> tuple[dict[str, str], list[str]]:
    """Return the parameters that are known, by their own names, and the names of the others (TES 1.1)."""
    given = asked.backend_parameters or {}
    known = {name.lower(): value for name, value in given.items() if name.lower() in PARAMETERS}
    if len(known) < sum(name.lower() in PARAMETERS for name in given):
        raise BadRequest("resources.backend_parameters: a name stands there twice; capitals make no difference.")
    return known, sorted(name for name in given if name.lower() not in PARAMETERS)


def kept(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request without backend parameters that nobody here knows: they are neither stored nor returned."""
    resources = request.get("resources") or {}
    if "backend_parameters" not in resources:
        return request
    known, _ = backend_parameters(Resources(backend_parameters=resources["backend_parameters"]))
    return {**request, "resources": {**resources, "backend_parameters": known}}


def work_path(path: str, field: str) -> str:
    """Return `path` if it is a normal absolute path inside /run/work."""
    if posixpath.normpath(path) != path or not (path == WORK or path.startswith(WORK + "/")):
        raise BadRequest(f"{field}: a plain absolute path below {WORK}, without '..'.")
    return path


def _folder(path: str, field: str) -> str:
    try:
        check_folder(path, field)
    except SpecError as error:
        raise BadRequest(str(error)) from error
    return path


def _executor(n: int, executor: Executor) -> dict[str, Any]:
    where = f"executors[{n}]"
    if not _IMAGE.fullmatch(executor.image):
        raise BadRequest(f"{where}.image: images are named by digest (sha256:…).")
    env = dict(executor.env or {})
    for name in env:
        if not _ENV_NAME.fullmatch(name) or _RESERVED_ENV.fullmatch(name):
            raise BadRequest(f"{where}.env: this name of a variable is not allowed.")
    streams = {
        stream: work_path(path, f"{where}.{stream}") if (path := getattr(executor, stream)) else None
        for stream in ("stdin", "stdout", "stderr")
    }
    return {
        "image": executor.image,
        "command": list(executor.command),
        "workdir": _folder(executor.workdir, f"{where}.workdir") if executor.workdir else None,
        "env": env,
        "ignore_error": bool(executor.ignore_error),
        **streams,
    }


def _input(n: int, given: Input) -> dict[str, Any]:
    where = f"inputs[{n}]"
    path = work_path(given.path, f"{where}.path")
    if given.content is not None:
        raw = given.content.encode()
        if len(raw) > MOST_CONTENT:
            raise BadRequest(f"{where}.content: at most {MOST_CONTENT} bytes.")
        return {"path": path, "content": base64.b64encode(raw).decode()}
    found = _OBJECT.fullmatch(given.url or "")
    if found is None:
        raise BadRequest(f"{where}.url: strongroom://object/<id>, or give content.")
    if given.type == "DIRECTORY":
        raise BadRequest(f"{where}.type: an object is a FILE.")
    return {"path": path, "object": found[1]}


def _output(n: int, wanted: Output, run: str) -> dict[str, Any]:
    where = f"outputs[{n}]"
    path = work_path(wanted.path, f"{where}.path")
    if wanted.path_prefix or re.search(r"[*?\[\]]", path):
        raise BadRequest(f"{where}.path: wildcards are not offered by this backend.")
    if wanted.url != f"strongroom://run/{run}{path.removeprefix(WORK)}":
        raise BadRequest(f"{where}.url: outputs of a task stay in its own run.")
    return {"path": path, "type": wanted.type or "FILE"}
