"""Opens tar member by member, and refuses whatever its blocks hold beside names, times, owners and members."""

import io
import re
import tarfile
from collections.abc import Iterator

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from .archive import folder, leads_out
from .budget import MAX_MEMBERS, Budget

_BLOCK = 512
_FILES, _FOLDER, _LONG, _SAID = b"0\0", b"5", b"LK", b"xg"
_GNU = b"ustar  \0"
# Where a header holds text that ends with its first zero: name, link, owner, group, rest of the name (POSIX ustar).
_TEXTS = (slice(0, 100), slice(157, 257), slice(265, 297), slice(297, 329), slice(345, 500))
_TIMES = slice(345, 369)  # GNU writes two more of them there
_LINK, _LAST = slice(157, 257), slice(500, 512)
_RECORD = re.compile(rb"(\d{1,9}) ([a-z]{1,20})=")
_NUMBER = re.compile(rb"-?\d{1,20}(?:\.\d{1,20})?")
_NUMBERS = frozenset({b"mtime", b"atime", b"ctime", b"uid", b"gid"})
_WORDS = frozenset({b"path", b"uname", b"gname"})


def read(content: bytes, *, policy: Policy, budget: Budget, nest: Nest) -> Bundle:
    """Return all regular members; links, devices and odd paths are findings."""
    seen: list[Finding] = []
    members: list[Subject] = []
    names: set[str] = set()
    owners: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for row, info in enumerate(archive, start=1):
                if row > MAX_MEMBERS:
                    raise refuse(Code.TOO_MANY_MEMBERS)
                if leads_out(info.name) or info.name in names or not (info.isreg() or info.isdir()) or info.sparse:
                    seen.append(found(Code.ARCHIVE_PATH, member=row))
                    continue
                names.add(info.name)
                owners |= {info.uname, info.gname} - {""}
                if info.isdir():
                    members.append(folder(info.name, policy=policy))
                    continue
                stream = archive.extractfile(info)
                body = stream.read() if stream is not None else b""
                budget.spend(len(body))
                members.append(nest(info.name, body))
            end = archive.offset
    except (tarfile.TarError, OSError, ValueError, EOFError):
        raise refuse(Code.BROKEN_FILE) from None
    if any(content[end:]):
        seen.append(found(Code.TRAILING_BYTES, offset=end))
    else:
        seen += _beside(content, end)
    if owners:
        members.append(Subject("owners", Format.TEXT, Prose(tuple(sorted(owners))), policy))
    if not members:
        seen.append(found(Code.EMPTY))
    return Bundle(tuple(members), tuple(seen))


def _beside(content: bytes, end: int) -> Iterator[Finding]:
    """Walk block by block, and name what no program shows: ends of texts and blocks, unknown and doubled records."""
    at, before = 0, b" "
    while at + _BLOCK <= end and any(head := content[at : at + _BLOCK]):
        kind = head[156:157]
        size = tarfile.nti(head[124:136])  # type: ignore[attr-defined]
        if size < 0:
            raise refuse(Code.BROKEN_FILE)
        held = size if kind in _FILES or kind in _LONG or kind in _SAID else 0
        start, at = at + _BLOCK, at + _BLOCK + -(-held // _BLOCK) * _BLOCK
        if any(content[start + held : at]) or (size and not held):
            yield found(Code.TRAILING_BYTES, offset=start + held)
        body = content[start : start + held]
        if not _is_plain_header(head) or (kind in _SAID and (before in _SAID or not _are_plain(body))):
            yield found(Code.HIDDEN_METADATA, offset=start - _BLOCK)
        if kind in _LONG and (before == kind or b"\0" in body.rstrip(b"\0") or not body.endswith(b"\0")):
            yield found(Code.HIDDEN_METADATA, offset=start)
        before = kind if kind in _LONG or kind in _SAID else b" "


def _is_plain_header(head: bytes) -> bool:
    gnu = head[257:265] == _GNU
    texts = [head[one] for one in (_TEXTS[:-1] if gnu else _TEXTS)]
    if any(any(text.partition(b"\0")[2]) for text in texts):
        return False
    if gnu and (any(head[_TIMES.stop :]) or head[_TIMES].strip(b"01234567 \0")):
        return False
    return not any(head[_LAST]) and not (any(head[_LINK]) and head[156:157] not in (b"1", b"2"))


def _are_plain(records: bytes) -> bool:
    """Return whether extended records are numbers and words that are judged elsewhere, each once (POSIX pax)."""
    seen: set[bytes] = set()
    while records:
        match = _RECORD.match(records)
        if match is None:
            return False
        length, key = int(match[1]), match[2]
        value = records[match.end() : length - 1]
        known = key in _WORDS or (key in _NUMBERS and _NUMBER.fullmatch(value))
        if not known or key in seen or length <= match.end() or records[length - 1 : length] != b"\n":
            return False
        seen.add(key)
        records = records[length:]
    return True
