"""Runs one task attempt from its spec to its sealed outputs, in a process of its own that ends with it."""

import base64
import io
import os
import resource
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from sandbox import cgroups, collect, executors, kernel, keys, mounts, seal, staging, wire
from sandbox.bubblewrap import NoBubblewrap, find_bubblewrap
from sandbox.collect import Collected, TooMuch
from sandbox.denials import Witness
from sandbox.executors import Cause, DispatcherGone, Ended, Room
from sandbox.fields import WORK, SpecError
from sandbox.fuse import MAX_READ, View
from sandbox.inputs import Bodies, BodyError
from sandbox.keys import Canceled, Keys, KeysError
from sandbox.mounts import MountError, Stage, Work
from sandbox.scratch import ScratchError, open_scratch
from sandbox.seal import Plain, SealedOutput
from sandbox.spec import Inline, KeyFile, Spec, parse_spec, spec_digest

LOGS = f"{WORK}/.strongroom"
_TOO_MUCH = "The outputs are larger, or more, than this task may write."
_REASONS: dict[Cause, str | None] = {
    "exited": None,
    "deadline": "The task ran longer than it may.",
    "out_of_memory": "The task used more memory than it may.",
    "signal": "The task was killed by a signal.",
    "disk_full": "The task wrote more than its scratch space holds.",
    "canceled": "The task was canceled.",
    "system": "The walls round the task could not be built.",
}


@dataclass
class Result:
    """What the dispatcher is told at the end."""

    cause: Cause
    exit_code: int | None = None
    reason: str | None = None
    executors: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    answer: str | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float = 0.0

    def message(self) -> wire.Message:
        """Return the result as it travels."""
        return {"type": "result", **vars(self)}


def main(channel: socket.socket, *, witness: Witness | None = None) -> NoReturn:
    """Be the supervisor of the attempt whose spec comes first on `channel`, then end this process."""
    group: list[cgroups.Group] = []
    try:
        raw = wire.recv_raw(channel)
        if raw is not None:
            result = _supervise(raw, channel, group, witness=witness)
            refused = {} if witness is None else {"refused_calls": sorted(witness.refused)}
            wire.send(channel, {**result.message(), **refused})
    except (DispatcherGone, OSError):
        pass  # nobody listens; every process of the task is dead by now, or dies with us
    for one in group:
        one.remove()
    os._exit(0)  # mounts, memory and keys go with the process


def sweep() -> None:
    """Remove the cgroups of supervisors that are dead; their mounts and processes died with them."""
    cgroups.sweep()


def _supervise(raw: bytes, channel: socket.socket, group: list[cgroups.Group], *, witness: Witness | None) -> Result:
    try:
        return _attempt(raw, channel, group, witness=witness)
    except Canceled:
        return Result("canceled", reason=_REASONS["canceled"])
    except (SpecError, KeysError, MountError, NoBubblewrap, BodyError, ScratchError) as error:
        return Result("system", reason=str(error))
    except DispatcherGone:
        raise
    except Exception as error:
        _log(error)
        return Result("system", reason="The sandbox failed; the log of the node says where.")


def _attempt(raw: bytes, channel: socket.socket, group: list[cgroups.Group], *, witness: Witness | None) -> Result:
    began = time.monotonic()
    spec = parse_spec(raw)
    if witness is not None and not isinstance(spec.keys, KeyFile):
        raise SpecError("keys: refused calls are named in runs by hand only, with a key file.")
    uid = spec.uid if os.geteuid() == 0 else os.geteuid()
    os.umask(0o022)
    mounts.enter_namespace()
    _close_to_others()
    source = keys.ask(spec, spec_digest(raw), channel)  # the claim travels while the tree is built
    bubblewrap = find_bubblewrap()
    space = open_scratch(spec.scratch, attempt=spec.attempt)
    stage = mounts.build(spec, uid, bubblewrap=bubblewrap, scratch=space, beside=_in_sight(spec))
    opening = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folders = {path: os.open(staged, opening) for path, staged in stage.folders.items()}
    group.append(cgroups.Group(spec.attempt, spec.limits, scratch_in_memory=space.in_memory))
    unlocked = source.unlock()
    bodies = Bodies(unlocked.bodies)
    work = _lay_inputs(spec, stage, bodies)
    bodies.start_verifying()
    room = Room(stage, work, group[0], spec.limits, channel, began + spec.limits.wall_seconds, spec.loopback)
    room = replace(room, witness=witness, keepers=space.keepers)
    wire.send(channel, {"type": "started"})
    ended = _run(room, spec)
    result = _result(ended, bodies, forgiven=spec.executors[len(ended) - 1].ignore_error)
    result.cpu_seconds = round(_cpu_seconds(group[0]), 3)
    result.peak_memory_bytes = group[0].peak_memory()
    if result.cause not in ("canceled", "system"):
        try:
            _take(result, spec, _Left(folders, ended, unlocked.recipient, source))
        except TooMuch:
            result.cause, result.exit_code, result.reason = "disk_full", None, _TOO_MUCH
    space.close()
    return result


