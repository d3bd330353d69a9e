"""Runs one spec by hand and prints the result: `python -m sandbox spec.json`."""

import json
import os
import socket
import sys
from pathlib import Path

from sandbox import supervisor, wire
from sandbox.denials import Witness

EXPLAIN = "--explain-denials"  # for vetters: which system calls was the task refused?
USAGE = f"usage: python -m sandbox [{EXPLAIN}] SPEC.json   (the spec is described in docs/sandbox-spec.md)\n"


def main(arguments: list[str]) -> int:
    """Return 0 when the executors ended well, 1 when they did not, 2 when nothing was run."""
    explain = EXPLAIN in arguments
    paths = [argument for argument in arguments if argument != EXPLAIN]
    if len(paths) != 1:
        sys.stderr.write(USAGE)
        return 2
    try:
        raw = Path(paths[0]).read_bytes()
    except OSError as error:
        sys.stderr.write(f"The spec cannot be read: {error.strerror}.\n")
        return 2
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.fork() == 0:
        ours.close()
        supervisor.main(lambda: theirs, witness=Witness() if explain else None)
    theirs.close()
    wire.send_raw(ours, raw)
    while (message := wire.recv(ours)) is not None:
        if message["type"] == "claim":
            wire.send(ours, {"type": "refused", "reason": "by hand, only a key file gives keys"})
        elif message["type"] == "result":
            sys.stdout.write(json.dumps(message, indent=2) + "\n")
            return 0 if (message["cause"], message["exit_code"]) == ("exited", 0) else 1
    sys.stderr.write("The supervisor died.\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
