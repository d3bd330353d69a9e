"""Serves the same file with pyfuse3 and our cipher: what a server on libfuse costs."""

import errno
import os
import stat
import sys
import time

import pyfuse3
import trio

from sandbox.crypt4gh import SEGMENT, Reader
from sandbox.inputs import buffers

FILE = 2


class Operations(pyfuse3.Operations):
    """One file in one folder, with an LRU of one segment: the reads here find nothing in a larger one."""

    def __init__(self, fd: int, reader: Reader) -> None:
        super().__init__()
        self._fd, self._reader = fd, reader
        self._scratch, self._target = buffers(4)

    async def getattr(self, inode: int, ctx: object = None) -> pyfuse3.EntryAttributes:  # noqa: ARG002
        found = pyfuse3.EntryAttributes()
        found.st_ino, found.st_nlink = inode, 1
        found.st_mode = stat.S_IFREG | 0o444 if inode == FILE else stat.S_IFDIR | 0o755
        found.st_size = self._reader.size if inode == FILE else 0
        found.attr_timeout = found.entry_timeout = 1e6
        return found

    async def lookup(self, parent: int, name: bytes, ctx: object = None) -> pyfuse3.EntryAttributes:  # noqa: ARG002
        if name != b"file":
            raise pyfuse3.FUSEError(errno.ENOENT)
        return await self.getattr(FILE)

    async def open(self, inode: int, flags: int, ctx: object) -> pyfuse3.FileInfo:  # noqa: ARG002
        return pyfuse3.FileInfo(fh=inode, keep_cache=True)

    async def read(self, fh: int, off: int, size: int) -> bytes:  # noqa: ARG002
        end = min(off + size, self._reader.size)
        first, last = off // SEGMENT, (end - 1) // SEGMENT
        count = last - first + 1
        self._reader.read_into(self._fd, first, count=count, scratch=self._scratch, target=self._target)
        return bytes(self._target[off - first * SEGMENT : end - first * SEGMENT])


async def serve() -> None:
    """Answer until the mount's client has finished and says so on our standard input."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pyfuse3.main)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.readline)
        sys.stdout.write(f"{time.process_time() - BEGAN}\n")
        sys.stdout.flush()
        os._exit(0)


def main(body: str, size: str, key: str, folder: str) -> None:
    """Mount below `folder`/inputs and say so."""
    options = {"fsname=view", "ro"}  # reads of 128 KiB, the read-ahead of the kernel, as ours
    operations = Operations(os.open(body, os.O_RDONLY), Reader(bytes.fromhex(key), int(size)))
    pyfuse3.init(operations, f"{folder}/inputs", options)
    trio.run(serve)


BEGAN = time.process_time()
if __name__ == "__main__":
    main(*sys.argv[1:])
