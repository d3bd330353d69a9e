"""Runs the checks on files in processes of their own: inside the walls of bubblewrap where it works (T27)."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import airlock.checks
from airlock.answers import Answer
from airlock.checks.answer import failed
from airlock.checks.codes import Code
from airlock.checks.findings import found
from airlock.checks.promise import Promise
from airlock.checks.thresholds import Policy
from sandbox import bubblewrap, seccomp

CODE = Path(airlock.checks.__file__).parent
SECONDS = 120
_MOST_HEAD = 20
_MOST_ANSWERS = 1 << 26
_LIMITS = (
    "import resource as r, sys; r.setrlimit(r.RLIMIT_AS, (4 << 30,) * 2); r.setrlimit(r.RLIMIT_CPU, (110, 115)); "
    "r.setrlimit(r.RLIMIT_FSIZE, (1 << 30,) * 2); r.setrlimit(r.RLIMIT_CORE, (0, 0)); "
)
_PROGRAM = _LIMITS + "import pathlib; sys.path.insert(0, sys.argv[1]); from checks.many import main; "
INTERPRETER = _PROGRAM + "main(pathlib.Path(sys.argv[2]), 1, *map(pathlib.Path, sys.argv[3:]))"


@dataclass(frozen=True)
class Walls:
    """Whether bubblewrap works here, and why not; whether there can be walls for each file within them."""

    firm: bool
    why: str = ""
    nested: bool = False


@cache
def walls() -> Walls:
    """Try the walls once, around a request that is none."""
    try:
        for nested in (True, False):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "0").mkdir()
                if _told(_inside(Path(folder), nested=nested)):
                    return Walls(firm=True, nested=nested)
    except (bubblewrap.NoBubblewrap, OSError) as error:
        return Walls(
            firm=False, why=str(error) if isinstance(error, bubblewrap.NoBubblewrap) else "They do not start."
        )
    return Walls(firm=False, why="This user may not build them here.")


def refused(policy: Policy, code: Code) -> dict[str, Any]:
    """Return the answer for a file that is stopped before anybody reads it."""
    return failed("check", policy, found(code)).as_json()


@dataclass(frozen=True)
class Asked:
    """One file to judge: its name in the answers, where it lies, what was promised of it, what that needs beside."""

    name: str
    path: Path
    promise: Promise | None = None
    supporting: Mapping[str, Path] = field(default_factory=dict)


def ask(files: Sequence[Asked], *, policy: Policy, walls: Walls) -> list[dict[str, Any]]:
    """Return the checks' answer for each file; whatever goes wrong in a parser is an answer that blocks.

    The files share outer walls, and each is read by a child within walls of its own (T27). One without an answer is
    asked about once more alone.
    """
    answers: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        for number, one in enumerate(files):
            try:
                folder = place / f"{number}"
                _lay_out(one, folder, seen=_seen(folder, walls), policy=policy)
            except _NotTaken as refusal:
                answers[number] = refused(policy, refusal.code)
                shutil.rmtree(folder)
        told = _inside(place, nested=walls.nested) if walls.firm else _outside(place)
        answers = _told(told) | answers
    for number, one in enumerate(files):
        if number not in answers:
            again = len(files) > 1
            answers[number] = (
                ask([one], policy=policy, walls=walls)[0] if again else refused(policy, Code.INSPECTION_FAILED)
            )
    return [answers[number] for number in range(len(files))]


def _seen(folder: Path, walls: Walls) -> Path:
    """Return what the child that judges a file calls the folder of its request."""
    if walls.nested:
        return Path("/run/work")
    return Path("/run/work", folder.name) if walls.firm else folder


def _lay_out(one: Asked, place: Path, *, seen: Path, policy: Policy) -> None:
    """Write the request about a file and copies of what it needs into a folder, which its jail calls `seen`."""
    place.mkdir()
    _take(one.path, place / "subject", most=policy.max_bytes)
    needed = {}
    for number, (name, source) in enumerate(sorted(one.supporting.items())):
        _take(source, place / f"needed-{number}", most=policy.max_bytes)
        needed[name] = str(seen / f"needed-{number}")
    request = {
        "kind": "check",
        "file": str(seen / "subject"),
        "name": one.name,
        "rule": None if one.promise is None else one.promise.as_json(),
        "policy": policy.as_json(),
        "supporting": needed,
        "raw": True,
    }
    (place / "request.json").write_text(json.dumps(request))


def _told(raw: bytes) -> dict[int, dict[str, Any]]:
    """Return the answers that can be believed in what a jail wrote, by the numbers of their folders."""
    answers: dict[int, dict[str, Any]] = {}
    while raw:
        head, _, raw = raw.partition(b"\n")
        match head.split():
            case [number, length] if number.isdigit() and length.isdigit() and len(head) <= _MOST_HEAD:
                content, raw = raw[: int(length)], raw[int(length) :]
            case _:
                break
        with contextlib.suppress(ValidationError):
            Answer.model_validate_json(content)
            answers[int(number)] = json.loads(content)
    return answers


class _NotTaken(Exception):
    def __init__(self, code: Code) -> None:
        super().__init__(code.value)
        self.code = code


def _take(path: Path, target: Path, *, most: int) -> None:
    """Copy a plain file of a size that any check would read; never follow a link, never wait for a pipe."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise _NotTaken(Code.SPECIAL_FILE) from None
    with os.fdopen(handle, "rb") as source:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise _NotTaken(Code.SPECIAL_FILE)
        if facts.st_size > most:
            raise _NotTaken(Code.TOO_LARGE)
        with target.open("wb") as copy:
            shutil.copyfileobj(source, copy)


def _inside(place: Path, *, nested: bool) -> bytes:
    """Have the requests in the folders of `place` answered behind walls, each by walls of its own where they nest."""
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for folder in ("usr", "lib", "lib64", "bin", "sbin"):
        found_there = Path("/", folder)
        if found_there.is_symlink():
            words += ["--symlink", str(found_there.readlink()), str(found_there)]
        elif found_there.is_dir():
            words += ["--ro-bind", str(found_there), str(found_there)]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108
    words += ["--ro-bind", sys.prefix, "/opt/venv", "--ro-bind", str(CODE), "/run/checks/checks"]
    words += ["--ro-bind", str(place), "/run/work", "--chdir", "/run/work"]
    with open(os.memfd_create("filter"), "w+b") as program:
        program.write(seccomp.program())
        program.seek(0)
        if nested:
            words += ["--ro-bind-data", str(program.fileno()), "/run/filter", "--dir", "/run/nothing"]
        else:
            words += ["--seccomp", str(program.fileno())]
        python = ["/opt/venv/bin/python", "-I", "-B", "-c", INTERPRETER, "/run/checks", "/run/work"]
        python += ["/run/filter", "/run/nothing"] if nested else []
        return _run([str(bubblewrap.find_bubblewrap().path), *words, "--", *python], passed=(program.fileno(),))


def _outside(place: Path) -> bytes:
    return _run([sys.executable, "-I", "-B", "-c", INTERPRETER, str(CODE.parent), str(place)])


def _run(command: list[str], *, passed: tuple[int, ...] = ()) -> bytes:
    """Return what a command wrote in its time; what it did not write is missing."""
    with tempfile.TemporaryFile() as out:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command,
                pass_fds=passed,
                timeout=SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env={},
            )
        out.seek(0)
        return out.read(_MOST_ANSWERS)
