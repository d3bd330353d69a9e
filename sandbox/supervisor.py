"""Runs one task attempt from its spec to its sealed outputs, in a process of its own that ends with it."""

import base64
import contextlib
import io
import os
import resource
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sandbox import cgroups, collect, executors, kernel, keys, mounts, rehearsal, seal, staging, wire
from sandbox.body import BodyError
from sandbox.bubblewrap import NoBubblewrap, find_bubblewrap
from sandbox.collect import TooMuch
from sandbox.denials import Witness
from sandbox.executors import DispatcherGone, Ended, Room
from sandbox.fields import WORK, SpecError
from sandbox.fuse import MAX_READ, View
from sandbox.inputs import Bodies
from sandbox.keys import Canceled, Keys, KeysError
from sandbox.loopdisk import ScratchError
from sandbox.mounts import MountError, Stage, Work
from sandbox.plan import WallsError
from sandbox.processes import FirstProcess
from sandbox.results import LOGS, REASONS, TOO_MUCH, Result, refusals
from sandbox.scratch import open_scratch
from sandbox.seal import Plain, SealedOutput
from sandbox.signing import AttemptKey
from sandbox.spec import Executor, Inline, KeyFile, ObjectStore, Spec, parse_spec, spec_digest
from sandbox.telling import Told, told
from sandbox.walls import open_walls

if TYPE_CHECKING:
    from sandbox.far import Store


@dataclass
class Ready:
    """What an attempt is begun with before anything is known of it."""

    group: cgroups.Group
    first: FirstProcess
    witness: Witness | None


def main(wait: Callable[[], socket.socket], *, witness: Witness | None = None) -> NoReturn:
    """Be the supervisor of the attempt whose spec comes first on the channel that `wait` returns; end with it."""
    own = AttemptKey()
    ready: Ready | Exception
    try:
        ready = _prepare(witness)
        rehearsal.of_a_supervisor(own)
    except Exception as error:
        ready = error
    try:
        channel = wait()
        raw = wire.recv_raw(channel)
        if raw is not None:
            result = _supervise(raw, channel, ready, own=own)
            refused = {} if witness is None else {"refused_calls": sorted(witness.refused)}
            wire.send(channel, own.signed({**result.message(), **refused}))
    except (DispatcherGone, OSError):
        pass  # nobody listens; every process of the task is dead by now, or dies with us
    if isinstance(ready, Ready):
        ready.first.close()
        ready.group.remove()
    os._exit(0)  # mounts, memory and keys go with the process


def _prepare(witness: Witness | None) -> Ready:
    os.umask(0o022)
    mounts.enter_namespace()
    _close_to_others()
    group = cgroups.Group()
    return Ready(group, FirstProcess(group.doors), witness)


def sweep() -> None:
    """Remove the cgroups of supervisors that are dead; their mounts and processes died with them."""
    cgroups.sweep()


def _supervise(raw: bytes, channel: socket.socket, ready: Ready | Exception, *, own: AttemptKey) -> Result:
    try:
        if isinstance(ready, Exception):
            raise ready
        return _attempt(raw, channel, ready, own=own)
    except Canceled:
        return Result("canceled", reason=REASONS["canceled"])
    except (SpecError, KeysError, MountError, NoBubblewrap, BodyError, ScratchError, WallsError) as error:
        return Result("system", reason=str(error))
    except DispatcherGone:
        raise
    except Exception as error:
        _log(error)
        return Result("system", reason="The sandbox failed; the log of the node says where.")


def _attempt(raw: bytes, channel: socket.socket, ready: Ready, *, own: AttemptKey) -> Result:
    began = time.monotonic()
    spec = parse_spec(raw)
    if ready.witness is not None and not isinstance(spec.keys, KeyFile):
        raise SpecError("keys: refused calls are named in runs by hand only, with a key file.")
    uid = spec.uid if os.geteuid() == 0 else os.geteuid()
    group = ready.group
    source = keys.ask(spec, spec_digest(raw), channel, own)  # the claim travels while the tree is built
    open_walls(spec.walls).check(spec)
    bubblewrap = find_bubblewrap()
    space = open_scratch(spec.scratch, attempt=spec.attempt)
    stage = mounts.build(spec, uid, bubblewrap=bubblewrap, scratch=space, beside=_in_sight(spec))
    opening = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    folders = {path: os.open(staged, opening) for path, staged in stage.folders.items()}
    group.limit(spec.limits, scratch_in_memory=space.in_memory)
    unlocked = source.unlock()
    store = _store(spec.bodies.socket) if isinstance(spec.bodies, ObjectStore) else None
    bodies = Bodies(unlocked.bodies, store)
    with _ends_when_told(channel) if store is not None or spec.outside is not None else contextlib.nullcontext():
        work = _lay_inputs(spec, stage, bodies, private_key=unlocked.private_key)
    bodies.start_verifying()
    room = Room(spec.walls, stage, work, group, spec.limits, channel, began + spec.limits.wall_seconds, spec.loopback)
    room = replace(room, witness=ready.witness, keepers=space.keepers)
    wire.send(channel, {"type": "started"})
    ended = _run(room, spec, ready.first)
    result = _result(spec, ended, bodies)
    result.cpu_seconds = round(_cpu_seconds(group), 3)
    result.peak_memory_bytes = group.peak_memory()
    if result.cause not in ("canceled", "system"):
        try:
            _take(result, spec, _Left(folders, ended, unlocked.recipient, source, store))
        except TooMuch:
            result.cause, result.exit_code, result.reason = "disk_full", None, TOO_MUCH
    space.close()
    return result


