"""Says what walls are, and opens those that a spec names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, Protocol, assert_never

from sandbox import steps
from sandbox.mounts import Stage
from sandbox.spec import Executor, Spec, WallsName
from sandbox.steps import Means, Orders

IN_SANDBOX_UID = 1000
RUN_SIZE = 1 << 20
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the task's own
    "LANG": "C.UTF-8",
}


class WallsError(Exception):
    """This node cannot put up these walls; the sentence says what the operator can do."""


@dataclass(frozen=True)
class Trace:
    """What is left of an executor whose processes are dead: a status file, a wait status, and its first words."""

    stage: Stage
    status: int
    outcome: int
    said: bytes  # on standard error; where walls are, they speak first


@dataclass(frozen=True)
class Verdict:
    """The command's own exit code, or None when it was killed or our fault kept it from starting; and its fault."""

    exit_code: int | None
    reason: str | None = None


# The task's own fault, told as a shell would.
NO_STREAM = Verdict(steps.NO_STREAM, "A stream of this executor cannot be opened.")
NO_FOLDER = Verdict(126, "The working folder of this executor is not there.")
NO_COMMAND = Verdict(127, "The command of this executor is not there.")


class Walls(Protocol):
    """A program that puts namespaces, or a kernel of its own, round one command."""

    def check(self, spec: Spec) -> None:
        """Raise `WallsError` when this node cannot do it, or not what the spec asks for."""

    def enter(self, orders: Orders, means: Means) -> NoReturn:
        """In the first process: become the program."""

    def verdict(self, trace: Trace) -> Verdict:
        """Return how the command ended."""


def open_walls(name: WallsName) -> Walls:
    """Return the walls of this name."""
    match name:
        case "bubblewrap":
            from sandbox import walls_bubblewrap

            return walls_bubblewrap
        case "crun" | "runsc":
            from sandbox.walls_oci import RUNTIMES

            return RUNTIMES[name]
        case never:
            assert_never(never)


def environment(executor: Executor) -> Mapping[str, str]:
    """Return all that a command finds in its environment."""
    return {**_DEFAULTS, **dict(executor.env)}
