"""Says what a spec is: the only input of a sandbox, parsed strictly into frozen facts."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from sandbox.crypt4gh import body_length_of, segments_of
from sandbox.fields import MOST_ENTRIES, RUN, TAKEN, WORK, Fields, SpecError, check_path, is_below
from sandbox.patterns import has_wildcards
from sandbox.telling import Telling, parse_telling

VERSION = 1
Kind = Literal["task", "check", "view", "repack", "members"]
WallsName = Literal["bubblewrap", "crun", "runsc"]
OutputType = Literal["FILE", "DIRECTORY"]
Driver = Literal["tmpfs", "gocryptfs", "fscrypt"]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEX = re.compile(r"[0-9a-f]{64}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Stored:
    """An input whose header comes in the broker's grant; its header-less Crypt4GH body is a file, or in the store."""

    path: str
    object: str
    body: Path | None
    size: int
    segments: int
    body_length: int
    body_sha256: str
    mtime: int
    read_whole: bool = False  # T32: once, in order, before the task starts; storage sees nothing else


@dataclass(frozen=True)
class Inline:
    """An input whose clear content stands in the spec."""

    path: str
    content: bytes
    mtime: int


@dataclass(frozen=True)
class Whole:
    """An input that is a complete Crypt4GH file; for runs by hand with a key file."""

    path: str
    file: Path
    mtime: int
    read_whole: bool = False


@dataclass(frozen=True)
class Outside:
    """An input of another site, fetched into memory; `number` is what it is called where its place is asked for."""

    path: str
    number: int
    most: int  # bytes
    mtime: int


Input = Stored | Inline | Whole | Outside


@dataclass(frozen=True)
class Output:
    """What is taken when the executors have ended, if it is there; with wildcards, all that match."""

    path: str
    type: OutputType
    wildcards: bool = False
    tells: Telling | None = None  # its lines are told in clear, if they are such lines (T17)

    @property
    def folder(self) -> str:
        """The folder that it lies in, as far as that can be said before it is there."""
        parts = PurePosixPath(self.path).parts[:-1]
        return str(PurePosixPath(*takewhile(lambda part: not (self.wildcards and has_wildcards(part)), parts)))


@dataclass(frozen=True)
class CodeMount:
    """A folder of the host that the task may read at `path`."""

    source: Path
    path: str


@dataclass(frozen=True)
class Executor:
    """One command; `workdir` is any folder, the streams are paths below /run/work or a volume, or None: captured."""

    command: tuple[str, ...]
    workdir: str
    env: tuple[tuple[str, str], ...]
    stdin: str | None
    stdout: str | None
    stderr: str | None
    root: int = 0  # which of the spec's images it runs in
    ignore_error: bool = False  # TES 1.1: those after it run whatever its exit code


@dataclass(frozen=True)
class Limits:
    """What the task may use: bytes, cores, processes, seconds of wall clock for all executors together."""

    memory_bytes: int
    cpu_cores: float
    pids: int
    scratch_bytes: int
    wall_seconds: float
    output_bytes: int
    output_files: int
    log_bytes: int
    stage_bytes: int = 0  # inputs that are together no larger are read into memory before the task starts


@dataclass(frozen=True)
class ScratchSpace:
    """Where `scratch_bytes` come from: memory, or encrypted disk below `folder` of the host."""

    driver: Driver = "tmpfs"
    folder: Path | None = None


@dataclass(frozen=True)
class KeyFile:
    """Keys for runs by hand: the reader's private key, and the public key that outputs are sealed to."""

    private_key: Path
    recipient: bytes


@dataclass(frozen=True)
class Broker:
    """Keys from the key broker: its socket, and the Ed25519 key that its grants are verified with."""

    socket: Path
    public_key: bytes


@dataclass(frozen=True)
class ObjectStore:
    """Where sealed bodies are had from and put to in place of folders: who signs URLs for them is at this socket."""

    socket: Path


@dataclass(frozen=True)
class Spec:
    """One task attempt."""

    kind: Kind
    attempt: str
    roots: tuple[Path, ...]  # unpacked images; the first is the spec's own
    uid: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    code_mounts: tuple[CodeMount, ...]
    executors: tuple[Executor, ...]
    limits: Limits
    bodies: Path | ObjectStore
    answer: str | None
    keys: KeyFile | Broker
    loopback: bool = False  # TCP inside the task's own network namespace
    scratch: ScratchSpace = ScratchSpace()
    walls: WallsName = "bubblewrap"
    volumes: tuple[str, ...] = ()  # folders that all executors share, empty at first
    outside: Path | None = None  # the socket where places of inputs of other sites are asked for
    trees: tuple[
        tuple[str, str], ...
    ] = ()  # by root, the digest of what it holds: who starts supervisors compares it
    writable_root: bool = False  # what the task writes outside its folders goes to scratch, and is thrown away


