"""Keeps a process that holds keys from being dumped or looked into."""

import ctypes
import os
import resource

from strongroom.errors import Unavailable

_PR_SET_DUMPABLE = 4


def keep_to_yourself() -> None:
    """Refuse core dumps and ptrace by others of our uid; call it before any key is read."""
    # A limit of 0 does not stop a piped core handler; 1 is what the kernel takes for "no dump".
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise Unavailable(f"The kernel refuses to protect this process: {os.strerror(ctypes.get_errno())}.")
