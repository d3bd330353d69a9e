"""Writes the clean copy of a log: printable ASCII, the last ten kilobytes, or only lines of known templates."""

import re
from collections import deque

from ..findings import Code, refuse
from ..patterns import matches
from ..promise import Promise
from ..subject import Prose

# What a person reads of a log; older lines stay inside with the whole of it.
MAX_BYTES = 10_000
_MAX_LINE = 400
_PRINTABLE = re.compile(r"[ -~]*")


def write(prose: Prose, promise: Promise) -> bytes:
    """Return the last lines that fit; with templates, lines that match none of them are left out (T13)."""
    kept: deque[str] = deque()
    length = 0
    for row in range(len(prose.lines), 0, -1):
        line = prose.lines[row - 1].replace("\t", " ").rstrip()
        if promise.lines and not any(matches(pattern, line) for pattern in promise.lines):
            continue
        if not _PRINTABLE.fullmatch(line):
            raise refuse(Code.CONTROL_CHARACTERS if line.isascii() else Code.ENCODING, row=row)
        if len(line) > _MAX_LINE:
            raise refuse(Code.CONTRACT_VALUE, row=row)
        length += len(line) + 1
        if length > MAX_BYTES or len(kept) >= promise.max_rows:
            break
        kept.appendleft(line)
    return "".join(f"{line}\n" for line in kept).encode("ascii")
