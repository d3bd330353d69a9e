"""A vetter learns by name what a task was refused; the walls are no weaker while somebody listens."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kernel_attacks import PRIVILEGED, REFUSED_TWICE, UNPRIVILEGED
from sandbox_lab import Lab, python, shell

from sandbox import denials, seccomp

LOOSEN = """
import ctypes, errno, json, struct
libc = ctypes.CDLL(None, use_errno=True)
program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FC00000))
header = struct.pack("HxxxxxxQ", 1, ctypes.addressof(program))
number = 277 if __import__("os").uname().machine == "aarch64" else 317
answers = []
for flags in (8, 8 | 32, 8 | 1, 8 | 16):
    libc.syscall(number, 1, flags, header)
    answers.append(errno.errorcode[ctypes.get_errno()])
print(json.dumps(answers))
"""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def explained(lab: Lab, *commands: list[str], **changes: Any) -> tuple[Any, list[str]]:
    """Run `python -m sandbox --explain-denials` and return what the task printed and what it was refused."""
    spec = lab.folder / "spec.json"
    spec.write_text(json.dumps(lab.spec(*commands, **changes)))
    command = [sys.executable, "-P", "-m", "sandbox", "--explain-denials", str(spec)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    message = json.loads(done.stdout)
    return lab.ended(message), message["refused_calls"]


def test_refused_calls_are_named(lab: Lab) -> None:
    ended, refused = explained(lab, python(UNPRIVILEGED))
    assert {"ptrace", "keyctl", "io_uring_setup", "process_vm_readv", "personality", "socket"} <= set(refused)
    assert "unshare" not in refused  # silent: bubblewrap needs it after the listener is there
    assert ended.json() == lab.run(python(UNPRIVILEGED)).json()


def test_nothing_refused_is_nothing_named(lab: Lab) -> None:
    ended, refused = explained(lab, shell("echo calm"))
    assert (ended.stdout, refused) == ("calm\n", [])


@pytest.mark.parametrize("attack", [REFUSED_TWICE, PRIVILEGED])
def test_every_answer_is_that_of_the_strict_filter(lab: Lab, attack: str) -> None:
    ended, _ = explained(lab, python(attack))
    assert ended.json() == lab.run(python(attack)).json()


def test_a_task_cannot_put_its_own_listener_in_front(lab: Lab) -> None:
    ended, _ = explained(lab, python(LOOSEN))
    assert set(ended.json()) == {"EPERM"}


def test_foreign_tables_still_kill(lab: Lab) -> None:
    if os.uname().machine != "x86_64":
        return  # only x86 has more than one
    code = "import ctypes; ctypes.CDLL(None).syscall(0x40000027); print('alive')"
    ended, _ = explained(lab, python(code))
    assert ended.message["exit_code"] == 128 + 31


def test_only_a_key_file_run_is_explained(lab: Lab) -> None:
    key = "A" * 43 + "="
    broker = {"type": "broker", "socket": str(lab.folder / "none"), "broker_public_key": key}
    spec = lab.folder / "spec.json"
    spec.write_text(json.dumps(lab.spec(shell("true"), keys=broker)))
    command = [sys.executable, "-P", "-m", "sandbox", "--explain-denials", str(spec)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert "by hand only" in json.loads(done.stdout)["reason"]


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_every_refused_number_has_a_name(machine: str) -> None:
    column = seccomp.MACHINES.index(machine)
    allowed = seccomp.syscalls.allowed(column)
    named = denials.numbers(machine)
    assert not allowed & named.keys()
    assert {"mount", "ptrace", "socket", "unshare", "clone"} <= set(named.values())
