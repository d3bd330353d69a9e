"""The filter's shape, and what it answers, run in a small interpreter of classic BPF."""

import errno
import struct

import pytest

from sandbox import seccomp, syscalls
from sandbox.seccomp import ALLOW, KILL, refuse

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}
MACHINES = list(ARCH)


def answer(machine: str, number: int, *arguments: int, arch: int | None = None) -> int:
    data = struct.pack(
        "<IIQ6Q", number, ARCH[machine] if arch is None else arch, 0, *arguments, *[0] * (6 - len(arguments))
    )
    program = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
    accumulator = place = 0
    while True:
        code, if_true, if_false, operand = program[place]
        place += 1
        match code:
            case seccomp.LOAD:
                (accumulator,) = struct.unpack_from("<I", data, operand)
            case seccomp.RETURN:
                return int(operand)
            case seccomp.JUMP_EQUAL:
                place += if_true if accumulator == operand else if_false
            case seccomp.JUMP_GREATER_EQUAL:
                place += if_true if accumulator >= operand else if_false
            case seccomp.JUMP_BITS:
                place += if_true if accumulator & operand else if_false
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


@pytest.mark.parametrize("machine", MACHINES)
def test_exactly_the_list_is_allowed(machine: str) -> None:
    listed = syscalls.allowed(COLUMN[machine])
    checked = {row[COLUMN[machine]] for row in syscalls.CHECKED.values()}
    assert not listed & checked
    for number in range(syscalls.LAST_KNOWN + 1):
        if number not in checked:
            assert answer(machine, number) == (ALLOW if number in listed else refuse(errno.EPERM)), number


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_are_newer_than_the_list_do_not_exist(machine: str) -> None:
    for number in (syscalls.LAST_KNOWN + 1, 600, 0x3FFFFFFF):
        assert answer(machine, number) == refuse(errno.ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
def test_other_machines_and_x32_kill(machine: str) -> None:
    assert answer(machine, 0, arch=0x40000003) == KILL
    assert answer(machine, 0x40000000) == KILL
    assert answer(machine, 0xFFFFFFFF) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_are_looked_at(machine: str) -> None:
    number = {name: row[COLUMN[machine]] for name, row in syscalls.CHECKED.items()}
    assert answer(machine, number["clone"], 0x3D0F00) == ALLOW  # a thread
    for flag in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(machine, number["clone"], flag | 17) == refuse(errno.EPERM)
    assert answer(machine, number["clone3"]) == refuse(errno.ENOSYS)
    for family in range(64):
        for name in ("socket", "socketpair"):
            expected = ALLOW if family in (1, 2, 10, 16) else refuse(errno.EAFNOSUPPORT)
            assert answer(machine, number[name], family) == expected
    assert answer(machine, number["ioctl"], 0, 0x5401) == ALLOW
    for request in (0x5412, 0x541C, 0xFFFFFFFF00005412):  # the kernel looks at 32 bits, and so do we
        assert answer(machine, number["ioctl"], 0, request) == refuse(errno.EPERM)
    assert answer(machine, number["personality"], 0xFFFFFFFF) == ALLOW
    assert answer(machine, number["personality"], 0x0040000) == refuse(errno.EPERM)
    for name in ("setxattr", "lsetxattr", "fsetxattr"):
        assert answer(machine, number[name]) == refuse(errno.EOPNOTSUPP)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_is_small_enough_for_the_kernel(machine: str) -> None:
    assert len(seccomp.program(machine)) // 8 <= 4096


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        seccomp.program("riscv64")
