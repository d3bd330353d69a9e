"""Holds a task apart a second time where the kernel has Landlock: no TCP, no socket or signal to the outside."""

import ctypes
import struct
from functools import cache

from sandbox.plan import Plan, memory

# Rules on files are left out: they would forbid bubblewrap to mount, and nothing of ours runs after it.
_CREATE_RULESET = 444  # the same on every machine
_ASK_VERSION = 1
_BIND_TCP, _CONNECT_TCP = 1, 2
_ABSTRACT_UNIX_SOCKET, _SIGNAL = 1, 2
NETWORK_SINCE, SCOPE_SINCE = 4, 6  # versions of the interface: Linux 6.7 and 6.12
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def version() -> int:
    """Return the version of Landlock's interface, 0 where this kernel has none or has it switched off."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)))


def rules(of_version: int, *, loopback: bool) -> bytes:
    """Return `struct landlock_ruleset_attr` for this version, empty if it can hold nothing that we want."""
    network = 0 if loopback else _BIND_TCP | _CONNECT_TCP
    if of_version >= SCOPE_SINCE:
        return struct.pack("QQQ", 0, network, _ABSTRACT_UNIX_SOCKET | _SIGNAL)
    if of_version >= NETWORK_SINCE and network:
        return struct.pack("QQ", 0, network)
    return b""


def restrict(plan: Plan, *, loopback: bool) -> None:
    """Add the step that restricts a process and all that it will start; `loopback` leaves TCP to its namespace."""
    attributes = rules(version(), loopback=loopback)
    if attributes:
        plan.add(("landlock", plan.take(memory(attributes))))