def _store(socket: Path) -> "Store":
    from sandbox import far  # the zygote has it already where all bodies are far

    return far.at(socket)


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


@contextlib.contextmanager
def _ends_when_told(channel: socket.socket) -> Iterator[None]:
    """End this process if a word comes, or the dispatcher goes: what comes from afar may keep us waiting for long.

    After the work order the only word is to cancel. Nothing runs yet; memory and mounts go with the process.
    """
    stop, done = os.pipe2(os.O_CLOEXEC)

    def watch() -> None:
        poll = select.poll()  # not select(): descriptors may be above 1,024
        poll.register(channel, select.POLLIN)
        poll.register(stop, select.POLLIN)
        if stop not in dict(poll.poll()):
            os._exit(0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(done, b"x")
        thread.join()
        os.close(stop)
        os.close(done)


def _lay_inputs(spec: Spec, stage: Stage, bodies: Bodies, *, private_key: bytes) -> Work:
    inline = [given for given in spec.inputs if isinstance(given, Inline)]
    mounts.write_inline(stage, inline)
    fetched = staging.fetch(spec, stage, private_key)
    staged = staging.stage(bodies, stage, most=spec.limits.stage_bytes)
    viewed = len(staged) < len(bodies.bodies)
    if viewed:  # without encrypted inputs that are read as the task goes there is no view to mount
        fd = mounts.open_view(stage, max_read=MAX_READ)
        View(bodies, below=WORK, uid=stage.uid, without=staged).start(fd)
    return mounts.work_of(stage, with_view=viewed, with_inline=bool(inline or staged or fetched))


def _run(room: Room, spec: Spec, first: FirstProcess) -> list[Ended]:
    ended: list[Ended] = []
    for executor in spec.executors:
        if ended:
            first.close()
            first = FirstProcess(room.group.doors)
            room = replace(room, work=Work(room.work.path, ()))  # the first has joined it, for all
        stage = replace(room.stage, root=executor.root)
        mounts.check_mount_points(stage)
        ended.append(executors.run(replace(room, stage=stage), executor, first))
        if not _went_on(ended[-1], executor):
            break  # TES 1.1: executors run in order until one fails
    return ended


def _went_on(ended: Ended, executor: Executor) -> bool:
    return ended.cause == "exited" and (ended.exit_code == 0 or executor.ignore_error)


def _result(spec: Spec, ended: Sequence[Ended], bodies: Bodies) -> Result:
    last = ended[-1]
    result = Result(last.cause, last.exit_code, last.reason or REASONS[last.cause])
    if _went_on(last, spec.executors[len(ended) - 1]):
        result.exit_code = 0
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
    store: "Store | None"  # None where bodies lie in a folder


def _take(result: Result, spec: Spec, left: _Left) -> None:
    inputs = {given.path for given in spec.inputs}
    found = collect.collect(left.folders, spec.outputs, inputs=inputs, limits=spec.limits)
    if spec.answer is not None:
        answer = collect.read_answer(left.folders, spec.answer)
        result.answer = base64.b64encode(answer).decode() if answer is not None else None
    plains = [Plain(one.path, "output", _opener(left.folders, one.path)) for one in found.files]
    plains += _logs(left.ended)
    sealed = _seal(spec, plains, left)
    if sealed:
        left.source.register(sealed)
    telling = [
        Told(one.path, one.tells, _opener(left.folders, one.path)) for one in spec.outputs if one.tells is not None
    ]
    result.outputs = seal.facts(sealed, told(one for one in telling if one.path in {f.path for f in found.files}))
    result.missing = list(found.missing)
    result.reason = result.reason or refusals(found)


def _seal(spec: Spec, plains: Sequence[Plain], left: _Left) -> list[SealedOutput]:
    recipient, padded = left.recipient, spec.kind == "task"
    if left.store is not None:
        return seal.seal_to_store(plains, left.store, recipient, padded=padded)
    assert isinstance(spec.bodies, Path)
    if isinstance(spec.keys, KeyFile):
        return seal.seal_files(plains, spec.bodies, recipient)
    # T32: what a task made is padded; what the airlock made is public once it leaves, and is sent as it lies there.
    return seal.seal_objects(plains, spec.bodies, recipient, padded=padded)


def _opener(folders: Mapping[str, int], path: str) -> Callable[[], io.FileIO]:
    return lambda: io.FileIO(collect.open_found(folders, path), "rb")


def _logs(ended: Sequence[Ended]) -> list[Plain]:
    # Decision 16: what a task prints is sealed like an output and never lies in clear anywhere.
    plains = []
    for number, one in enumerate(ended):
        if _holds(one.stdout):
            plains.append(Plain(f"{LOGS}/stdout.{number}", "stdout", _itself(one.stdout)))
        if _holds(one.stderr):
            plains.append(Plain(f"{LOGS}/stderr.{number}", "stderr", _itself(one.stderr)))
    return plains


def _itself(log: io.FileIO) -> Callable[[], io.FileIO]:
    return lambda: log


def _holds(log: io.FileIO) -> bool:
    return os.fstat(log.fileno()).st_size > 0


def _log(error: Exception) -> None:
    # Where, and what kind; the message of an exception may hold paths or values.
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{frame.name}:{frame.lineno}" for frame in frames)
    code = f" errno {error.errno}" if isinstance(error, OSError) else ""
    sys.stderr.write(f"sandbox: {type(error).__name__}{code} at {where}\n")
    sys.stderr.flush()
