"""Takes one wall away, in tests only: an attack must work without the wall that is said to stop it."""

import contextlib
import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sandbox_lab import Ended, Lab, wait

from sandbox import cgroups, kernel, landlock, plan, processes, scratch_fscrypt, seccomp, supervisor, wire
from sandbox import walls_bubblewrap as walls

Weakening = Callable[[], None]
ALLOW_ALL = struct.pack("<HBBI", seccomp.RETURN, 0, 0, seccomp.ALLOW)


def run_without(lab: Lab, weakenings: Sequence[Weakening], *commands: Sequence[str], **changes: Any) -> Ended:
    """Run an attempt as `Lab.run` does, in a supervisor of its own whose walls are weakened first."""
    with launched_without(weakenings, lab.spec(*commands, **changes)) as (_, channel):
        return lab.ended(wait(channel))


@contextlib.contextmanager
def launched_without(weakenings: Sequence[Weakening], spec: dict[str, Any]) -> Iterator[tuple[int, socket.socket]]:
    """Give a supervisor that weakens its walls first, and the channel of its attempt."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            for weaken in weakenings:
                weaken()
            supervisor.main(lambda: theirs)
        finally:
            os._exit(1)
    theirs.close()
    with ours:
        wire.send_raw(ours, json.dumps(spec).encode())
        try:
            yield pid, ours
        finally:
            ours.close()
            os.waitpid(pid, 0)


def no_filter() -> None:
    """Let every system call through."""
    seccomp.program = lambda: ALLOW_ALL  # type: ignore[assignment]


def no_encryption_of_files() -> None:
    """Leave out the policy, so that the kernel has a key and encrypts nothing with it."""
    scratch_fscrypt._encrypt = lambda folder, key: None


def no_landlock() -> None:
    """Leave out the second layer."""
    landlock.restrict = lambda plan, *, loopback: None


def no_empty_environment() -> None:
    """Start bubblewrap with the environment of its starter, as a careless launcher does."""
    plan.environment = lambda: {"SECRET": "of the supervisor"}


def open_secret() -> None:
    """Hold an inheritable descriptor, as a careless library does; alone this takes no wall away."""
    secret = os.memfd_create("secret", 0)
    os.write(secret, b"of the supervisor")
    os.dup2(secret, 77, inheritable=True)


def no_closing_of_descriptors() -> None:
    """Let what is inheritable be inherited."""
    plan.shut = lambda: ("write", "/dev/null", "")


def no_cgroups() -> None:
    """Find no place to make cgroups in, as on a node without them or without root."""
    none = cgroups.Hierarchies({}, None, frozenset())
    cgroups.hierarchies = lambda: none  # type: ignore[assignment]


def no_reaping() -> None:
    """Wait for the first process only, as a careless launcher does."""
    processes.kill_all = lambda pid, *, at_once, spared: os.waitpid(pid, 0)[1]


def not_apart() -> None:
    """Start bubblewrap among the processes of the host, as a careless launcher does."""
    unshare = kernel.unshare
    kernel.unshare = lambda flags: unshare(flags & ~kernel.CLONE_NEWPID)


def with_capabilities() -> None:
    """Give the task every capability inside its user namespace."""
    lacking("--cap-drop ALL")()
    without = walls.arguments
    walls.arguments = lambda *given, **named: ["--cap-add", "ALL", *without(*given, **named)]


def root_inside() -> None:
    """Let the task be root in its user namespace, which then needs no second one below it."""
    walls.IN_SANDBOX_UID = 0


def lacking(*options: str) -> Weakening:
    """Return the weakening that leaves out these options of bubblewrap; each stands there with its values."""

    def weaken() -> None:
        whole = walls.arguments

        def arguments(*given: Any, **named: Any) -> list[str]:
            found = whole(*given, **named)
            for option in options:
                words = option.split()
                place = next(n for n in range(len(found)) if found[n : n + len(words)] == words)
                del found[place : place + len(words)]
            return found

        walls.arguments = arguments

    return weaken


@contextlib.contextmanager
def listening(address: Any, *, family: socket.AddressFamily = socket.AF_INET) -> Any:
    """Listen on the host; yield the address."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        yield listener.getsockname()


def only_version_1() -> None:
    """See only the cgroups of version 1, as on an older node."""
    found = cgroups.hierarchies()
    cgroups.hierarchies = lambda: cgroups.Hierarchies(found.v1, None, frozenset())  # type: ignore[assignment]


def only_version_2() -> None:
    """See one cgroup tree of version 2 mounted where distributions mount it, in a mount namespace of our own."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    subprocess.run(["umount", "--recursive", "/sys/fs/cgroup"], check=True)
    kernel.mount("cgroup", "/sys/fs/cgroup", kind="cgroup2")
    cgroups.hierarchies.cache_clear()
    assert not cgroups.hierarchies().v1
    assert cgroups.hierarchies().v2
