"""Runs the checks on one file in a process of their own: inside the walls of bubblewrap where it works (T27)."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import airlock.checks
from airlock.checks.answer import failed
from airlock.checks.codes import Code
from airlock.checks.findings import found
from airlock.checks.promise import Promise
from airlock.checks.thresholds import Policy
from sandbox import bubblewrap, seccomp

CODE = Path(airlock.checks.__file__).parent
SECONDS = 120
_LIMITS = (
    "import resource as r, sys; r.setrlimit(r.RLIMIT_AS, (4 << 30,) * 2); r.setrlimit(r.RLIMIT_CPU, (110, 115)); "
    "r.setrlimit(r.RLIMIT_FSIZE, (1 << 30,) * 2); r.setrlimit(r.RLIMIT_CORE, (0, 0)); "
)
_PROGRAM = _LIMITS + "import pathlib; sys.path.insert(0, sys.argv[1]); from checks.jail import main; "
INTERPRETER = _PROGRAM + "main(pathlib.Path(sys.argv[2]))"


@dataclass(frozen=True)
class Walls:
    """Whether bubblewrap works here, and why not."""

    firm: bool
    why: str = ""


@cache
def walls() -> Walls:
    """Try the walls once, around a program that does nothing."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            done = _inside(Path(folder), ["-c", "pass"], seconds=20)
    except (bubblewrap.NoBubblewrap, OSError, subprocess.TimeoutExpired) as error:
        return Walls(
            firm=False, why=str(error) if isinstance(error, bubblewrap.NoBubblewrap) else "They do not start."
        )
    return Walls(firm=done.returncode == 0, why="" if done.returncode == 0 else "This user may not build them here.")


def refused(policy: Policy, code: Code) -> dict[str, Any]:
    """Return the answer for a file that is stopped before anybody reads it."""
    return failed("check", policy, found(code)).as_json()


def ask(
    path: Path,
    name: str,
    *,
    policy: Policy,
    walls: Walls,
    promise: Promise | None = None,
    supporting: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Return the checks' answer for one file; whatever goes wrong in a parser is an answer that blocks."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        seen = place if not walls.firm else Path("/run/work")
        try:
            _take(path, place / "subject", most=policy.max_bytes)
            needed = {}
            for number, (needed_name, source) in enumerate(sorted((supporting or {}).items())):
                _take(source, place / f"needed-{number}", most=policy.max_bytes)
                needed[needed_name] = str(seen / f"needed-{number}")
        except _NotTaken as refusal:
            return refused(policy, refusal.code)
        request = {
            "kind": "check",
            "file": str(seen / "subject"),
            "name": name,
            "rule": None if promise is None else promise.as_json(),
            "policy": policy.as_json(),
            "supporting": needed,
            "raw": True,
        }
        (place / "request.json").write_text(json.dumps(request))
        try:
            _run(place, firm=walls.firm)
            answer: dict[str, Any] = json.loads((place / "answer.json").read_text())
        except (subprocess.TimeoutExpired, OSError, ValueError):
            return refused(policy, Code.INSPECTION_FAILED)
    return answer


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


def _run(place: Path, *, firm: bool) -> None:
    if firm:
        _inside(place, ["-c", INTERPRETER, "/run/checks", "/run/work"], seconds=SECONDS)
        return
    subprocess.run(
        [sys.executable, "-I", "-B", "-c", INTERPRETER, str(CODE.parent), str(place)],
        timeout=SECONDS,
        check=False,
        capture_output=True,
        env={},
    )


def _inside(place: Path, arguments: list[str], *, seconds: int) -> subprocess.CompletedProcess[bytes]:
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for folder in ("usr", "lib", "lib64", "bin", "sbin"):
        found_there = Path("/", folder)
        if found_there.is_symlink():
            words += ["--symlink", str(found_there.readlink()), str(found_there)]
        elif found_there.is_dir():
            words += ["--ro-bind", str(found_there), str(found_there)]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108
    words += ["--ro-bind", sys.prefix, "/opt/venv", "--ro-bind", str(CODE), "/run/checks/checks"]
    words += ["--bind", str(place), "/run/work", "--chdir", "/run/work"]
    with contextlib.ExitStack() as stack:
        program = os.memfd_create("filter")
        stack.callback(os.close, program)
        os.write(program, seccomp.program())
        os.lseek(program, 0, os.SEEK_SET)
        python = ["/opt/venv/bin/python", "-I", "-B", *arguments]
        return subprocess.run(
            [str(bubblewrap.find_bubblewrap().path), *words, "--seccomp", str(program), "--", *python],
            pass_fds=(program,),
            timeout=seconds,
            check=False,
            capture_output=True,
        )
