"""Whoever can write where images lie cannot have other code run under their signed digests."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hostile import in_state, rows, vetted
from refusals import ONE_RULE, PARAMETERS, submit
from services import oci
from site_of_tests import Site

from sandbox import images, trees
from sandbox.agent import NO_ANSWER, Agent
from sandbox.images import ImageError, Store, import_image, open_image
from strongroom.cli.image import names_of
from tes.launch import store_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", tmp_path / "trees")


@pytest.fixture
def digest(store: Store, tmp_path: Path) -> str:
    archive = tmp_path / "busybox.tar"
    oci.write_archive(archive, oci.busybox())
    return import_image(archive, store).digest


def home_of(store: Store, digest: str) -> Path:
    return store.folder / "sha256" / digest.removeprefix("sha256:")


def preload(home: Path) -> None:
    config = json.loads((home / "config.json").read_text())
    config.setdefault("config", {})["Env"] = ["LD_PRELOAD=/evil.so"]
    (home / "config.json").write_text(json.dumps(config))


def preload_by_a_manifest(home: Path) -> None:
    preload(home)
    manifest = json.loads((home / "manifest.json").read_text())
    manifest["config"]["digest"] = f"sha256:{hashlib.sha256((home / 'config.json').read_bytes()).hexdigest()}"
    (home / "manifest.json").write_text(json.dumps(manifest))


def program(home: Path) -> Path:
    return (home / "rootfs" / "bin" / "busybox").resolve()


def one_byte(home: Path) -> None:
    """Change one byte of a program, and give it its times back."""
    path, times = program(home), program(home).stat()
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.chmod(0o755)
    path.write_bytes(raw)
    path.chmod(times.st_mode)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def a_twin(home: Path) -> None:
    """Put another file in a program's place, of its size and times."""
    path, times = program(home), program(home).stat()
    path.unlink()
    path.write_bytes(b"x" * times.st_size)
    path.chmod(times.st_mode)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def another_root(home: Path) -> None:
    shutil.copytree(home / "rootfs", home / "other", symlinks=True)
    (home / "other" / "evil").touch()
    shutil.rmtree(home / "rootfs")
    (home / "rootfs").symlink_to("other")


def a_link(home: Path) -> None:
    path = program(home)
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")


DOCUMENTS: dict[str, Callable[[Path], object]] = {
    "a config": preload,
    "a config and its manifest": preload_by_a_manifest,
    "no manifest": lambda home: (home / "manifest.json").unlink(),
}
CONTENT: dict[str, Callable[[Path], object]] = {
    "an added file": lambda home: (home / "rootfs" / "evil.so").touch(),
    "an added file deep below": lambda home: (home / "rootfs" / "bin" / "evil").touch(),
    "a changed byte": one_byte,
    "a twin": a_twin,
    "a changed mode": lambda home: program(home).chmod(0o777),
    "a folder's mode": lambda home: (home / "rootfs" / "bin").chmod(0o777),
    "a removed file": lambda home: program(home).unlink(),
    "an added folder": lambda home: (home / "rootfs" / "etc.d").mkdir(),
    "a link for a file": a_link,
    "a pipe": lambda home: os.mkfifo(home / "rootfs" / "pipe"),
    "an attribute": lambda home: os.setxattr(program(home), "user.overlay.redirect", b"/evil"),
    "another root behind a link": another_root,
}


@pytest.mark.parametrize("way", DOCUMENTS)
def test_t23_documents_of_an_image_are_compared_at_each_use(store: Store, digest: str, way: str) -> None:
    open_image(store, digest)
    DOCUMENTS[way](home_of(store, digest))
    for _ in range(2):
        with pytest.raises(ImageError, match=r"digest names|is missing"):
            open_image(store, digest)


