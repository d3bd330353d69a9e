"""The one rule for state machines: what the table does not hold does not happen."""

from enum import Enum
from itertools import product

import pytest

from strongroom.errors import Conflict
from strongroom.states import IllegalStep, step


class Light(Enum):
    RED = "red"
    GREEN = "green"
    BROKEN = "broken"


STEPS = {Light.RED: frozenset({Light.GREEN, Light.BROKEN}), Light.GREEN: frozenset({Light.RED})}
ALLOWED = {(Light.RED, Light.GREEN), (Light.RED, Light.BROKEN), (Light.GREEN, Light.RED)}


@pytest.mark.parametrize(("state", "to"), list(product(Light, Light)))
def test_only_what_the_table_holds_is_a_step(state: Light, to: Light) -> None:
    if (state, to) in ALLOWED:
        assert step(STEPS, state, to) is to
    else:
        with pytest.raises(IllegalStep, match=f"What is {state.value} cannot become {to.value}"):
            step(STEPS, state, to)


def test_an_illegal_step_is_a_conflict() -> None:
    assert issubclass(IllegalStep, Conflict)
    assert IllegalStep.status == 409
