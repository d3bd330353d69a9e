"""Says what walls are, and opens those that a spec names."""

from typing import Protocol, assert_never

from sandbox.spec import Spec, WallsName
from sandbox.steps import Means, Orders, Trace, Verdict


class Walls(Protocol):
    """A program that puts namespaces, or a kernel of its own, round one command."""

    def check(self, spec: Spec) -> None:
        """Raise `WallsError` when this node cannot do it, or not what the spec asks for."""

    def enter(self, orders: Orders, means: Means) -> None:
        """Add the steps by which a first process becomes the program."""

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
