"""Shows decrypted inputs as a read-only file system, speaking the kernel's FUSE protocol over /dev/fuse."""

import contextlib
import enum
import errno
import fcntl
import os
import select
import stat
import struct
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue

from sandbox.body import BodyError
from sandbox.crypt4gh import SEGMENT, buffers
from sandbox.inputs import Bodies

MAX_READ = 128 << 10
CACHED_SEGMENTS = 64
HELPERS = max(1, min(4, os.cpu_count() or 1) - 1)  # ciphers and reads of files run outside Python's lock
_IN, _OUT, _READ = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ"), struct.Struct("<QQI")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY, _STATFS = struct.Struct("<QQQQII"), struct.Struct("<QQQQQIIII24x")
_FOREVER = 86400 * 365  # inputs never change
_ASYNC_READ, _PARALLEL_LOOKUPS, _MAX_PAGES = 1 << 0, 1 << 18, 1 << 22
_READDIRPLUS, _READDIRPLUS_WHEN_USED = 1 << 13, 1 << 14
_MINOR = 36
_CLONE = 0x8004E500  # FUSE_DEV_IOC_CLONE
_LARGEST_REQUEST = 16 << 10  # nothing is ever written to us; the kernel wants 8 KiB at least
_Buffers = tuple[memoryview, memoryview]
_NOTHING = memoryview(b"")


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
    READDIRPLUS = 44


@dataclass(slots=True)
class Node:
    """A file or folder of the view; `body` is the number of a file's body."""

    number: int
    parent: int
    mtime: int
    size: int = 0
    body: int | None = None
    children: dict[bytes, int] = field(default_factory=dict)
    names: list[tuple[bytes, int]] | None = None

    @property
    def mode(self) -> int:
        """Owner may make files beside inputs (in the layer above) and never write an input."""
        return stat.S_IFDIR | 0o755 if self.body is None else stat.S_IFREG | 0o444


