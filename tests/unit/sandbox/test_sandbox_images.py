"""Images are imported by digest, and nothing in one reaches outside its folder."""

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.images import ImageError, Store, import_image, open_image, read_image

MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
Entry = tuple[str, dict[str, Any], bytes]


def entry(name: str, content: bytes = b"", **facts: Any) -> Entry:
    return name, facts, content


def folder(name: str, **facts: Any) -> Entry:
    return entry(name, type=tarfile.DIRTYPE, mode=0o755, **facts)


def link(name: str, to: str) -> Entry:
    return entry(name, type=tarfile.SYMTYPE, linkname=to)


def hard(name: str, to: str) -> Entry:
    return entry(name, type=tarfile.LNKTYPE, linkname=to)


def tar(*entries: Entry) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, facts, content in entries:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for fact, value in {"mode": 0o644, **facts}.items():
                setattr(member, fact, value)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Layout:
    """An OCI layout that is being made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)

    def blob(self, raw: bytes) -> dict[str, Any]:
        name = hashlib.sha256(raw).hexdigest()
        (self.root / "blobs" / "sha256" / name).write_bytes(raw)
        return {"digest": f"sha256:{name}", "size": len(raw)}

    def json(self, value: Any) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode())

    def image(self, *layers: bytes, pack: Callable[[bytes], bytes] = gzip.compress, kind: str = "+gzip") -> str:
        config = {
            "architecture": MACHINE,
            "os": "linux",
            "config": {"Env": ["PATH=/bin", "A=b=c"], "WorkingDir": "/w"},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.json(config),
            "layers": [{"mediaType": LAYER + kind, **self.blob(pack(layer))} for layer in layers],
        }
        written = self.json(manifest)
        self.index({"mediaType": MANIFEST, **written})
        return str(written["digest"])

    def index(self, *entries: dict[str, Any]) -> None:
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries)}))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / "trees")


def test_an_image_is_unpacked_once_and_opened_by_digest(layout: Layout, store: Store) -> None:
    digest = layout.image(tar(folder("bin"), entry("bin/tool", b"#!", mode=0o6750), entry("etc/x", b"1", mode=0o600)))
    record = import_image(layout.root, store)
    root = open_image(store, digest).rootfs
    assert (record.digest, record.workdir, record.env) == (digest, "/w", {"PATH": "/bin", "A": "b=c"})
    assert (root / "bin/tool").read_bytes() == b"#!"
    assert stat.S_IMODE((root / "bin/tool").stat().st_mode) == 0o754  # readable, executable for its owner, no set-id
    assert stat.S_IMODE((root / "etc/x").stat().st_mode) == 0o644
    for name in ("run", "tmp", "proc", "dev"):
        assert (root / name).is_dir()
    unpacked = root.stat().st_ino
    assert import_image(layout.root, store) == record
    assert root.stat().st_ino == unpacked


def test_an_image_whose_content_was_not_written_down_is_checked_by_its_next_import(
    layout: Layout, store: Store
) -> None:
    digest = import_once(layout, store, tar(entry("one", b"1")))
    root = open_image(store, digest).rootfs
    unpacked = root.stat().st_ino
    (store.trust / digest.removeprefix("sha256:")).unlink()
    (root.parent / "manifest.json").unlink()
    with pytest.raises(ImageError, match="import it again"):
        open_image(store, digest)
    import_image(layout.root, store)
    assert open_image(store, digest).rootfs.stat().st_ino == unpacked  # tasks may be using it


def test_an_image_that_was_changed_is_replaced_by_its_next_import(layout: Layout, store: Store) -> None:
    digest = import_once(layout, store, tar(entry("one", b"1")))
    root = open_image(store, digest).rootfs
    (root / "one").write_bytes(b"2")
    (root.parent / "config.json").write_bytes(b"{}")
    import_image(layout.root, store)
    assert (open_image(store, digest).rootfs / "one").read_bytes() == b"1"
    assert [path.name for path in root.parent.parent.iterdir()] == [root.parent.name]


def in_two_members(raw: bytes) -> bytes:
    return gzip.compress(raw[:512]) + gzip.compress(raw[512:])


def test_other_forms_are_read(layout: Layout, store: Store, tmp_path: Path) -> None:
    plain = layout.image(tar(entry("one", b"plain")), pack=bytes, kind="")
    import_image(layout.root, store)
    assert (open_image(store, plain).rootfs / "one").read_bytes() == b"plain"
    twice = layout.image(
        tar(entry("two", b"x" * 100_000)), pack=lambda raw: gzip.compress(raw[:512]) + gzip.compress(raw[512:])
    )
    import_image(layout.root, store)
    assert (open_image(store, twice).rootfs / "two").stat().st_size == 100_000
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as made:
        made.add(layout.root, arcname=".")
    shutil.rmtree(store.folder)
    assert import_image(archive, store).digest == twice


def test_zstd_is_read(layout: Layout, store: Store) -> None:
    def pack(raw: bytes) -> bytes:
        return subprocess.run(["zstd", "-qc"], input=raw, check=True, capture_output=True).stdout

    digest = layout.image(tar(entry("one", b"z" * 300_000)), pack=pack, kind="+zstd")
    import_image(layout.root, store)
    assert (open_image(store, digest).rootfs / "one").stat().st_size == 300_000


def test_whiteouts_remove_and_later_layers_win(layout: Layout, store: Store) -> None:
    below = tar(
        entry("a/gone", b"1"), entry("a/kept", b"1"), entry("b/one", b"1"), entry("b/two", b"1"), entry("c", b"1")
    )
    above = tar(entry("a/.wh.gone"), entry("b/.wh..wh..opq"), entry("b/new", b"2"), folder("c"), entry("c/d", b"2"))
    root = open_image(store, import_once(layout, store, below, above)).rootfs
    assert sorted(os.listdir(root / "a")) == ["kept"]
    assert sorted(os.listdir(root / "b")) == ["new"]
    assert (root / "c/d").read_bytes() == b"2"


def import_once(layout: Layout, store: Store, *layers: bytes) -> str:
    digest = layout.image(*layers)
    import_image(layout.root, store)
    return digest


def test_devices_are_left_out_and_links_kept_as_they_are(layout: Layout, store: Store) -> None:
    entries = [
        entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        entry("pipe", type=tarfile.FIFOTYPE),
        entry("file", b"x"),
        hard("twin", "file"),
        link("out", "/etc/passwd"),
        hard("out2", "out"),
    ]
    root = open_image(store, import_once(layout, store, tar(*entries))).rootfs
    assert not (root / "null").exists()
    assert not (root / "pipe").exists()
    assert (root / "twin").samefile(root / "file")
    assert os.readlink(root / "out") == os.readlink(root / "out2") == "/etc/passwd"


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([entry("../evil", b"x")], "leads out"),
        ([entry("a/../../evil", b"x")], "leads out"),
        ([link("a", "/tmp"), entry("a/evil", b"x")], "through a link"),
        ([link("a", ".."), entry("a/evil", b"x")], "through a link"),
        ([link("a", "/tmp"), entry("a/.wh.evil")], "through a link"),
        ([entry("x/.wh...")], "leads out"),
        ([entry("x/.wh..")], "leads out"),
        ([entry("x/.wh.")], "leads out"),
        ([hard("a", "../../evil")], "leads out"),
        ([link("a", "/etc"), hard("b", "a/passwd")], "through a link"),
        ([hard("a", "nothing")], "cannot be unpacked"),
        ([folder("d"), hard("a", "d")], "no file"),
        ([link("run", "/var/run")], "/run is a link"),
        ([link("tmp", "elsewhere")], "/tmp is a link"),
        ([entry("dev", b"x")], "/dev is a link"),
    ],
)
def test_a_hostile_layer_is_refused(layout: Layout, store: Store, entries: list[Entry], why: str) -> None:
    layout.image(tar(*entries))
    outside = layout.root.parent
    (outside / "evil").write_text("mine")
    with pytest.raises(ImageError, match=why):
        import_image(layout.root, store)
    assert (outside / "evil").read_text() == "mine"
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []
    assert not Path("/tmp/evil").exists()


def spoiled(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def test_every_blob_is_checked(layout: Layout, store: Store) -> None:
    digest = layout.image(tar(entry("one", b"plain")), pack=bytes, kind="")
    for blob in (layout.root / "blobs/sha256").iterdir():
        kept = blob.read_bytes()
        blob.write_bytes(spoiled(kept))
        with pytest.raises(ImageError, match=r"digest names|damaged|not JSON"):
            import_image(layout.root, store)
        blob.unlink()
        with pytest.raises(ImageError, match="missing"):
            import_image(layout.root, store)
        blob.write_bytes(kept)
    assert import_image(layout.root, store).digest == digest


def test_exactly_one_image_for_this_machine_is_wanted(layout: Layout, store: Store) -> None:
    digest = layout.image(tar())
    here = {"mediaType": MANIFEST, "digest": digest, "platform": {"os": "linux", "architecture": MACHINE}}
    there = {
        "mediaType": MANIFEST,
        "digest": f"sha256:{'0' * 64}",
        "platform": {"os": "linux", "architecture": "s390x"},
    }
    nested = layout.json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [there, here]})
    layout.index({"mediaType": INDEX, **nested})
    assert import_image(layout.root, store).digest == digest
    for entries in ([there], [], [here, {**here, "digest": f"sha256:{'1' * 64}"}]):
        layout.index(*entries)
        with pytest.raises(ImageError, match="exactly one image"):
            import_image(layout.root, store)


def test_what_is_not_there_is_not_opened(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="import it first"):
        open_image(store, f"sha256:{'0' * 64}")
    with pytest.raises(ImageError, match="named by its digest"):
        read_image(store, "sha256:../../etc")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ImageError, match="neither"):
        import_image(tmp_path / "text", store)
