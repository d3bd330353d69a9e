"""Writes the filter of an engine's system calls: a task's, without memory that is of no process (T30)."""

import errno
import platform
import struct
from functools import cache

from sandbox import seccomp, syscalls

# What these make lives on while nobody has it, and is counted nowhere that a supervisor can look.
_WITHOUT_OWNER = ("shmget", "msgget")
_NUMBER = 0  # offset in struct seccomp_data


@cache
def program(machine: str = platform.machine()) -> bytes:
    """Return the filter for this machine, as `bwrap --seccomp` reads it; raises ValueError for other machines."""
    column = seccomp.MACHINES.index(machine)
    first: list[seccomp.Instruction] = [(seccomp.LOAD, 0, 0, _NUMBER)]
    for name in _WITHOUT_OWNER:
        refused = (seccomp.RETURN, 0, 0, seccomp.refuse(errno.ENOSYS))
        first += seccomp.when(syscalls.number(name, column), [refused])
    # What follows looks at the machine itself: of another one's call, these say no more than that it fails.
    return b"".join(struct.pack("<HBBI", *one) for one in first) + seccomp.program(machine)
