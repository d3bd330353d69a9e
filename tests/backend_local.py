"""The place of the suite for backends where attempts are the dispatcher's own children."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from backend_house import House, Told, eventually, follow

from tes import body_door
from tes.backends import Launch
from tes.backends.local import LOST, Local


class LocalPlace:
    """One host."""

    name = "local"

    def __init__(self, house: House) -> None:
        self.house = house
        self.backend = Local(house.signer)

    def submit(self, *commands: Sequence[str], **changes: Any) -> Told:
        """Start an attempt."""
        return follow(self.backend, self.house.launch(self.name, self.house.broker.path, *commands, **changes))

    def another_life(self, *left: Told) -> list[Told]:
        """Kill the dispatcher and start another, which takes up what it left."""
        dead = self.backend
        dead._zygote.close()
        for told in left:
            told.end()
        dead._zygote.close()  # it started another; who is dead does not
        self.backend = Local(self.house.signer)
        followed = [follow(self.backend, told.launch, resumed=True) for told in left]
        self.backend.sweep()
        assert all(told.end() == LOST for told in followed)
        return followed

    @contextmanager
    def answers_are_lost(self) -> Iterator[None]:
        """Lose the answers of the scheduler; there is none."""
        yield

    def copies(self, attempt: str) -> int:
        """Return how often the scheduler has the attempt."""
        return self.house.claims.count(attempt)

    def start_again(self, launch: Launch) -> None:
        """Have the scheduler start it a second time; there is none."""

    def all_is_over(self, attempt: str) -> None:
        """Wait until the scheduler has nothing more of the attempt to run."""


@contextmanager
def open_place(_request: pytest.FixtureRequest, folder: Path, **more: Any) -> Iterator[LocalPlace]:
    """Return the place."""
    house = House(folder, **more)
    place = LocalPlace(house)
    if body_door.is_needed(house.settings):
        given = (house.settings, place.backend.launch_of)
        threading.Thread(target=body_door.serve, args=given, daemon=True).start()
        eventually((house.settings.sockets / body_door.NAME).exists, "the door of bodies stays shut")
    try:
        yield place
    finally:
        place.backend._zygote.close()
        house.close()