@pytest.mark.parametrize("way", CONTENT)
def test_t23_a_tampered_image_is_not_opened_by_who_opened_it_before_nor_by_others(
    store: Store, digest: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_image(store, digest).tree == (store.trust / digest.removeprefix("sha256:")).read_text().strip()
    CONTENT[way](home_of(store, digest))
    monkeypatch.setattr(trees, "PAUSE", 0)
    for _ in range(2):  # the one who knew it whole, and then one who begins anew
        with pytest.raises(ImageError, match=r"not what was imported|neither file"):
            open_image(store, digest)
        trees._seen.clear()


def test_t23_an_image_that_nobody_imported_here_is_not_opened(store: Store, digest: str, tmp_path: Path) -> None:
    elsewhere = Store(store.folder, tmp_path / "of another home")
    with pytest.raises(ImageError, match="import it again"):
        open_image(elsewhere, digest)


def test_t23_an_image_under_the_digest_of_another_is_not_opened(store: Store, digest: str) -> None:
    other = f"sha256:{'1' * 64}"
    shutil.copytree(home_of(store, digest), home_of(store, other), symlinks=True)
    shutil.copy(store.trust / digest.removeprefix("sha256:"), store.trust / ("1" * 64))
    with pytest.raises(ImageError, match="digest names"):
        open_image(store, other)


def test_t23_a_node_starts_no_supervisor_in_a_tampered_image(store: Store, digest: str) -> None:
    image = open_image(store, digest)
    CONTENT["an added file"](home_of(store, digest))
    trees._seen.clear()  # the node's agent is another process, on another host
    node = object.__new__(Agent)
    begun = {"spec": json.dumps({"trees": {str(image.rootfs): image.tree}}), "pass": "p"}
    assert node._one(SimpleNamespace(attempt="a"), begun) == (NO_ANSWER, None)  # type: ignore[arg-type] # has no zygote


def test_a_whole_image_is_read_once_and_looked_at_once_in_a_while(
    store: Store, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, looked = list[Path](), list[Path]()
    whole, stamp = trees.tree_digest, trees._stamp
    monkeypatch.setattr(trees, "tree_digest", lambda root: (read.append(root), whole(root))[1])
    monkeypatch.setattr(trees, "_stamp", lambda root: (looked.append(root), stamp(root))[1])
    for _ in range(5):
        open_image(store, digest)
    assert (len(read), len(looked)) == (1, 1)
    monkeypatch.setattr(trees, "PAUSE", 0)
    for _ in range(5):
        open_image(store, digest)
    assert (len(read), len(looked)) == (1, 6)


def test_a_tree_that_never_settles_is_refused(store: Store, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_SETTLED", 10**18)
    monkeypatch.setattr(trees.time, "sleep", lambda _: None)
    with pytest.raises(ImageError, match="being changed"):
        open_image(store, digest)


# --- a whole Strongroom


@contextmanager
def images_of_its_own(site: Site) -> Iterator[Path]:
    """Let the site have its images in a store that no other home shares, and give it back the one that it had."""
    stage, shared = site.stage, site.stage.settings.images_folder
    own = stage.home / "images"
    own.mkdir(exist_ok=True)
    for digest in set(names_of(stage.settings).values()):
        place = Path("sha256") / digest.removeprefix("sha256:")
        shutil.copytree(shared / place, own / place, symlinks=True)

    def served_from(folder: Path) -> None:
        stage.stop()
        stage.environment["STRONGROOM_IMAGES"] = str(folder)
        stage.settings = stage._settings()
        stage.start()

    served_from(own)
    try:
        yield own
    finally:
        served_from(shared)
        shutil.rmtree(own)


def test_t23_a_tampered_image_starts_nothing(site: Site, tmp_path: Path) -> None:
    url = vetted(site, tmp_path / "one", "tampered-image", ONE_RULE, parameters=PARAMETERS)
    with images_of_its_own(site):
        store, digest = store_of(site.stage.settings), names_of(site.stage.settings)["genomics"]
        home = home_of(store, digest)
        kept = (home / "config.json").read_bytes()
        assert site.ended(submit(site, url).json()["run_id"]) == "COMPLETE"
        preload(home)
        assert nothing_started(site, url)
        (home / "config.json").write_bytes(kept)
        assert site.ended(submit(site, url).json()["run_id"]) == "COMPLETE"
        (home / "rootfs" / "usr" / "bin" / "true").chmod(0o777)
        site.stage.stop()
        site.stage.start()
        assert nothing_started(site, url)
        with pytest.raises(subprocess.CalledProcessError) as ended:
            site.stage.run("doctor", "--json")
        assert [one["health"] for one in json.loads(ended.value.stdout) if one["name"] == "image"] == ["missing"]
        (home / "rootfs" / "usr" / "bin" / "true").chmod(0o755)
        assert images.check_image(store, digest)


def nothing_started(site: Site, url: str) -> bool:
    """Have a run end badly whose task was never handed to a backend, nor opened a key."""
    run = submit(site, url).json()["run_id"]
    assert site.ended(run) == "SYSTEM_ERROR"
    (task,) = in_state(site, run, "SYSTEM_ERROR")
    attempts = rows(site, "select id, spec_sha256, report from attempts where task = ?", task)
    assert [(spec, json.loads(report)["reason"]) for _, spec, report in attempts] == [
        (None, "Its image is not here as it was imported.")
    ]
    return rows(site, "select count(*) from grants where attempt = ?", attempts[0][0]) == [(0,)]
