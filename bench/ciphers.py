"""Measures decryption and sealing in MB a CPU second, against a C loop on OpenSSL and the GA4GH library."""

import hashlib
import os
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

import crypt4gh.lib

from bench.measure import Figure, against, take_turns
from sandbox import crypt4gh as ours
from sandbox.crypt4gh import BATCH, SEGMENT, Reader, seal_stream
from sandbox.inputs import buffers

SIZE = 64 << 20
ROUNDS = 5
MB = 1e6


def measure(folder: Path) -> list[Figure]:
    """Work on files in `folder`, which is memory."""
    work = Work(folder)
    speeds = take_turns(
        {
            "ours, decrypt": work.decrypt,
            "C, decrypt": lambda: work.loop("decrypt", str(work.body), work.data_key.hex()),
            "library, decrypt": work.library_decrypt,
            "ours, seal": work.seal,
            "C, seal": lambda: work.loop("seal", str(work.plain), str(work.made), "digests"),
            "C, seal, no digests": lambda: work.loop("seal", str(work.plain), str(work.made), "plain"),
            "library, seal": work.library_seal,
            "library, seal, digests": lambda: work.library_seal(digests=True),
        },
        ROUNDS,
    )
    unit = "MB/cpu-s"
    return [
        against("decrypt : C loop on OpenSSL", speeds, ("ours, decrypt", "C, decrypt"), unit=unit, aim="≥ 0.90"),
        against("decrypt : crypt4gh library", speeds, ("ours, decrypt", "library, decrypt"), unit=unit, aim="≥ 2"),
        against("seal : C loop, same two digests", speeds, ("ours, seal", "C, seal"), unit=unit, aim="≥ 0.85"),
        against("seal : C loop without digests", speeds, ("ours, seal", "C, seal, no digests"), unit=unit),
        against(
            "seal : library, same digests", speeds, ("ours, seal", "library, seal, digests"), aim="≥ 2", unit=unit
        ),
        against("seal : library without digests", speeds, ("ours, seal", "library, seal"), unit=unit),
        # What is possible at all: OpenSSL's cipher, called by nothing but C, against the library.
        against("C loop : library, no digests", speeds, ("C, seal, no digests", "library, seal"), unit=unit),
    ]


class Work:
    """One plaintext, its body and key, and the compiled rival."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.size = folder, SIZE
        self.private_key = ours.new_private_key()
        self.public_key = ours.public_key_of(self.private_key)
        self.plain, self.body, self.whole = folder / "plain", folder / "body", folder / "whole"
        self.made, self.program = folder / "made", folder / "loop"
        self.plain.write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
        with open(self.plain, "rb", buffering=0) as source, open(self.body, "wb", buffering=0) as body:
            sealed = seal_stream(source.readinto, body.write, self.public_key)
        self.whole.write_bytes(sealed.header + self.body.read_bytes())
        self.data_key = ours.open_header(sealed.header, self.private_key)
        source_file = Path(__file__).parent / "crypt4gh_loop.c"
        command = ["gcc", "-O2", "-o", str(self.program), str(source_file), "-lcrypto"]
        subprocess.run(command, check=True, timeout=120)

    def loop(self, *words: str) -> float:
        """Return the speed of the C loop."""
        done = subprocess.run([str(self.program), *words], check=True, capture_output=True, text=True, timeout=120)
        return SIZE / MB / float(done.stdout)

    def decrypt(self) -> float:
        """Return our speed into a buffer, as the view's server reads."""
        reader, (scratch, target) = Reader(self.data_key, SIZE), buffers(BATCH)
        began = time.process_time()
        fd = os.open(self.body, os.O_RDONLY)
        for first in range(0, SIZE // SEGMENT, 4):
            reader.read_into(fd, first, count=4, scratch=scratch, target=target)
        os.close(fd)
        return SIZE / MB / (time.process_time() - began)

    def seal(self) -> float:
        """Return our speed from file to file, with the digests that the broker's row wants."""
        began = time.process_time()
        with open(self.plain, "rb", buffering=0) as source, open(self.made, "wb", buffering=0) as body:
            seal_stream(source.readinto, body.write, self.public_key)
        return SIZE / MB / (time.process_time() - began)

    def library_decrypt(self) -> float:
        """Return the library's speed into nothing."""
        began = time.process_time()
        with open(self.whole, "rb") as file, open(os.devnull, "wb") as out:
            crypt4gh.lib.decrypt([(0, self.private_key, None)], file, out)
        return SIZE / MB / (time.process_time() - began)

    def library_seal(self, *, digests: bool = False) -> float:
        """Return the library's speed from file to file."""
        began = time.process_time()
        with open(self.plain, "rb") as source, open(self.made, "wb") as out:
            reads, writes = (_Digested(source), _Digested(out)) if digests else (source, out)
            crypt4gh.lib.encrypt([(0, self.private_key, self.public_key)], reads, writes)
        return SIZE / MB / (time.process_time() - began)


class _Digested:
    """A stream that is digested as it passes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._seen = stream, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        """Read, and digest."""
        piece = self._stream.read(count)
        self._seen.update(piece)
        return piece

    def readinto(self, buffer: bytearray) -> int:
        """Read into a buffer, and digest."""
        got = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        self._seen.update(memoryview(buffer)[:got])
        return int(got)

    def write(self, piece: bytes) -> int:
        """Write, and digest."""
        self._seen.update(piece)
        return self._stream.write(piece)
