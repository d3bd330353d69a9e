"""`strongroom image gc` removes what nobody needs, and keeps what a name, a lock, the checks or a task needs."""

import hashlib
import io
import json
import os
import platform
import tarfile
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from sandbox.images import import_image
from strongroom.cli.image import app, write_name
from strongroom.database import Base, now, open_database, transaction
from strongroom.settings import Settings, load
from tes.launch import store_of
from tes.store import Task
from tes.tasks import TERMINAL, TaskState

DAY = 86_400
MACHINE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("STRONGROOM_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("STRONGROOM_HOME", str(home))
    for folder in ("database", "trust", "catalogue"):
        (home / folder).mkdir(parents=True)
    engine: sa.Engine = open_database(load().database)
    Base.metadata.create_all(engine)
    engine.dispose()
    return load()


def an_image(settings: Settings, content: str, *, unused_days: float = 1000) -> str:
    """Import an image that was last used so many days ago; return its digest."""
    layer = tar({"a": content.encode()})
    about = {
        "architecture": MACHINE,
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    archive = settings.home / "archive.tar"
    listing = [{"Config": "c.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    parts = {"manifest.json": json.dumps(listing), "c.json": json.dumps(about)}
    archive.write_bytes(tar({name: text.encode() for name, text in parts.items()} | {"layer.tar": layer}))
    digest = import_image(archive, store_of(settings)).digest
    then = time.time() - unused_days * DAY
    os.utime(settings.images_folder / "sha256" / digest.removeprefix("sha256:") / "used", (then, then))
    return digest


def tar(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def a_task(settings: Settings, image: str, state: TaskState) -> None:
    engine: sa.Engine = open_database(settings.database)
    with transaction(engine) as session:
        session.add(
            Task(
                id=os.urandom(16).hex(),
                seq=0,
                state=state.value,
                client="x",
                idempotency_key=os.urandom(8).hex(),
                body_digest="",
                run="r",
                project="p",
                person="a@x",
                coarse=True,
                name="t",
                request={},
                plan={"executors": [{"image": image}]},
                policy_version=1,
                created=now(),
                attempts=0,
            )
        )
    engine.dispose()


def removed(*options: str) -> set[str]:
    done = CliRunner().invoke(app, ["gc", "--json", *options])
    assert done.exit_code == 0, done.output
    return set(json.loads(done.stdout))


def test_what_a_name_a_lock_or_the_checks_need_is_kept(settings: Settings) -> None:
    images = {name: an_image(settings, name) for name in ("named", "locked", "checks", "nobody's")}
    write_name(settings, "tool", images["named"])
    lock = settings.home / "catalogue" / "content" / "0" / "images.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"older": images["locked"]}))
    (settings.home / "trust" / "checks-image").write_text(images["checks"] + "\n")
    assert removed() == {images["nobody's"]}
    assert removed() == set()


@pytest.mark.parametrize("state", list(TaskState))
def test_the_image_of_a_task_is_kept_until_the_task_has_ended(settings: Settings, state: TaskState) -> None:
    image = an_image(settings, "tool")
    a_task(settings, image, state)
    assert removed() == ({image} if state in TERMINAL else set())


def test_what_was_used_lately_is_kept(settings: Settings) -> None:
    lately, before = an_image(settings, "1", unused_days=8), an_image(settings, "2", unused_days=12)
    assert removed("--unused-days", "10") == {before}
    assert removed("--unused-days", "7") == {lately}


def test_what_a_task_of_the_longest_life_may_still_use_is_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = an_image(settings, "1", unused_days=50)
    monkeypatch.setenv("STRONGROOM_TES__WALL_SECONDS", str(30 * DAY))
    assert removed("--unused-days", "1") == set()
    monkeypatch.setenv("STRONGROOM_TES__WALL_SECONDS", str(DAY))
    assert removed("--unused-days", "1") == {image}
