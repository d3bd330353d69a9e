"""Shows decrypted inputs as a read-only file system, speaking the kernel's FUSE protocol over /dev/fuse."""

import enum
import errno
import os
import stat
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.crypt4gh import SEGMENT
from sandbox.inputs import Bodies, BodyError, buffers

MAX_READ = 128 << 10
CACHED_SEGMENTS = 64
_IN, _OUT, _READ = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ"), struct.Struct("<QQI")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY, _STATFS = struct.Struct("<QQQQII"), struct.Struct("<QQQQQIIII24x")
_FOREVER = 86400 * 365  # inputs never change
_ASYNC_READ, _PARALLEL_LOOKUPS, _MAX_PAGES = 1 << 0, 1 << 18, 1 << 22
_MINOR = 36


class _Op(enum.IntEnum):
    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    READ = 15
    STATFS = 17
    INIT = 26
    READDIR = 28
    INTERRUPT = 36
    DESTROY = 38
    BATCH_FORGET = 42


@dataclass
class Node:
    """A file or folder of the view; `body` is the number of a file's body."""

    number: int
    parent: int
    mtime: int
    size: int = 0
    body: int | None = None
    children: dict[bytes, int] = field(default_factory=dict)

    @property
    def mode(self) -> int:
        """Owner may make files beside inputs (in the layer above) and never write an input."""
        return stat.S_IFDIR | 0o755 if self.body is None else stat.S_IFREG | 0o444


class View:
    """The tree of inputs, and the answers to the kernel's questions about it."""

    def __init__(self, bodies: Bodies, *, below: str, uid: int) -> None:
        self._bodies = bodies
        self._uid = uid
        newest = max((body.mtime for body in bodies.bodies), default=0)
        self._nodes = [Node(0, 0, 0), Node(1, 1, newest)]  # 1 is FUSE's number of the root
        for number, body in enumerate(bodies.bodies):
            *folders, name = os.fsencode(body.path.removeprefix(below + "/")).split(b"/")
            place = self._nodes[1]
            for part in folders:
                place = self._child(place, part, newest)
            leaf = self._child(place, name, body.mtime)
            leaf.body, leaf.size = number, body.reader.size
        self._cache: OrderedDict[tuple[int, int], memoryview] = OrderedDict()
        self._scratch, self._target = buffers(MAX_READ // SEGMENT + 1)

    def serve(self, fd: int) -> None:
        """Answer the kernel until the mount is gone."""
        request = bytearray(MAX_READ + 8192)
        while True:
            try:
                length = os.readv(fd, [request])
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return  # ENODEV: unmounted
            _, operation, unique, node, *_ = _IN.unpack_from(request)
            if operation in (_Op.FORGET, _Op.BATCH_FORGET, _Op.INTERRUPT):
                continue
            try:
                answer, code = self._answer(operation, node, memoryview(request)[40:length]), 0
            except BodyError:
                answer, code = (), errno.EIO
            except (IndexError, struct.error):
                answer, code = (), errno.EINVAL
            except NotImplementedError:
                answer, code = (), errno.ENOSYS  # the kernel asks once and remembers: open, getxattr, access …
            try:
                os.writev(fd, [_OUT.pack(16 + sum(map(len, answer)), -code, unique), *answer])
            except OSError as error:
                if error.errno != errno.ENOENT:  # ENOENT: the asker was interrupted
                    return
            if operation == _Op.DESTROY:
                return

    def _answer(self, operation: int, number: int, body: memoryview) -> Sequence[bytes | memoryview]:
        match operation:
            case _Op.READ:
                _, offset, size = _READ.unpack_from(body)
                return self._read(self._nodes[number], offset, size)
            case _Op.LOOKUP:
                child = self._nodes[number].children.get(bytes(body[:-1]))
                if child is None:
                    return (_ENTRY.pack(0, 0, _FOREVER, _FOREVER, 0, 0), bytes(88))
                return (_ENTRY.pack(child, 0, _FOREVER, _FOREVER, 0, 0), self._attributes(self._nodes[child]))
            case _Op.GETATTR:
                return (struct.pack("<QII", _FOREVER, 0, 0), self._attributes(self._nodes[number]))
            case _Op.READDIR:
                _, offset, size = _READ.unpack_from(body)
                return (self._listing(self._nodes[number], offset, size),)
            case _Op.INIT:
                return (_init(body),)
            case _Op.STATFS:
                return (_STATFS.pack(0, 0, 0, 0, 0, SEGMENT, 255, SEGMENT, 0),)
            case _Op.DESTROY:
                return ()
            case _:
                raise NotImplementedError

    def _read(self, node: Node, offset: int, size: int) -> Sequence[memoryview]:
        end = min(offset + size, node.size)
        if node.body is None or offset >= end:
            return ()
        first, last = offset // SEGMENT, (end - 1) // SEGMENT
        if first == last and end - offset < SEGMENT:
            return (self._segment(node.body, first)[offset - first * SEGMENT : end - first * SEGMENT],)
        self._bodies.read_into(node.body, first, count=last - first + 1, scratch=self._scratch, target=self._target)
        return (self._target[offset - first * SEGMENT : end - first * SEGMENT],)

    def _segment(self, body: int, number: int) -> memoryview:
        found = self._cache.get((body, number))
        if found is not None:
            self._cache.move_to_end((body, number))
            return found
        target = memoryview(bytearray(SEGMENT))
        got = self._bodies.read_into(body, number, count=1, scratch=self._scratch, target=target)
        found = self._cache[body, number] = target[:got]
        if len(self._cache) > CACHED_SEGMENTS:
            self._cache.popitem(last=False)
        return found

    def _attributes(self, node: Node) -> bytes:
        times = (node.mtime, node.mtime, node.mtime)
        links = 1 if node.body is not None else 2
        owner = (self._uid, self._uid)
        blocks = -(-node.size // 512)
        return _ATTRIBUTES.pack(
            node.number, node.size, blocks, *times, 0, 0, 0, node.mode, links, *owner, 0, SEGMENT, 0
        )

    def _listing(self, node: Node, offset: int, size: int) -> bytes:
        names = [(b".", node.number), (b"..", node.parent), *node.children.items()]
        listing = bytearray()
        for place in range(offset, len(names)):
            name, number = names[place]
            entry = struct.pack("<QQII", number, place + 1, len(name), self._nodes[number].mode >> 12) + name
            entry += bytes(-len(entry) % 8)
            if len(listing) + len(entry) > size:
                break
            listing += entry
        return bytes(listing)

    def _child(self, parent: Node, name: bytes, mtime: int) -> Node:
        number = parent.children.get(name)
        if number is None:
            number = parent.children[name] = len(self._nodes)
            self._nodes.append(Node(number, parent.number, mtime))
        return self._nodes[number]


def _init(body: memoryview) -> bytes:
    _, minor, _, flags = struct.unpack_from("<IIII", body)
    wanted = flags & (_ASYNC_READ | _PARALLEL_LOOKUPS | _MAX_PAGES)
    start = struct.pack("<IIII", 7, min(minor, _MINOR), MAX_READ, wanted)
    background, congestion, largest_write, nanoseconds = 64, 48, 4096, 1
    rest = struct.pack("<HHIIHH", background, congestion, largest_write, nanoseconds, MAX_READ // 4096, 0)
    return start + rest + bytes(32)
