"""Holds what one inspection may still unpack: bytes, members, depth (threats.md T30)."""

from ..findings import Code, refuse
from ..thresholds import Policy

MAX_MEMBERS = 1000
MAX_DEPTH = 4
# A member above a megabyte that shrank by more than this holds nothing that a person wants to read.
MAX_RATIO = 250
_ROOM_BEFORE_RATIO = 1 << 20


class Budget:
    """One for each inspected file, shared by all that is nested in it."""

    def __init__(self, policy: Policy) -> None:
        self.left = policy.max_unpacked_bytes
        self.members = MAX_MEMBERS

    def check_ratio(self, packed: int, unpacked: int) -> None:
        """Refuse what its own index calls a bomb, before a byte of it is unpacked."""
        if unpacked > self.left or (unpacked > _ROOM_BEFORE_RATIO and unpacked > MAX_RATIO * max(packed, 1)):
            raise refuse(Code.ARCHIVE_BOMB)

    def spend(self, size: int) -> None:
        """Take unpacked bytes off; refuses once they are used up."""
        self.left -= size
        if self.left < 0:
            raise refuse(Code.ARCHIVE_BOMB)

    def enter(self, depth: int) -> None:
        """Count one more member at `depth`."""
        self.members -= 1
        if self.members < 0:
            raise refuse(Code.TOO_MANY_MEMBERS)
        if depth > MAX_DEPTH:
            raise refuse(Code.TOO_DEEP)
