"""Imports OCI images by digest into a content store, and opens what was imported if it still is that."""

import contextlib
import hashlib
import json
import os
import platform
import posixpath
import re
import secrets
import shutil
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sandbox import registry
from sandbox.dockerarchive import DockerSource
from sandbox.layers import ImageError, apply_layer
from sandbox.trees import check_tree, tree_digest

__all__ = [
    "Image",
    "ImageError",
    "ImageRecord",
    "Store",
    "check_image",
    "collect_garbage",
    "import_from_registry",
    "import_image",
    "open_image",
    "read_image",
]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_LARGEST_DOCUMENT = 4 << 20
_REAL_FOLDERS = ("run", "tmp", "proc", "dev")
_MANIFEST, _CONFIG, _USED = "manifest.json", "config.json", "used"


@dataclass(frozen=True)
class ImageRecord:
    """An imported image; `digest` is that of its manifest."""

    digest: str
    env: Mapping[str, str]
    workdir: str | None
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]


@dataclass(frozen=True)
class Image:
    """An image as it lies on this host: where it is unpacked, what it says of itself, a digest of all there."""

    rootfs: Path
    record: ImageRecord
    tree: str


@dataclass(frozen=True)
class Store:
    """Where images lie: unpacked below `folder`, which others may serve; what each held when it came below `trust`.

    T23: only root writes into `trust`; a manifest names layers, and nobody can compare those with what is unpacked.
    """

    folder: Path
    trust: Path


class Source(Protocol):
    """An OCI image layout, wherever it lies: a folder or a tar archive."""

    def open(self, name: str) -> BinaryIO:
        """Open one file of the layout; raises `ImageError`."""
        ...


class FolderSource:
    """A layout in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> BinaryIO:
        """Open one file of the layout."""
        try:
            return open(self._root / name, "rb")
        except OSError as error:
            raise ImageError("This is not a complete OCI layout; a file of it is missing.") from error


class ArchiveSource:
    """A layout in a tar archive."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {os.path.normpath(member.name): member for member in archive if member.isreg()}

    def open(self, name: str) -> BinaryIO:
        """Open one file of the layout."""
        member = self._members.get(name)
        file = self._archive.extractfile(member) if member else None
        if file is None:
            raise ImageError("This is not a complete OCI archive; a file of it is missing.")
        return file  # type: ignore[return-value] # a buffered reader, typed as IO[bytes]


def import_image(source: Path, store: Store) -> ImageRecord:
    """Check every blob of a layout or archive, unpack the image, write down what it holds, and return its record.

    Idempotent: an image that is in the store and whole is not unpacked again, one that was changed is replaced.
    """
    with _opened(source) as layout:
        digest, manifest = _find_manifest(layout)
        if not _is_whole(store, digest):
            _unpack(layout, manifest, store, digest)
    _use(store, digest)
    return read_image(store, digest)


def import_from_registry(name: str, store: Store, *, credentials: Path | None = None) -> ImageRecord:
    """Fetch HOST[:PORT]/NAME@sha256:DIGEST and import it; the digest is that of one image, not of a list of them."""
    reference = registry.parse_reference(name)
    store.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetched-", dir=store.folder) as folder:
        layout = Path(folder) / "layout"
        registry.fetch(reference, layout, credentials=credentials)
        with _opened(layout) as fetched:
            found, _ = _find_manifest(fetched)
        if found != reference.digest:  # T23: what vetters sign names one image for one kind of machine
            raise ImageError(f"This digest names a list of images; the one for this machine is {found}.")
        return import_image(layout, store)


def collect_garbage(store: Store, *, keep: Collection[str], unused_seconds: float) -> list[str]:
    """Remove images that are not in `keep` and were not opened for so long; return their digests."""
    removed = []
    for home in sorted((store.folder / "sha256").glob("[0-9a-f]*")) if store.folder.is_dir() else []:
        digest = f"sha256:{home.name}"
        if digest in keep or time.time() - _used(home) < unused_seconds:
            continue
        leaving = home.with_name(f".{secrets.token_hex(8)}")
        home.rename(leaving)  # at once: nobody opens half an image
        shutil.rmtree(leaving)
        _trusted(store, digest).unlink(missing_ok=True)
        removed.append(digest)
    return removed


