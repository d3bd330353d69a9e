"""Carries messages in a folder, each there whole or not at all: kombu's own transport shows a reader empty files."""

import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

SCHEME = "folder"


class Channel(filesystem.Channel):
    """As kombu's, but for how a message is written, and for what happens to one that cannot be read."""

    def _put(self, queue: Any, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        # Named like kombu's, which are read in the order of their names; written under a name that no reader takes.
        folder, name = Path(self.data_folder_out), f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        fresh = folder / f".{name}.new"
        fresh.write_bytes(dumps(payload).encode())  # type: ignore[no-untyped-call]
        fresh.rename(folder / name)

    def _get(self, queue: Any, timeout: Any = None) -> Any:  # noqa: ARG002 - kombu has it
        try:
            return super()._get(queue)  # type: ignore[no-untyped-call]
        except ValueError as error:
            # A worker that stumbles ends only after its other jobs, which may wait for it; sweeps repeat the message.
            raise Empty from error


class Transport(filesystem.Transport):
    """Kombu's transport of folders, with our channel."""

    Channel = Channel


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
