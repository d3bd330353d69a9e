"""Keeps signed results on a node's disk until the dispatcher has them."""

import contextlib
import json
import os
import re
import sys
import threading
from pathlib import Path

from sandbox.door import Door, DoorClosed, DoorRefused
from sandbox.wire import Message

EVERY = 1.0  # seconds between two tries
_NAME = re.compile(r"([0-9a-f]{32})\.json")


class Spool:
    """A folder of results, one file each, root's alone; a result is signed and holds no plaintext (T22)."""

    def __init__(self, folder: Path, door: Door) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._door = door
        self._waiting = threading.Event()
        self._waiting.set()  # an earlier life may have left some

    def put(self, attempt: str, said: Message, *, more: Message) -> Message | None:
        """Have a result, with its attempt's pass, on disk before anybody is told; `run` tells it until it's heard.

        Return the answer; `more` is said this once alone, and None returned when it was not heard.
        """
        path, draft = self._folder / f"{attempt}.json", self._folder / f".{attempt}"
        with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        _sync(self._folder)
        answer = self._told(path, more)
        if answer is None:
            self._waiting.set()
        return answer

    def run(self) -> None:
        """Tell what waits, for ever."""
        while True:
            self._waiting.wait()
            self._waiting.clear()
            left = [path for path in sorted(self._folder.iterdir()) if _NAME.fullmatch(path.name)]
            if None in [self._told(path, {}) for path in left]:
                threading.Event().wait(EVERY)
                self._waiting.set()

    def _told(self, path: Path, more: Message) -> Message | None:
        """Return the answer, empty for one that is not wanted; None if it must be told again."""
        answer: Message = {}
        try:
            said = json.loads(path.read_text())
            result = {"attempt": path.stem, "pass": said["pass"], "result": said["result"]}
            answer = self._door.ask({"verb": "result", **result, **more})
        except DoorClosed:
            return None
        except FileNotFoundError:
            return {}  # told by the other thread
        except DoorRefused as error:
            if error.status >= 500:
                return None
            sys.stderr.write(f"agent: the result of {path.stem} is not wanted: {error}\n")
        except (KeyError, TypeError, ValueError):
            sys.stderr.write(f"agent: {path.name} in the spool is no result\n")
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return answer


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
