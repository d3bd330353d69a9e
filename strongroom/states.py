"""The one rule for all state machines: a move that is not in the table does not happen."""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from strongroom.errors import Conflict

S = TypeVar("S", bound=Enum)
Steps = Mapping[S, frozenset[S]]


class IllegalStep(Conflict):
    """A move that the table does not hold was asked for."""


def step(steps: Steps[S], state: S, to: S) -> S:
    """Return `to` if the table allows the move from `state`; raise `IllegalStep` otherwise."""
    if to not in steps.get(state, frozenset()):
        raise IllegalStep(f"What is {state.value} cannot become {to.value}.")
    return to