def _used(home: Path) -> float:
    for path in (home / _USED, home / _CONFIG, home):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return time.time()


def open_image(store: Store, digest: str) -> Image:
    """Return an image that is as it was imported, as `check_image` does; it counts as used now."""
    image = check_image(store, digest)
    _use(store, digest)
    return image


def check_image(store: Store, digest: str) -> Image:
    """Return an image that is as it was imported, or raise `ImageError`.

    T23: manifest, config and record are compared at each use; the whole of what is unpacked as `check_tree` says.
    """
    root, record = _home(store, digest) / "rootfs", read_image(store, digest)
    tree = _trusted(store, digest).read_text().strip()
    check_tree(root, tree)
    return Image(root, record, tree)


def _use(store: Store, digest: str) -> None:
    with contextlib.suppress(OSError):  # a reader of the store may not be its owner
        (_home(store, digest) / _USED).touch()


def read_image(store: Store, digest: str) -> ImageRecord:
    """Return the record of an imported image, or raise `ImageError`; what is unpacked is not looked at."""
    home = _home(store, digest)
    if not home.is_dir():
        raise ImageError("This image is not in the store of this node; import it first (strongroom image import).")
    if not _trusted(store, digest).is_file():
        raise ImageError(
            "Nothing is written down of what this image held when it was imported; import it again (strongroom image"
            " import): it is checked then, and stays if it is what its digest names."
        )
    try:
        manifest, config = ((home / name).read_bytes() for name in (_MANIFEST, _CONFIG))
    except OSError as error:
        raise ImageError("A document of this image is missing; import it again (strongroom image import).") from error
    return _record(digest, manifest, config)


@lru_cache(maxsize=256)
def _record(digest: str, manifest: bytes, config: bytes) -> ImageRecord:
    """Return what the config says; the manifest must be the digest's, and the config the manifest's."""
    _check(manifest, digest)
    _check(config, _document(manifest)["config"]["digest"])
    facts = _document(config).get("config") or {}
    return ImageRecord(
        digest=digest,
        env=dict(entry.split("=", 1) for entry in facts.get("Env") or [] if "=" in entry),
        workdir=_workdir(facts.get("WorkingDir") or "/"),
        entrypoint=tuple(facts.get("Entrypoint") or ()),
        command=tuple(facts.get("Cmd") or ()),
    )


def _is_whole(store: Store, digest: str) -> bool:
    try:
        read_image(store, digest)
        return tree_digest(_home(store, digest) / "rootfs") == _trusted(store, digest).read_text().strip()
    except ImageError:
        return False


def _workdir(given: str) -> str | None:
    # Builders write "/" where an image names none.
    folder = posixpath.normpath(given)
    return folder if folder.startswith("/") and folder.strip("/") else None


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[Source]:
    if source.is_dir():
        yield FolderSource(source)
        return
    try:
        with tarfile.open(source, mode="r:*") as archive:
            yield ArchiveSource(archive) if "index.json" in _names(archive) else DockerSource(archive)
    except (OSError, tarfile.TarError) as error:
        raise ImageError("This is neither an OCI layout nor a tar archive of one.") from error


def _names(archive: tarfile.TarFile) -> set[str]:
    return {os.path.normpath(name) for name in archive.getnames()}


def _find_manifest(layout: Source) -> tuple[str, bytes]:
    with layout.open("index.json") as file:
        listing = _document(file.read(_LARGEST_DOCUMENT))
    for _ in range(4):  # an index may name an index
        chosen = _choose(listing)
        raw = _small_blob(layout, chosen["digest"])
        found = _document(raw)
        kind = found.get("mediaType") or chosen.get("mediaType")
        if kind in _INDEXES:
            listing = found
        elif kind in _MANIFESTS:
            return chosen["digest"], raw
        else:
            raise ImageError("The image's index names something that is no image.")
    raise ImageError("The image's index is nested too deeply.")


