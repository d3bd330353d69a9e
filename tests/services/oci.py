"""Writes images as OCI archives by hand, so that a node has them without a registry."""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")  # Debian's busybox-static
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


def write_archive(path: Path, files: Mapping[str, bytes | str], *, command: Sequence[str] = ()) -> str:
    """Write an image of one layer: executables, or symbolic links where the content is text; return its digest."""
    layer = _layer(files)
    about = {
        "architecture": MACHINE,
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    config = json.dumps(about).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _entry("config.v1+json", config),
            "layers": [_entry("layer.v1.tar", layer)],
        }
    ).encode()
    entry = {**_entry("manifest.v1+json", manifest), "platform": {"architecture": MACHINE, "os": "linux"}}
    parts = {f"blobs/sha256/{_digest(blob)[7:]}": blob for blob in (layer, config, manifest)}
    parts["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    parts["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    with tarfile.open(path, "w") as archive:
        for name, content in parts.items():
            _add(archive, name, content)
    return _digest(manifest)


def busybox() -> dict[str, bytes | str]:
    """Return the files of an image with busybox and its names, and nothing else."""
    names = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    links: dict[str, bytes | str] = {f"bin/{name}": "busybox" for name in names}
    return {**links, "bin/busybox": BUSYBOX.read_bytes()}


def _layer(files: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
            member = tarfile.TarInfo(folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(member)
        for name, content in files.items():
            _add(layer, name, content)
    return out.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes | str) -> None:
    member = tarfile.TarInfo(name)
    member.mode = 0o755
    if isinstance(content, str):
        member.type, member.linkname = tarfile.SYMTYPE, content
        archive.addfile(member)
    else:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def _entry(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