def _cpu_seconds(group: cgroups.Group) -> float:
    counted = group.cpu_seconds()
    if counted is not None:
        return counted
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _close_to_others() -> None:
    """Before any key exists (decision 20): no core file, no reader of our memory, no orphan out of sight."""
    kernel.set_not_dumpable()
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    kernel.adopt_orphans()


def _in_sight(spec: Spec) -> list[Path]:
    return [*keys.host_paths(spec), *map(Path, (sys.prefix, sys.base_prefix, __file__))]


def _lay_inputs(spec: Spec, stage: Stage, bodies: Bodies) -> Work:
    inline = [given for given in spec.inputs if isinstance(given, Inline)]
    mounts.write_inline(stage, inline)
    staged = staging.stage(bodies, stage, most=spec.limits.stage_bytes)
    viewed = len(staged) < len(bodies.bodies)
    if viewed:  # without encrypted inputs that are read as the task goes there is no view to mount
        fd = mounts.open_view(stage, max_read=MAX_READ)
        View(bodies, below=WORK, uid=stage.uid, without=staged).start(fd)
    return mounts.work_of(stage, with_view=viewed, with_inline=bool(inline or staged))


def _run(room: Room, spec: Spec) -> list[Ended]:
    ended = []
    for executor in spec.executors:
        stage = replace(room.stage, root=executor.root)
        mounts.check_mount_points(stage)
        ended.append(executors.run(replace(room, stage=stage), executor))
        if ended[-1].cause != "exited" or (ended[-1].exit_code != 0 and not executor.ignore_error):
            break  # TES 1.1: executors run in order until one fails
    return ended


def _result(ended: Sequence[Ended], bodies: Bodies, *, forgiven: bool) -> Result:
    last = ended[-1]
    exit_code = 0 if forgiven and last.cause == "exited" else last.exit_code
    result = Result(last.cause, exit_code, _REASONS[last.cause])
    result.executors = [{"exit_code": one.exit_code, "start": one.start, "end": one.end} for one in ended]
    if last.cause == "canceled":
        bodies.stop()
    elif (failure := bodies.finish()) is not None:
        result.cause, result.exit_code, result.reason = "system", None, failure
    return result


@dataclass(frozen=True)
class _Left:
    """What a dead task left, and with whom it is sealed and registered."""

    folders: Mapping[str, int]
    ended: Sequence[Ended]
    recipient: bytes
    source: Keys


def _take(result: Result, spec: Spec, left: _Left) -> None:
    inputs = {given.path for given in spec.inputs}
    found = collect.collect(left.folders, spec.outputs, inputs=inputs, limits=spec.limits)
    if spec.answer is not None:
        answer = collect.read_answer(left.folders, spec.answer)
        result.answer = base64.b64encode(answer).decode() if answer is not None else None
    plains = [Plain(one.path, "output", _opener(left.folders, one.path)) for one in found.files]
    plains += _logs(left.ended)
    sealed = _seal(spec, plains, left.recipient)
    if sealed:
        left.source.register(sealed)
    result.outputs = [output.facts() for output in sealed]
    result.missing = list(found.missing)
    result.reason = result.reason or _refusals(found)


def _seal(spec: Spec, plains: Sequence[Plain], recipient: bytes) -> list[SealedOutput]:
    if isinstance(spec.keys, KeyFile):
        return seal.seal_files(plains, spec.bodies, recipient)
    # T32: what a task made is padded; what the airlock made is public once it leaves, and is sent as it lies there.
    return seal.seal_objects(plains, spec.bodies, recipient, padded=spec.kind == "task")


def _opener(folders: Mapping[str, int], path: str) -> Callable[[], io.FileIO]:
    return lambda: io.FileIO(collect.open_found(folders, path), "rb")


def _logs(ended: Sequence[Ended]) -> list[Plain]:
    # Decision 16: what a task prints is sealed like an output and never lies in clear anywhere.
    plains = []
    for number, one in enumerate(ended):
        if one.stdout:
            plains.append(Plain(f"{LOGS}/stdout.{number}", "stdout", _memory(one.stdout)))
        if one.stderr:
            plains.append(Plain(f"{LOGS}/stderr.{number}", "stderr", _memory(one.stderr)))
    return plains


def _memory(content: bytes) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(content)


def _refusals(found: Collected) -> str | None:
    if not found.refused:
        return None
    return f"Something that the task left was not taken: {', '.join(kind.value for kind in found.refused)}."


def _log(error: Exception) -> None:
    # Where, and what kind; the message of an exception may hold paths or values.
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    code = f" errno {error.errno}" if isinstance(error, OSError) else ""
    sys.stderr.write(f"sandbox: {type(error).__name__}{code} at {where}\n")
    sys.stderr.flush()
