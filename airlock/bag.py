"""Writes a BagIt 1.0 bag as one zip whose bytes depend on its files alone, and reads one back without belief."""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping

from strongroom.errors import StrongroomError

MOST_BYTES = 64 * 2**20
MOST_FILES = 200
PAYLOAD = "data/"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAG_MANIFEST = "manifest-sha512.txt", "tagmanifest-sha512.txt"
_TIME = (1980, 1, 1, 0, 0, 0)
_LINE = re.compile(r"([0-9a-f]{128})  ([A-Za-z0-9._/-]+)")


class BadBag(StrongroomError):
    """The bag is not what its manifests say; the sentence names the file."""


def write_bag(name: str, payload: Mapping[str, bytes], info: Mapping[str, str]) -> bytes:
    """Return the zip of a bag: `payload` below data/, manifests in SHA-512, files sorted, one time for all."""
    files = {PAYLOAD + path: content for path, content in payload.items()}
    tags = {
        "bagit.txt": DECLARATION,
        "bag-info.txt": "".join(f"{key}: {value}\n" for key, value in sorted(info.items())).encode(),
        MANIFEST: _manifest(files),
    }
    return _zip(name, {**files, **tags, TAG_MANIFEST: _manifest(tags)})


def read_bag(raw: bytes) -> tuple[str, dict[str, bytes]]:
    """Return a bag's name and its payload (path below data/ -> bytes); raise `BadBag`, which names what differs."""
    name, files = _unzip(raw)
    _check_manifest(files, TAG_MANIFEST, {path for path in files if not path.startswith(PAYLOAD)} - {TAG_MANIFEST})
    _check_manifest(files, MANIFEST, {path for path in files if path.startswith(PAYLOAD)})
    if files.get("bagit.txt") != DECLARATION:
        raise BadBag("bagit.txt does not declare BagIt 1.0.")
    again = _zip(name, files)
    if again != raw:  # a byte that no manifest covers: names, times and gaps of the zip itself
        at = next((n for n, (a, b) in enumerate(zip(again, raw, strict=False)) if a != b), min(len(again), len(raw)))
        raise BadBag(f"Byte {at} of the crate's zip is not as Strongroom writes it: something was changed or added.")
    return name, {path.removeprefix(PAYLOAD): files[path] for path in files if path.startswith(PAYLOAD)}


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha512(files[path]).hexdigest()}  {path}\n" for path in sorted(files)).encode()


def _zip(name: str, files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{name}/{path}", _TIME)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[path])
    return made.getvalue()


def _unzip(raw: bytes) -> tuple[str, dict[str, bytes]]:
    if len(raw) > MOST_BYTES:
        raise BadBag("This is larger than any crate of a release.")
    files: dict[str, bytes] = {}
    path = None
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            names = {entry.filename.partition("/")[0] for entry in entries}
            if len(names) != 1 or len(entries) > MOST_FILES:
                raise BadBag("This is not the crate of a release: it is not one folder in a zip.")
            (name,) = names
            for entry in entries:
                path = entry.filename.removeprefix(f"{name}/")
                # Stored only: the length of what is read is that of the zip, so nothing can be a bomb.
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(raw) or path in files:
                    raise BadBag(f"{_plain(path)} is not stored as Strongroom stores it.")
                files[path] = archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if path is None:
            raise BadBag("The crate's zip cannot be read: its directory was changed or cut off.") from error
        raise BadBag(f"{_plain(path)} was changed: its bytes cannot be read whole.") from error
    return name, files


def _check_manifest(files: Mapping[str, bytes], manifest: str, present: set[str]) -> None:
    listed: dict[str, str] = {}
    for line in files.get(manifest, b"").decode("utf-8", errors="replace").splitlines():
        found = _LINE.fullmatch(line)
        if found is None or found[2] in listed:
            raise BadBag(f"{manifest} was changed: it has a line that is no digest of a file.")
        listed[found[2]] = found[1]
    for path in sorted(present | listed.keys()):
        if path not in listed:
            raise BadBag(f"{_plain(path)} was added: {manifest} does not list it.")
        if path not in files:
            raise BadBag(f"{_plain(path)} was removed: {manifest} lists it.")
        if hashlib.sha512(files[path]).hexdigest() != listed[path]:
            raise BadBag(f"{_plain(path)} was changed: its SHA-512 is not the one in {manifest}.")


def _plain(path: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in path)[:200]
