"""A message in the folder is there whole or not at all, and one that cannot be read stops nobody."""

import json
import threading
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import Connection

from strongroom.queue_folder import SCHEME, Transport

MANY = 150


def channel(folder: Path) -> Any:
    options = {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder / "c")}
    connection = Connection(f"{SCHEME}://", transport_options=options)
    assert isinstance(connection.transport, Transport)
    return connection.channel()


def test_who_reads_while_others_write_sees_each_message_once_and_whole(tmp_path: Path) -> None:
    writers = [threading.Thread(target=write, args=(channel(tmp_path), n)) for n in range(3)]
    reader, seen = channel(tmp_path), []
    for writer in writers:
        writer.start()
    while len(seen) < 3 * MANY and (any(w.is_alive() for w in writers) or list(tmp_path.glob("*.msg"))):
        try:
            seen.append(tuple(reader._get("celery")["body"]))
        except Empty:
            continue
    for writer in writers:
        writer.join()
    assert sorted(seen) == [(n, m) for n in range(3) for m in range(MANY)]


def write(to: Any, n: int) -> None:
    for m in range(MANY):
        to._put("celery", {"body": [n, m]})


def test_a_message_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1_x.celery.msg").write_bytes(b"")
    reader = channel(tmp_path)
    reader._put("celery", {"body": [1]})
    found = []
    while not found:
        try:
            found.append(reader._get("celery"))
        except Empty:
            continue
    assert json.loads(json.dumps(found)) == [{"body": [1]}]
