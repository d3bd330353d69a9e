"""Shows a `docker save` archive as the OCI layout that it amounts to."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from sandbox.layers import ImageError

_CHUNK = 1 << 20
_LARGEST_DOCUMENT = 4 << 20
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class DockerSource:
    """The archive has no manifest, so it gets the one that its config and layers determine."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {os.path.normpath(member.name): member for member in archive}
        listing = _json(self._read("manifest.json"))
        if not isinstance(listing, list) or len(listing) != 1:
            raise ImageError("The archive must hold exactly one image; save one at a time.")
        self._names: dict[str, str] = {}
        self._documents: dict[str, bytes] = {}
        self._describe(listing[0])

    def open(self, name: str) -> BinaryIO:
        """Open one file of the layout."""
        if name in self._documents:
            return io.BytesIO(self._documents[name])
        if name not in self._names:
            raise ImageError("This is not a complete docker archive; a layer of it is missing.")
        return self._file(self._names[name])

    def _describe(self, image: Mapping[str, Any]) -> None:
        config = self._read(str(image.get("Config")))
        layers = [self._layer(str(name)) for name in image.get("Layers") or []]
        wanted = (_json(config).get("rootfs") or {}).get("diff_ids")
        if [layer["digest"] for layer in layers] != wanted:
            raise ImageError("A layer of the archive is not the one that the image's config names.")
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST,
                "config": {"mediaType": _CONFIG, **self._document(config)},
                "layers": layers,
            },
            separators=(",", ":"),
            sort_keys=True,
        ).encode()
        facts = _json(config)
        platform = {"os": facts.get("os", "linux"), "architecture": facts.get("architecture")}
        entry = {"mediaType": _MANIFEST, "platform": platform, **self._document(manifest)}
        self._documents["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()

    def _document(self, raw: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(raw).hexdigest()
        self._documents[f"blobs/sha256/{digest}"] = raw
        return {"digest": f"sha256:{digest}", "size": len(raw)}

    def _layer(self, name: str) -> dict[str, Any]:
        seen, size = hashlib.sha256(), 0
        file = self._file(name)
        while piece := file.read(_CHUNK):
            seen.update(piece)
            size += len(piece)
        self._names[f"blobs/sha256/{seen.hexdigest()}"] = name
        return {"mediaType": _LAYER, "digest": f"sha256:{seen.hexdigest()}", "size": size}

    def _read(self, name: str) -> bytes:
        raw = self._file(name).read(_LARGEST_DOCUMENT + 1)
        if len(raw) > _LARGEST_DOCUMENT:
            raise ImageError("A document of the archive is larger than any that we read.")
        return raw

    def _file(self, name: str) -> BinaryIO:
        member = self._members.get(os.path.normpath(name))
        if member is not None and member.issym():  # older ones store a layer that two images share once
            target = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))  # noqa: PTH118, PTH120
            member = self._members.get(target)
        file = self._archive.extractfile(member) if member is not None and member.isreg() else None
        if file is None:
            raise ImageError("This is neither an OCI archive nor a docker archive; a file of it is missing.")
        return file  # type: ignore[return-value] # a buffered reader, typed as IO[bytes]


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ImageError("A document of the image is not JSON.") from error
