"""What the engine tests share: one room a test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from engine_gateway import EngineGateway
from engine_room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    folders = {name: tmp_path / name for name in ("flow", "view", "plain")}
    for folder in folders.values():
        folder.mkdir()
    socket = tmp_path / "tes.sock"
    gateway = EngineGateway(socket, plain=folders["plain"], view=folders["view"])
    room = Room(folders["flow"], folders["view"], folders["plain"], socket=socket, gateway=gateway)
    yield room
    for process in room.processes:
        with process:
            process.kill()
    for task in gateway.tasks:
        gateway.cancel(task)
    gateway.close()