def spec_digest(raw: bytes) -> str:
    """Return the SHA-256 (hex) of the exact bytes: what a work order is bound to (T22)."""
    return hashlib.sha256(raw).hexdigest()


def parse_spec(raw: bytes) -> Spec:
    """Return the spec that these bytes hold, or raise `SpecError`; unknown fields are refused."""
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SpecError("The spec is not JSON.") from error
    top = Fields(given, "spec")
    if top.integer("version") != VERSION:
        raise SpecError(f"version: this sandbox reads version {VERSION}.")
    kind: Kind = top.choice("kind", get_args(Kind))
    roots = [top.host_path("rootfs")]
    executors = tuple(_executor(o, roots) for o in top.objects("executors"))
    spec = Spec(
        kind=kind,
        attempt=top.matching("attempt", _ID),
        roots=tuple(roots),
        uid=top.integer("uid", low=1, high=2**31),
        inputs=tuple(_input(o) for o in top.objects("inputs")),
        outputs=tuple(_output(o) for o in top.objects("outputs")),
        code_mounts=tuple(_code_mount(o) for o in top.objects("code_mounts")),
        executors=executors,
        limits=_limits(top.object("limits")),
        bodies=_bodies(top),
        answer=top.optional("answer", top.work_path),
        keys=_keys(top.object("keys")),
        loopback=top.flag("loopback"),
        scratch=_scratch(top.object("scratch")) if top.has("scratch") else ScratchSpace(),
        walls=top.choice("walls", get_args(WallsName)) if top.has("walls") else "bubblewrap",
        volumes=tuple(_volume(path) for path in top.texts("volumes")) if top.has("volumes") else (),
        writable_root=top.flag("writable_root"),
        trees=tuple(top.mapping("trees").items()) if top.has("trees") else (),
        outside=_socket(top.object("outside")) if top.has("outside") else None,
    )
    top.end()
    _check_whole(spec)
    return spec


def _check_whole(spec: Spec) -> None:
    if not spec.executors:
        raise SpecError("executors: at least one is needed.")
    if spec.answer is not None and spec.kind == "task":
        raise SpecError("answer: a task has none; its outputs are sealed.")
    for given in spec.inputs:
        match given, spec.keys:
            case (Stored(), KeyFile()) | (Whole(), Broker()):
                raise SpecError("inputs: `file` goes with a key file, `object` with the broker.")
            case (Outside(), KeyFile()):
                raise SpecError("inputs: `outside` goes with the broker.")
            case (Outside(), _) if spec.outside is None:
                raise SpecError("outside: it says where places of such inputs are asked for.")
            case (Stored(body=body), _) if (body is None) != isinstance(spec.bodies, ObjectStore):
                raise SpecError("inputs: `body` goes with a folder of bodies, and never with `store`.")
            case _:
                pass
    if isinstance(spec.bodies, ObjectStore) and isinstance(spec.keys, KeyFile):
        raise SpecError("store: it goes with the broker.")
    inputs = [given.path for given in spec.inputs]
    outputs = [output.path for output in spec.outputs] + ([spec.answer] if spec.answer else [])
    _check_distinct("inputs", inputs)
    _check_distinct("outputs", outputs)
    _check_distinct("code_mounts", [mount.path for mount in spec.code_mounts])
    taken = set(inputs)
    if any(str(parent) in taken for path in inputs for parent in PurePosixPath(path).parents):
        raise SpecError("inputs: one lies below another.")
    _check_distinct("volumes", spec.volumes)
    if any(is_below(one, other) for one in spec.volumes for other in spec.volumes if one != other):
        raise SpecError("volumes: one lies below another.")
    _check_inside(spec)
    if taken & set(outputs):  # decision 16: never a path that is an input
        raise SpecError("outputs: an input cannot be an output.")


def _check_inside(spec: Spec) -> None:
    folders = (WORK, *spec.volumes)
    for executor in spec.executors:
        for path in (executor.stdin, executor.stdout, executor.stderr):
            if path is not None and not any(path != folder and is_below(path, folder) for folder in folders):
                raise SpecError(f"executors: a stream lies below {WORK} or below a volume.")
    for output in spec.outputs:
        if output.path == WORK or not any(is_below(output.path, folder) for folder in folders):
            raise SpecError(f"outputs: a path lies below {WORK} or in a volume.")
        if output.wildcards and not any(is_below(output.folder, folder) for folder in folders):
            raise SpecError(f"outputs: wildcards stand below {WORK} or below a volume.")


def _check_distinct(name: str, paths: Sequence[str]) -> None:
    if len(set(paths)) != len(paths):
        raise SpecError(f"{name}: a path stands there twice.")


