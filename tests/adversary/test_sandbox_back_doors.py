"""The kernel's back doors are shut by the filter and by having no capability: each attack works without that wall."""

import os
from pathlib import Path
from typing import Any

import pytest
from kernel_attacks import FOREIGN, MACHINE_CODE, NEW_USER_NAMESPACE, PRIVILEGED, REFUSED_TWICE, UNPRIVILEGED
from sandbox_lab import Lab, python
from weaker_walls import Weakening, lacking, no_filter, root_inside, run_without, with_capabilities


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def answers(lab: Lab, code: str, *weakenings: Weakening) -> dict[str, Any]:
    found = run_without(lab, weakenings, python(code)).json()
    assert isinstance(found, dict)
    return found


def test_what_any_program_may_ask_the_kernel_for_is_refused_by_the_filter(lab: Lab) -> None:
    control = answers(lab, UNPRIVILEGED, no_filter)
    assert {name for name, answer in control.items() if answer != "worked"} <= {"AF_VSOCK"}, control
    found = answers(lab, UNPRIVILEGED)
    assert found.pop("AF_VSOCK") == "EAFNOSUPPORT"
    assert set(found.values()) == {"EPERM"}, found


def test_what_settings_of_the_host_may_leave_open_is_refused_by_the_filter(lab: Lab) -> None:
    found = answers(lab, REFUSED_TWICE)
    assert {answer for name, answer in found.items() if name.startswith("AF_")} == {"EAFNOSUPPORT"}, found
    assert {answer for name, answer in found.items() if not name.startswith("AF_")} == {"EPERM"}, found
    assert answers(lab, REFUSED_TWICE, no_filter) != found  # it is the filter that answers


def test_mounts_and_namespaces_are_refused_twice(lab: Lab) -> None:
    # So a task is in the user namespace that owns its mounts; else it is in one below it, where they are not its own.
    owner = [with_capabilities, root_inside, lacking("--disable-userns", "--assert-userns-disabled")]
    control = answers(lab, PRIVILEGED, no_filter, *owner)
    assert set(control.values()) == {"worked"}, control
    for walls in (owner, [no_filter]):
        found = answers(lab, PRIVILEGED, *walls)
        assert "worked" not in found.values(), found


def test_a_user_namespace_of_its_own_is_refused_twice(lab: Lab) -> None:
    allowed = lacking("--disable-userns", "--assert-userns-disabled")
    assert answers(lab, NEW_USER_NAMESPACE, no_filter, allowed) == {"unshare_user": "worked"}
    assert answers(lab, NEW_USER_NAMESPACE, no_filter) == {"unshare_user": "ENOSPC"}
    assert answers(lab, NEW_USER_NAMESPACE, allowed) == {"unshare_user": "EPERM"}


def test_foreign_system_call_tables_kill(lab: Lab) -> None:
    if os.uname().machine != "x86_64":
        return  # only x86 has more than one
    for code in FOREIGN.values():
        attack = python(MACHINE_CODE.format(code=code))
        assert run_without(lab, [no_filter], attack).stdout == "alive\n"
        ended = lab.run(attack)
        assert "alive" not in ended.stdout
        assert ended.message["exit_code"] == 128 + 31  # SIGSYS


def test_a_task_may_filter_itself_but_not_loosen_ours(lab: Lab) -> None:
    code = """
import ctypes, errno, json, struct
libc = ctypes.CDLL(None, use_errno=True)
program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000))
header = struct.pack("HxxxxxxQ", 1, ctypes.addressof(program))
number = 277 if __import__("os").uname().machine == "aarch64" else 317
ours = libc.syscall(number, 1, 0, header)
libc.syscall(425, 2, program)
print(json.dumps(dict(installed=ours, still=errno.errorcode[ctypes.get_errno()])))
"""
    assert lab.run(python(code)).json() == {"installed": 0, "still": "EPERM"}
