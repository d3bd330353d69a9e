"""Serves an application on a loopback port, and types commands at it as one person after the other."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
import uvicorn
from airlock_scene import Scene
from click.testing import CliRunner
from fastapi import FastAPI

from strongroom.identity import mint_token


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an application on a loopback port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class Desk:
    """Types commands as one person after the other."""

    def __init__(self, stage: Scene, server: str) -> None:
        self.stage, self.server = stage, server

    def type(self, group: typer.Typer, name: str, *words: str) -> Any:
        """Run a command as NAME; return click's result."""
        token = mint_token(self.stage.settings, name)
        command = typer.main.get_command(group)
        return CliRunner().invoke(command, [*words, "--token", token, "--server", self.server])

    def json(self, group: typer.Typer, name: str, *words: str) -> Any:
        """Run a command as NAME that must succeed; return what its --json says."""
        done = self.type(group, name, *words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)
