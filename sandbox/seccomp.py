"""Writes the classic BPF program that lets a task make only the system calls that it needs."""

import errno
import platform
import struct
from collections.abc import Iterator
from functools import cache

from sandbox import syscalls

LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; low words, both machines are little-endian
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: AF_VSOCK would reach a hypervisor
_PERSONALITIES = (0, 0xFFFFFFFF)  # Linux, and the question which one it is
MACHINES = tuple(_AUDIT_ARCH)  # in the order of the columns of `syscalls`
CLONES = 7  # instructions that answer clone3 and clone, the first checked calls
Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def refuse(code: int) -> int:
    """Return the action that makes a call fail with this errno."""
    return 0x00050000 | code


@cache
def program(machine: str = platform.machine()) -> bytes:
    """Return the filter for this machine, as `bwrap --seccomp` reads it; raises KeyError for other machines."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions(machine))


def instructions(machine: str) -> Iterator[Instruction]:
    """Yield the filter: other machines' calls kill, checked calls look at arguments, the rest is a sorted list."""
    column = list(_AUDIT_ARCH).index(machine) if machine in _AUDIT_ARCH else -1
    yield LOAD, 0, 0, _ARCH
    yield JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]
    yield RETURN, 0, 0, KILL  # int 0x80 would go round a filter for x86_64 alone
    yield LOAD, 0, 0, _NUMBER
    yield JUMP_GREATER_EQUAL, 0, 1, _X32
    yield RETURN, 0, 0, KILL
    number = {name: row[column] for name, row in syscalls.CHECKED.items()}
    yield from when(number["clone3"], [(RETURN, 0, 0, refuse(errno.ENOSYS))])  # its flags are out of our sight
    yield from when(number["clone"], _unless_bits(0, _NEW_NAMESPACES, errno.EPERM))
    yield from when(number["ioctl"], _unless_in(1, _TERMINAL_INPUT, errno.EPERM))
    yield from when(number["personality"], _only_in(0, _PERSONALITIES, errno.EPERM))
    yield from when(number["socket"], _only_in(0, _FAMILIES, errno.EAFNOSUPPORT))
    yield from when(number["socketpair"], _only_in(0, _FAMILIES, errno.EAFNOSUPPORT))
    for name in ("setxattr", "lsetxattr", "fsetxattr"):  # no output keeps them, and fscrypt would write them in clear
        yield from when(number[name], [(RETURN, 0, 0, refuse(errno.EOPNOTSUPP))])
    yield from _sorted_list(syscalls.allowed(column))


def when(number: int, then: list[Instruction]) -> Iterator[Instruction]:
    """Yield what answers one call; each way through `then` must return."""
    yield JUMP_EQUAL, 0, len(then), number
    yield from then


def argument_at(index: int) -> int:
    """Return where the low word of an argument lies."""
    return _ARGUMENTS + 8 * index


def _argument(index: int) -> Instruction:
    return LOAD, 0, 0, argument_at(index)


def _unless_bits(index: int, bits: int, code: int) -> list[Instruction]:
    verdict: list[Instruction] = [(JUMP_BITS, 0, 1, bits), (RETURN, 0, 0, refuse(code)), (RETURN, 0, 0, ALLOW)]
    return [_argument(index), *verdict]


def _unless_in(index: int, values: tuple[int, ...], code: int) -> list[Instruction]:
    return _match(index, values, found=refuse(code), otherwise=ALLOW)


def _only_in(index: int, values: tuple[int, ...], code: int) -> list[Instruction]:
    return _match(index, values, found=ALLOW, otherwise=refuse(code))


def _match(index: int, values: tuple[int, ...], *, found: int, otherwise: int) -> list[Instruction]:
    count = len(values)
    tests: list[Instruction] = [(JUMP_EQUAL, count - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), *tests, (RETURN, 0, 0, otherwise), (RETURN, 0, 0, found)]


def _sorted_list(allowed: frozenset[int]) -> Iterator[Instruction]:
    # Walks up the numbers: below each boundary the verdict is that of the stretch which ends there.
    verdict = refuse(errno.EPERM)
    for number in range(syscalls.LAST_KNOWN + 1):
        now = ALLOW if number in allowed else refuse(errno.EPERM)
        if now != verdict:
            yield JUMP_GREATER_EQUAL, 1, 0, number
            yield RETURN, 0, 0, verdict
            verdict = now
    yield JUMP_GREATER_EQUAL, 1, 0, syscalls.LAST_KNOWN + 1
    yield RETURN, 0, 0, verdict
    yield RETURN, 0, 0, refuse(errno.ENOSYS)
