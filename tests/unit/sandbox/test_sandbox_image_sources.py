"""Images come from docker archives and from registries too, by digest, and leave when nobody needs them."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox import kernel, mounts
from sandbox.images import (
    ImageError,
    Store,
    collect_garbage,
    import_from_registry,
    import_image,
    open_image,
)
from sandbox.registry import parse_reference

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def tar(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def config(*layers: bytes) -> dict[str, Any]:
    facts = {"Env": ["A=b"], "WorkingDir": "/w", "User": "root", "Entrypoint": ["/never"]}
    rootfs = {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}
    return {"architecture": MACHINE, "os": "linux", "config": facts, "rootfs": rootfs}


def docker_archive(path: Path, *layers: bytes, **changes: Any) -> Path:
    about = json.dumps({**config(*layers), **changes}).encode()
    listing = [{"Config": "c.json", "RepoTags": ["x:y"], "Layers": [f"{n}/layer.tar" for n in range(len(layers))]}]
    parts = {"manifest.json": json.dumps(listing).encode(), "c.json": about}
    parts |= {f"{n}/layer.tar": layer for n, layer in enumerate(layers)}
    with tarfile.open(path, "w") as archive:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def layout(folder: Path, *layers: bytes) -> str:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(raw: bytes) -> dict[str, Any]:
        (blobs / hashlib.sha256(raw).hexdigest()).write_bytes(raw)
        return {"digest": digest(raw), "size": len(raw)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            **blob(json.dumps(config(*layers)).encode()),
        },
        "layers": [{"mediaType": LAYER, **blob(gzip.compress(layer))} for layer in layers],
    }
    entry = {"mediaType": MANIFEST, **blob(json.dumps(manifest).encode())}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return str(entry["digest"])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / "trees")


def test_a_docker_archive_gets_the_digest_that_its_content_determines(tmp_path: Path, store: Store) -> None:
    layers = tar(etc__a=b"1"), tar(etc__b=b"2")
    first = import_image(docker_archive(tmp_path / "1.tar", *layers), store)
    again = import_image(docker_archive(tmp_path / "2.tar", *layers), Store(tmp_path / "other", tmp_path / "others"))
    assert first == again
    assert (first.workdir, first.env) == ("/w", {"A": "b"})
    assert (open_image(store, first.digest).rootfs / "etc/b").read_bytes() == b"2"
    assert import_image(docker_archive(tmp_path / "3.tar", layers[0]), store).digest != first.digest


def test_a_docker_archive_with_a_layer_that_its_config_does_not_name_is_refused(tmp_path: Path, store: Store) -> None:
    rootfs = {"type": "layers", "diff_ids": [digest(b"another")]}
    with pytest.raises(ImageError, match="config"):
        import_image(docker_archive(tmp_path / "x.tar", tar(a=b"1"), rootfs=rootfs), store)
    assert not list(store.folder.glob("sha256/*"))


@contextlib.contextmanager
def served(folder: Path, *, host: str = "127.0.0.1", **tls: str) -> Iterator[str]:
    """A real registry (Debian's docker-registry) on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "config.yml"
    http = {"addr": f"127.0.0.1:{port}"} | ({"tls": tls} if tls else {})
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    settings.write_text(json.dumps({"version": 0.1, "storage": storage, "http": http}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(settings)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"{host}:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("registry")) as address:
        yield address


def push(folder: Path, address: str, name: str) -> None:
    command = ["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests"]
    subprocess.run([*command, f"oci:{folder}", f"docker://{address}/{name}"], check=True, capture_output=True)


def test_an_image_comes_from_a_registry_by_digest(registry: str, tmp_path: Path, store: Store) -> None:
    wanted = layout(tmp_path / "layout", tar(etc__a=b"from afar"))
    push(tmp_path / "layout", registry, "tools/a:1")
    record = import_from_registry(f"{registry}/tools/a@{wanted}", store)
    assert record.digest == wanted
    assert (open_image(store, wanted).rootfs / "etc/a").read_bytes() == b"from afar"
    assert [path.name for path in store.folder.iterdir()] == ["sha256"]  # what was fetched is gone


def test_a_registry_that_lacks_or_changes_the_image_is_told_apart(
    registry: str, tmp_path: Path, store: Store
) -> None:
    with pytest.raises(ImageError, match="did not hand"):
        import_from_registry(f"{registry}/tools/none@sha256:{'0' * 64}", store)
    wanted = layout(tmp_path / "layout", tar(etc__b=b"x" * 5000))
    push(tmp_path / "layout", registry, "tools/b:1")
    data = tmp_path_factory_data(registry)
    layer = json.loads((tmp_path / "layout/blobs/sha256" / wanted[7:]).read_bytes())["layers"][0]["digest"][7:]
    blob = next(data.glob(f"**/{layer}/data"))
    raw = bytearray(blob.read_bytes())
    raw[-9] ^= 1
    blob.write_bytes(raw)
    with pytest.raises(ImageError):
        import_from_registry(f"{registry}/tools/b@{wanted}", store)
    assert not list(store.folder.glob("sha256/*"))


def tmp_path_factory_data(address: str) -> Path:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"docker-registry", b"serve"] and address in Path(words[2].decode()).read_text():
            return Path(words[2].decode()).parent / "data"
    raise AssertionError("no registry")


def authority(folder: Path) -> dict[str, str]:
    """Make an authority of a site's own, which nobody knows, and a certificate of it for localhost."""
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a site's own")])
    today = datetime.now(UTC)

    def certificate(name: x509.Name, public: ec.EllipticCurvePublicKey, *extensions: x509.ExtensionType) -> bytes:
        made = x509.CertificateBuilder(issuer, name, public, x509.random_serial_number())
        made = made.not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
        for extension in extensions:
            made = made.add_extension(extension, critical=True)
        return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    basic = x509.BasicConstraints(ca=True, path_length=0)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry")])
    (folder / "ca.crt").write_bytes(certificate(issuer, key.public_key(), basic))
    (folder / "registry.crt").write_bytes(certificate(subject, own.public_key(), names))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "registry.key").write_bytes(own.private_bytes(pem, form, serialization.NoEncryption()))
    return {"certificate": str(folder / "registry.crt"), "key": str(folder / "registry.key")}


def imports_where_trusted(authority: Path, registry: str, image: str, store: Store) -> bool:
    """Say whether an image comes where this authority is trusted for the registry, as an operator makes it known."""
    pid = os.fork()
    if pid == 0:
        try:
            mounts.enter_namespace()
            kernel.mount("tmpfs", "/etc/containers", kind="tmpfs")
            known = Path("/etc/containers/certs.d") / registry
            known.mkdir(parents=True)
            shutil.copy(authority, known / "ca.crt")
            import_from_registry(image, store)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_registry_speaks_tls_with_an_authority_that_is_known_and_is_refused_else(
    tmp_path: Path, store: Store
) -> None:
    for name in ("served", "stranger"):
        (tmp_path / name).mkdir()
    authority(tmp_path / "stranger")
    wanted = layout(tmp_path / "layout", tar(etc__a=b"over TLS"))
    with served(tmp_path / "served", host="localhost", **authority(tmp_path / "served")) as registry:
        push(tmp_path / "layout", registry, "tools/a:1")
        image = f"{registry}/tools/a@{wanted}"
        with pytest.raises(ImageError, match="certificate signed by unknown authority"):
            import_from_registry(image, store)
        assert not imports_where_trusted(tmp_path / "stranger" / "ca.crt", registry, image, store)
        assert not list(store.folder.glob("sha256/*"))
        assert imports_where_trusted(tmp_path / "served" / "ca.crt", registry, image, store)
    assert (open_image(store, wanted).rootfs / "etc/a").read_bytes() == b"over TLS"


def test_a_registry_that_speaks_no_tls_is_refused_by_name(registry: str, tmp_path: Path, store: Store) -> None:
    wanted = layout(tmp_path / "layout", tar(etc__a=b"in clear"))
    push(tmp_path / "layout", registry, "tools/c:1")
    by_name = registry.replace("127.0.0.1", "localhost")
    with pytest.raises(ImageError, match="HTTP response to HTTPS client"):
        import_from_registry(f"{by_name}/tools/c@{wanted}", store)
    assert import_from_registry(f"{registry}/tools/c@{wanted}", store).digest == wanted


@pytest.mark.parametrize(
    "name",
    ["reg.example/a:latest", "reg.example/a", "a@sha256:" + "0" * 64, "reg.example/a:1@sha256:" + "0" * 64,
     "reg.example/a@sha256:xyz", "-x/a@sha256:" + "0" * 64, "reg.example/../a@sha256:" + "0" * 64],
)  # fmt: skip
def test_t23_tags_and_loose_names_are_refused(name: str) -> None:
    with pytest.raises(ImageError, match="without a tag"):
        parse_reference(name)


def test_only_loopback_by_number_may_speak_without_tls() -> None:
    end = "/a@sha256:" + "0" * 64
    assert [parse_reference(host + end).loopback for host in ("127.0.0.1:5000", "[::1]:5000")] == [True, True]
    assert [parse_reference(host + end).loopback for host in ("localhost:5000", "10.0.0.1")] == [False, False]


def test_garbage_is_what_nobody_names_and_nobody_used_lately(tmp_path: Path, store: Store) -> None:
    images = [import_image(docker_archive(tmp_path / f"{n}.tar", tar(a=bytes([n]))), store).digest for n in range(3)]
    old = time.time() - 1000
    for one in images[:2]:
        os.utime(store.folder / "sha256" / one[7:] / "used", (old, old))
    assert collect_garbage(store, keep={images[0]}, unused_seconds=500) == [images[1]]
    assert open_image(store, images[0])
    assert open_image(store, images[2])
    with pytest.raises(ImageError, match="import it first"):
        open_image(store, images[1])
    assert shutil.rmtree(store.folder) is None
