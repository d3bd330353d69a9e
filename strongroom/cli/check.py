"""`strongroom check`: the airlock's disclosure checks on files of one's own, alone and inside walls."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from airlock.policy import FLOOR
from sandbox import bubblewrap, seccomp
from strongroom.cli.client import AsJson, out, print_json
from strongroom.errors import BadRequest, NotFound, StrongroomError
from strongroom.settings import load

INTERPRETER = "import sys; sys.path.insert(0, '/run/checks'); from checks.jail import main; main()"
SECONDS = 120
BLOCKED = 6


def check(
    paths: Annotated[list[Path], typer.Argument(help="Files to check.", exists=True, dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Say what the airlock would find in these files; exit code 6 when one would be stopped."""
    answers = {str(path): inspect(path) for path in paths}
    if as_json:
        print_json(answers)
    else:
        table = Table("File", "Verdict", "Finding", "Reason")
        for path, answer in answers.items():
            findings = answer.get("findings") or [{}]
            for finding in findings:
                table.add_row(path, answer["verdict"], finding.get("code", ""), finding.get("reason", ""))
        out.print(table)
    if any(answer["verdict"] == "block" for answer in answers.values()):
        raise typer.Exit(BLOCKED)


def inspect(path: Path) -> dict[str, Any]:
    """Return the checks' answer for one file: parsed by a process without network, in a place of its own (T27)."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        request = {
            "kind": "check",
            "file": "/run/work/subject",
            "name": path.name,
            "rule": None,
            "policy": FLOOR.as_json(),
            "supporting": {},
            "raw": True,
        }
        if not stat.S_ISREG(path.lstat().st_mode):
            raise BadRequest(f"{path.name} is not a plain file; links and pipes are not checked.")
        shutil.copyfile(path, place / "subject", follow_symlinks=False)
        (place / "request.json").write_text(json.dumps(request))
        _run(place)
        try:
            answer: dict[str, Any] = json.loads((place / "answer.json").read_text())
        except FileNotFoundError as error:
            raise NotFound("The checks gave no answer; the file cannot be inspected.") from error
    return answer


def _run(place: Path) -> None:
    words = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for folder in ("usr", "lib", "lib64", "bin", "sbin"):
        found = Path("/", folder)
        if found.is_symlink():
            words += ["--symlink", str(found.readlink()), str(found)]
        elif found.is_dir():
            words += ["--ro-bind", str(found), str(found)]
    words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]  # noqa: S108
    words += ["--ro-bind", sys.prefix, "/opt/venv", "--ro-bind", str(load().airlock.checks), "/run/checks/checks"]
    words += ["--bind", str(place), "/run/work", "--chdir", "/run/work"]
    with contextlib.ExitStack() as stack:
        program = os.memfd_create("filter")
        stack.callback(os.close, program)
        os.write(program, seccomp.program())
        os.lseek(program, 0, os.SEEK_SET)
        python = ["/opt/venv/bin/python", "-I", "-B", "-c", INTERPRETER]
        try:
            subprocess.run(
                [str(bubblewrap.find_bubblewrap().path), *words, "--seccomp", str(program), "--", *python],
                pass_fds=(program,),
                timeout=SECONDS,
                check=False,
                capture_output=True,
            )
        except subprocess.TimeoutExpired as error:
            raise StrongroomError("The checks did not end in time; the file cannot be inspected.") from error
