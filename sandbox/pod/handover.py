"""Hands what `seal` needs over from `stage`, through a volume in memory that only these two mount."""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sandbox.pod.places import KEYS

_FILE = Path(KEYS) / "handover"


@dataclass(frozen=True)
class Handover:
    """The rest of an attempt; the one-time X25519 key is not in it: whoever seals opens nothing."""

    spec: bytes
    taken: str  # the pass
    secret: bytes  # the attempt's signing key
    recipient: bytes

    def give(self) -> None:
        """Let `seal` have it, by one rename."""
        said = {
            "spec": self.spec.decode(),
            "pass": self.taken,
            "secret": base64.b64encode(self.secret).decode(),
            "recipient": base64.b64encode(self.recipient).decode(),
        }
        part = _FILE.with_suffix(".part")
        with open(part, "x", opener=lambda path, flags: os.open(path, flags, 0o440)) as file:
            json.dump(said, file)
        part.rename(_FILE)

    @classmethod
    def take(cls) -> "Handover | None":
        """Return what was handed over; None before."""
        try:
            said = json.loads(_FILE.read_text())
        except FileNotFoundError:
            return None
        return cls(
            spec=said["spec"].encode(),
            taken=said["pass"],
            secret=base64.b64decode(said["secret"]),
            recipient=base64.b64decode(said["recipient"]),
        )