class View:
    """The tree of inputs, and the answers to the kernel's questions about it."""

    def __init__(self, bodies: Bodies, *, below: str, uid: int, without: Collection[int] = ()) -> None:
        self._bodies = bodies
        self._uid = uid
        newest = max((body.mtime for body in bodies.bodies), default=0)
        self._nodes = [Node(0, 0, 0), Node(1, 1, newest)]  # 1 is FUSE's number of the root
        for number, body in enumerate(bodies.bodies):
            if number in without:
                continue
            *folders, name = os.fsencode(body.path.removeprefix(below + "/")).split(b"/")
            place = self._nodes[1]
            for part in folders:
                place = self._child(place, part, newest)
            leaf = self._child(place, name, body.mtime)
            leaf.body, leaf.size = number, body.size
        self._cache: OrderedDict[tuple[int, int], memoryview] = OrderedDict()
        self._lock = threading.Lock()
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._idle = 0

    def start(self, fd: int) -> None:
        """Answer the kernel in threads of our own until the mount is gone."""
        threading.Thread(target=self.serve, args=(fd,), daemon=True).start()
        for _ in range(HELPERS):
            with contextlib.suppress(OSError):  # one thread is enough to answer
                threading.Thread(target=self._help, args=(_clone(fd),), daemon=True).start()

    def serve(self, fd: int) -> None:
        """Answer the kernel until the mount is gone; while more than one question waits, helpers answer too."""
        request, room = bytearray(_LARGEST_REQUEST), buffers(MAX_READ // SEGMENT + 1)
        waiting = select.poll()
        waiting.register(fd, select.POLLIN)
        while (length := _next(fd, request)) is not None:
            # Threads that all waited for the kernel would take turns, at twice the price of one.
            if length and self._idle and waiting.poll(0):
                self._wanted.put(None)
            if length and not self._answered(fd, request, length, room):
                return

    def _help(self, fd: int) -> None:
        request, room = bytearray(_LARGEST_REQUEST), buffers(MAX_READ // SEGMENT + 1)
        while True:
            with self._lock:
                self._idle += 1
            self._wanted.get()
            with self._lock:
                self._idle -= 1
            while length := _next(fd, request):
                if not self._answered(fd, request, length, room):
                    return

    def _answered(self, fd: int, request: bytearray, length: int, room: _Buffers) -> bool:
        """Answer one question; say whether there may be more."""
        _, operation, unique, node, *_ = _IN.unpack_from(request)
        if operation in (_Op.FORGET, _Op.BATCH_FORGET, _Op.INTERRUPT):
            return True
        try:
            answer, code = self._answer(operation, node, memoryview(request)[40:length], room), 0
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
                return False
        return bool(operation != _Op.DESTROY)

    def _answer(self, operation: int, number: int, body: memoryview, room: _Buffers) -> Sequence[bytes | memoryview]:
        match operation:
            case _Op.READ:
                _, offset, size = _READ.unpack_from(body)
                return self._read(self._nodes[number], offset, size, room=room)
            case _Op.LOOKUP:
                child = self._nodes[number].children.get(bytes(body[:-1]))
                return (self._entry(child),)
            case _Op.GETATTR:
                return (struct.pack("<QII", _FOREVER, 0, 0), self._attributes(self._nodes[number]))
            case _Op.READDIR | _Op.READDIRPLUS:
                _, offset, size = _READ.unpack_from(body)
                return (self._listing(self._nodes[number], offset, size, plus=operation == _Op.READDIRPLUS),)
            case _Op.INIT:
                return (_init(body),)
            case _Op.STATFS:
                return (_STATFS.pack(0, 0, 0, 0, 0, SEGMENT, 255, SEGMENT, 0),)
            case _Op.DESTROY:
                return ()
            case _:
                raise NotImplementedError

    def _read(self, node: Node, offset: int, size: int, *, room: _Buffers) -> Sequence[bytes | memoryview]:
        end = min(offset + size, node.size)
        if node.body is None or offset >= end:
            return ()
        shown = self._bodies.bodies[node.body].shown
        if shown is None:
            return (self._plain(node.body, offset, end, room=room),)
        return (b"".join(bytes(self._plain(node.body, *place, room=room)) for place in shown.locate(offset, end)),)

    def _plain(self, body: int, offset: int, end: int, *, room: _Buffers) -> memoryview:
        scratch, target = room
        first, last = offset // SEGMENT, (end - 1) // SEGMENT
        if first == last and end - offset < SEGMENT:
            return self._segment(body, first, room)[offset - first * SEGMENT : end - first * SEGMENT]
        self._bodies.read_into(body, first, count=last - first + 1, scratch=scratch, target=target)
        return target[offset - first * SEGMENT : end - first * SEGMENT]

    def _segment(self, body: int, number: int, room: _Buffers) -> memoryview:
        """Return one segment; it is kept from its second reading on, as most are read once."""
        scratch, target = room
        with self._lock:
            found = self._cache.get((body, number))
            if found:
                self._cache.move_to_end((body, number))
                return found
        again = found is not None
        target = memoryview(bytearray(SEGMENT)) if again else target
        found = target[: self._bodies.read_into(body, number, count=1, scratch=scratch, target=target)]
        with self._lock:
            self._cache[body, number] = found if again else _NOTHING
            self._cache.move_to_end((body, number))
            if len(self._cache) > CACHED_SEGMENTS:
                self._cache.popitem(last=False)
        return found

    def _entry(self, number: int | None) -> bytes:
        if number is None:
            return _ENTRY.pack(0, 0, _FOREVER, _FOREVER, 0, 0) + bytes(88)
        return _ENTRY.pack(number, 0, _FOREVER, _FOREVER, 0, 0) + self._attributes(self._nodes[number])

    def _attributes(self, node: Node) -> bytes:
        times = (node.mtime, node.mtime, node.mtime)
        links = 1 if node.body is not None else 2
        owner = (self._uid, self._uid)
        blocks = -(-node.size // 512)
        return _ATTRIBUTES.pack(
            node.number, node.size, blocks, *times, 0, 0, 0, node.mode, links, *owner, 0, SEGMENT, 0
        )

    def _listing(self, node: Node, offset: int, size: int, *, plus: bool) -> bytes:
        listing = bytearray()
        for place, (name, number) in self._names(node, offset):
            # With READDIRPLUS a name brings its attributes, except `.` and `..`, whose entries stay empty.
            entry = self._entry(number if place > 1 else None) if plus else b""
            entry += struct.pack("<QQII", number, place + 1, len(name), self._nodes[number].mode >> 12) + name
            entry += bytes(-len(entry) % 8)
            if len(listing) + len(entry) > size:
                break
            listing += entry
        return bytes(listing)

    def _names(self, node: Node, offset: int) -> Iterator[tuple[int, tuple[bytes, int]]]:
        own = [(b".", node.number), (b"..", node.parent)]
        if node.names is None:  # a tree that never changes is listed once, however many requests a listing takes
            node.names = list(node.children.items())
        for place in range(offset, len(own) + len(node.names)):
            yield place, own[place] if place < len(own) else node.names[place - len(own)]

    def _child(self, parent: Node, name: bytes, mtime: int) -> Node:
        number = parent.children.get(name)
        if number is None:
            number = parent.children[name] = len(self._nodes)
            self._nodes.append(Node(number, parent.number, mtime))
        return self._nodes[number]


def _next(fd: int, request: bytearray) -> int | None:
    """Read the kernel's next question; return 0 when there is none for now, None when the mount is gone."""
    try:
        return os.readv(fd, [request])
    except OSError as error:
        return 0 if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT) else None


def _clone(fd: int) -> int:
    """Return another descriptor of the same mount, which does not wait for questions."""
    clone = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.ioctl(clone, _CLONE, struct.pack("I", fd))
    except OSError:
        os.close(clone)
        raise
    return clone


def _init(body: memoryview) -> bytes:
    _, minor, _, flags = struct.unpack_from("<IIII", body)
    wanted = flags & (_ASYNC_READ | _PARALLEL_LOOKUPS | _MAX_PAGES | _READDIRPLUS | _READDIRPLUS_WHEN_USED)
    start = struct.pack("<IIII", 7, min(minor, _MINOR), MAX_READ, wanted)
    background, congestion, largest_write, nanoseconds = 64, 48, 4096, 1
    rest = struct.pack("<HHIIHH", background, congestion, largest_write, nanoseconds, MAX_READ // 4096, 0)
    return start + rest + bytes(32)
