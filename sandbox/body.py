"""Says what an encrypted input is, and what is wrong when its body is another."""

from dataclasses import dataclass
from pathlib import Path

from sandbox.crypt4gh import Reader
from sandbox.editlists import Shown

CHANGED = "An input's stored body is not the one that was registered; the task's outputs were dropped."


class BodyError(Exception):
    """A stored body is not what was registered; the sentence is safe to show."""


@dataclass(frozen=True)
class Body:
    """One encrypted input: at `path` in the task's tree, in `file` on this host, or as `object` in the store.

    `length` counts the whole file, but for padding (T32); `sha256` is None for a complete Crypt4GH file, whose body
    no row describes. `shown` is what an edit list leaves to be seen. `whole`: read in one go, before the task starts.
    """

    path: str
    file: Path | None
    length: int
    sha256: str | None
    mtime: int
    reader: Reader
    shown: Shown | None = None
    whole: bool = False
    object: str = ""

    @property
    def size(self) -> int:
        """Bytes that the task sees."""
        return self.reader.size if self.shown is None else self.shown.size