def _input(given: Fields) -> Input:
    path, mtime = given.work_path("path"), given.integer("mtime", high=2**40)
    found: Input
    if given.has("content"):
        found = Inline(path, given.base64("content"), mtime)
    elif given.has("file"):
        found = Whole(path, given.host_path("file"), mtime, given.flag("read_whole"))
    elif given.has("outside"):
        found = Outside(path, given.integer("outside", high=10**6), given.integer("most", high=2**50), mtime)
    else:
        found = Stored(
            path=path,
            object=given.matching("object", _ID),
            body=given.host_path("body") if given.has("body") else None,
            size=given.integer("size", high=2**62),
            segments=given.integer("segments", high=2**62),
            body_length=given.integer("body_length", high=2**62),
            body_sha256=given.matching("body_sha256", _HEX),
            mtime=mtime,
            read_whole=given.flag("read_whole"),
        )
        if (found.segments, found.body_length) != (segments_of(found.size), body_length_of(found.size)):
            raise SpecError("inputs: size, segments and body_length do not belong together.")
    given.end()
    return found


def _output(given: Fields) -> Output:
    kind: OutputType = given.choice("type", get_args(OutputType))
    tells = parse_telling(given.object("tells")) if given.has("tells") else None
    output = Output(given.task_path("path"), kind, given.flag("wildcards"), tells)
    if tells is not None and (kind != "FILE" or output.wildcards):
        raise SpecError("outputs: only one plain file tells its lines.")
    given.end()
    return output


def _volume(path: str) -> str:
    check_path(path, "volumes")
    if any(is_below(path, taken) for taken in TAKEN):
        raise SpecError(f"volumes: none lies in {', '.join(TAKEN)}.")
    return path


def _code_mount(given: Fields) -> CodeMount:
    path = given.text("path")
    check_path(path, given.where)
    if not path.startswith(RUN + "/") or PurePosixPath(WORK) in (PurePosixPath(path), *PurePosixPath(path).parents):
        raise SpecError("code_mounts: a path lies below /run and not below /run/work.")
    mount = CodeMount(given.host_path("source"), path)
    given.end()
    return mount


def _executor(given: Fields, roots: list[Path]) -> Executor:
    workdir = given.folder("workdir")
    command = tuple(given.texts("command"))
    if not command or not command[0]:
        raise SpecError("executors: a command is needed.")
    env = tuple(given.mapping("env").items())
    if any(not _VARIABLE.fullmatch(name) for name, _ in env):
        raise SpecError("executors: env holds a name that is no variable name.")
    stdin, stdout, stderr = (given.optional(name, given.task_path) for name in ("stdin", "stdout", "stderr"))
    rootfs = given.host_path("rootfs") if given.has("rootfs") else roots[0]
    if rootfs not in roots:
        roots.append(rootfs)
    ignore_error = given.flag("ignore_error")
    given.end()
    return Executor(command, workdir, env, stdin, stdout, stderr, roots.index(rootfs), ignore_error)


def _limits(given: Fields) -> Limits:
    limits = Limits(
        memory_bytes=given.integer("memory_bytes", low=1 << 20, high=2**50),
        cpu_cores=given.number("cpu_cores", high=4096),
        pids=given.integer("pids", low=8, high=1 << 20),
        scratch_bytes=given.integer("scratch_bytes", low=1 << 20, high=2**50),
        wall_seconds=given.number("wall_seconds", high=10**8),
        output_bytes=given.integer("output_bytes", high=2**50),
        output_files=given.integer("output_files", high=MOST_ENTRIES),
        log_bytes=given.integer("log_bytes", high=1 << 28),
        stage_bytes=given.integer("stage_bytes", high=2**50) if given.has("stage_bytes") else 0,
    )
    given.end()
    return limits


def _bodies(top: Fields) -> Path | ObjectStore:
    if not top.has("store"):
        return top.host_path("bodies")
    return ObjectStore(_socket(top.object("store")))


def _socket(given: Fields) -> Path:
    path = given.host_path("socket")
    given.end()
    return path


def _scratch(given: Fields) -> ScratchSpace:
    driver: Driver = given.choice("driver", get_args(Driver))
    space = ScratchSpace() if driver == "tmpfs" else ScratchSpace(driver, given.host_path("folder"))
    given.end()
    return space


def _keys(given: Fields) -> KeyFile | Broker:
    keys: KeyFile | Broker
    if given.choice("type", ("key_file", "broker")) == "key_file":
        keys = KeyFile(given.host_path("private_key"), given.key("recipient"))
    else:
        keys = Broker(given.host_path("socket"), given.key("broker_public_key"))
    given.end()
    return keys