def _choose(listing: Mapping[str, Any]) -> Mapping[str, Any]:
    machine = _MACHINES.get(platform.machine(), platform.machine())
    fitting = []
    for entry in listing.get("manifests") or []:
        wanted = entry.get("platform") or {}
        if (wanted.get("os", "linux"), wanted.get("architecture", machine)) == ("linux", machine):
            fitting.append(entry)
    if len({entry.get("digest") for entry in fitting}) != 1:
        raise ImageError(f"The layout must hold exactly one image for linux/{machine}; it holds {len(fitting)}.")
    return fitting[0]  # type: ignore[no-any-return]


def _unpack(layout: Source, manifest: bytes, store: Store, digest: str) -> None:
    facts, home = _document(manifest), _home(store, digest)
    config = _small_blob(layout, facts["config"]["digest"])
    _record(digest, manifest, config)
    home.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = home.with_name(f".{secrets.token_hex(8)}")
    root = fresh / "rootfs"
    root.mkdir(mode=0o755, parents=True)
    for folder in (fresh, root):  # a task's uid must be able to read, whatever our umask
        folder.chmod(0o755)
    try:
        for layer in facts["layers"]:
            with layout.open(_blob(layer["digest"])) as blob:
                apply_layer(root, blob, media_type=layer["mediaType"], digest=layer["digest"])
        _make_real_folders(root)
        tree = tree_digest(root)
        (fresh / _MANIFEST).write_bytes(manifest)
        (fresh / _CONFIG).write_bytes(config)
        _put(fresh, home, tree)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if not home.exists():
        raise ImageError("The image could not be put into the store.")
    trusted = _trusted(store, digest)
    trusted.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(trusted, f"{tree}\n".encode())


def _put(fresh: Path, home: Path, tree: str) -> None:
    """Put what was unpacked where its digest is looked for, unless the same lies there: tasks may be using it."""
    if home.exists() and _holds(home, tree):
        for name in (_MANIFEST, _CONFIG):
            _write(home / name, (fresh / name).read_bytes())
        return
    with contextlib.suppress(FileNotFoundError):
        leaving = home.with_name(f".{secrets.token_hex(8)}")
        home.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)
    with contextlib.suppress(OSError):  # somebody else imported it meanwhile
        fresh.rename(home)


def _holds(home: Path, tree: str) -> bool:
    try:
        return tree_digest(home / "rootfs") == tree
    except ImageError:
        return False


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{secrets.token_hex(8)}")
    part.write_bytes(content)
    part.chmod(0o644)
    part.rename(path)


def _make_real_folders(root: Path) -> None:
    for name in _REAL_FOLDERS:  # decision 9, CVE-2026-87766: walls are mounted there
        folder = root / name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ImageError(f"In this image /{name} is a link; build it with a real folder there.")
        folder.mkdir(mode=0o755, exist_ok=True)
        folder.chmod(0o755)


def _small_blob(layout: Source, digest: str) -> bytes:
    with layout.open(_blob(digest)) as file:
        raw = file.read(_LARGEST_DOCUMENT + 1)
    _check(raw, digest)
    return raw


def _check(raw: bytes, digest: str) -> None:
    if len(raw) > _LARGEST_DOCUMENT or f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
        raise ImageError("A document of the image is not the one that its digest names.")


def _document(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ImageError("A document of the image is not JSON.") from error
    if not isinstance(found, dict):
        raise ImageError("A document of the image is not a JSON object.")
    return found


def _blob(digest: str) -> str:
    return f"blobs/sha256/{_hexadecimal(digest)}"


@lru_cache(maxsize=256)  # each task asks several times
def _home(store: Store, digest: str) -> Path:
    return store.folder / "sha256" / _hexadecimal(digest)


@lru_cache(maxsize=256)
def _trusted(store: Store, digest: str) -> Path:
    return store.trust / _hexadecimal(digest)


def _hexadecimal(digest: object) -> str:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ImageError("An image is named by its digest: sha256 and 64 hexadecimal digits.")
    return digest.removeprefix("sha256:")
