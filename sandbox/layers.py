"""Applies one layer of an image to a folder, and lets nothing of it reach outside."""

import contextlib
import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

MOST_ENTRIES = 2_000_000
MOST_BYTES = 64 << 30
_CHUNK = 1 << 20
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class ImageError(Exception):
    """This image is refused; the sentence says why."""


class Hashing(io.RawIOBase):
    """Passes a blob on and hashes what went through."""

    def __init__(self, blob: BinaryIO) -> None:
        self._blob = blob
        self.seen = hashlib.sha256()

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override] # narrower on purpose
        """Fill the buffer from the blob."""
        piece = self._blob.read(len(buffer))
        self.seen.update(piece)
        buffer[: len(piece)] = piece
        return len(piece)


class Gunzip(io.RawIOBase):
    """Unpacks gzip from a stream, member after member."""

    def __init__(self, packed: io.RawIOBase) -> None:
        self._packed = packed
        self._unpacker = zlib.decompressobj(_GZIP_WINDOW)
        self._rest = b""

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override] # narrower on purpose
        """Fill the buffer with unpacked bytes."""
        while True:
            if self._unpacker.eof:
                self._rest, self._unpacker = self._unpacker.unused_data, zlib.decompressobj(_GZIP_WINDOW)
            packed = self._rest or self._packed.read(_CHUNK) or b""
            if not packed:
                return 0
            plain = self._unpacker.decompress(packed, len(buffer))
            self._rest = self._unpacker.unconsumed_tail
            if plain:
                buffer[: len(plain)] = plain
                return len(plain)


def apply_layer(root: Path, blob: BinaryIO, *, media_type: str, digest: str) -> None:
    """Unpack a layer over `root`: checked by digest, whiteouts obeyed, no devices, no set-id bits, no way out."""
    hashing = Hashing(blob)
    try:
        with _unpacked(hashing, media_type) as plain:
            with tarfile.open(fileobj=plain, mode="r|", bufsize=_CHUNK) as archive:
                _unpack(root, archive)
            while plain.read(_CHUNK):
                pass
        while hashing.read(_CHUNK):
            pass
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise ImageError("A layer of the image is damaged.") from error
    except OSError as error:
        raise ImageError(f"A layer of the image cannot be unpacked: {error.strerror}.") from error
    if f"sha256:{hashing.seen.hexdigest()}" != digest:
        raise ImageError("A layer of the image is not the one that its digest names.")


@contextlib.contextmanager
def _unpacked(packed: Hashing, media_type: str) -> Iterator[BinaryIO]:
    match media_type.rsplit("+", 1)[-1].rsplit(".", 1)[-1]:
        case "gzip":
            yield io.BufferedReader(Gunzip(packed), _CHUNK)
        case "tar":
            yield io.BufferedReader(packed, _CHUNK)
        case "zstd":
            with _unzstd(packed) as plain:
                yield plain
        case _:
            raise ImageError("A layer of the image is of an unknown type; gzip, zstd and plain tar are read.")


@contextlib.contextmanager
def _unzstd(packed: Hashing) -> Iterator[BinaryIO]:
    program = shutil.which("zstd")
    if program is None:
        raise ImageError("A layer is packed with zstd; install the program zstd and import again.")
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(packed, copy, _CHUNK)
        copy.seek(0)
        with subprocess.Popen([program, "-dcq"], stdin=copy, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            yield process.stdout  # type: ignore[misc] # a buffered reader, typed as IO[bytes]


def _unpack(root: Path, archive: tarfile.TarFile) -> None:
    entries = size = 0
    for member in archive:
        entries, size = entries + 1, size + member.size
        if entries > MOST_ENTRIES or size > MOST_BYTES:
            raise ImageError("A layer of the image is larger than any that we unpack.")
        folder, name = _place(root, member.name)
        if not name:
            continue
        if name == _OPAQUE:
            for path in list(folder.iterdir()):
                _remove(path)
        elif name.startswith(_WHITEOUT):
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in ("", ".", ".."):
                raise ImageError("A name in the image leads out of it.")
            _remove(folder / hidden)
        else:
            _put(root, archive, member, folder / name)


def _put(root: Path, archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if not (member.isdir() and path.is_dir() and not path.is_symlink()):
        _remove(path)
    if member.isdir():
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        with open(path, "xb") as file:
            shutil.copyfileobj(content, file, _CHUNK)
        # Readable for a task's uid, never writable by others, no set-id bits.
        path.chmod((member.mode & 0o755) | 0o444)
    elif member.issym():
        path.symlink_to(member.linkname)
    elif member.islnk():
        folder, name = _place(root, member.linkname)
        target = folder / name
        found = target.lstat() if name else None
        if found is not None and stat.S_ISLNK(found.st_mode):
            path.symlink_to(target.readlink())
        elif found is not None and stat.S_ISREG(found.st_mode):
            os.link(target, path, follow_symlinks=False)
        else:
            raise ImageError("A hard link of the image leads to something that is no file.")
    # Devices, FIFOs and sockets have no place in an image: they are left out.


def _place(root: Path, name: str) -> tuple[Path, str]:
    """Return folder and last part of a member's name; every folder on the way is a real one below `root`."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise ImageError("A name in the image leads out of it.")
    folder = root
    for part in parts[:-1]:
        folder /= part
        if folder.is_symlink():
            raise ImageError("A file of the image would be written through a link.")
        if not folder.is_dir():
            _remove(folder)
            folder.mkdir()
            folder.chmod(0o755)
    return folder, parts[-1] if parts else ""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
