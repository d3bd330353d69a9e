"""The contract of `Engine` (ADR 0007), held by every engine."""

import asyncio
import json
import os
import stat
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.errors import BadRequest, StrongroomError
from strongroom.settings import Settings
from wes import engines
from wes.engines import ENGINES, Engine, Folders, Launch, Seen, open_engine, walls
from wes.manifest import Manifest, parse_manifest
from wes.stubs import opened, write_stub


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return open_engine(request.param)


@pytest.fixture
def manifest(engine: Engine) -> Manifest:
    return parse_manifest(
        f"{{name: one, version: 1.0.0, engine: {{name: {engine.name}, version: {engine.version}}}, entry: main}}"
    )


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    for name in ("work", "flow"):
        (tmp_path / name).mkdir()
    (tmp_path / "tes.sock").touch()
    return Folders(tmp_path / "work", tmp_path / "flow", tmp_path, tmp_path / "tes.sock")


def launch(manifest: Manifest, settings: Settings) -> Launch:
    return engines.launch_of(uuid.uuid4().hex, manifest, settings)


def test_it_is_what_its_manifests_call_it(engine: Engine, manifest: Manifest) -> None:
    assert open_engine(manifest.engine).name == engine.name
    assert engine.types
    assert all(kind.isupper() for kind in engine.types)


def test_no_other_engine_can_be_named() -> None:
    with pytest.raises(BadRequest):
        open_engine("cwltool")


def test_1_its_words_hold_nothing_of_a_user(engine: Engine, manifest: Manifest, folders: Folders) -> None:
    settings = Settings(home=folders.config)
    one = launch(manifest, settings)
    engine.write_config(folders, {"secret": "$(id)"}, one)
    words = engine.command(one, folders)
    assert all(isinstance(word, str) for word in words)
    assert "/run/workflow/main" in words
    assert "$(id)" not in " ".join(words)
    assert Path(words[0]).is_absolute()


def test_2_what_it_reads_can_be_written_at_each_launch_and_holds_the_parameters(
    engine: Engine, manifest: Manifest, folders: Folders
) -> None:
    settings = Settings(home=folders.config)
    for value in ("first", "second"):
        engine.write_config(folders, {"one": value}, launch(manifest, settings))
    written = [source for source, _ in engine.mounts(folders, settings) if source.parent == folders.config]
    assert written
    assert any("second" in path.read_text() for path in written)
    assert not any("first" in path.read_text() for path in written)
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_3_its_walls_hold_no_network_and_show_nothing_of_the_host(
    engine: Engine, manifest: Manifest, folders: Folders
) -> None:
    settings = Settings(home=folders.config)
    words = walls(engine, launch(manifest, settings), folders, settings, events_fd=9)
    assert {"--unshare-all", "--die-with-parent", "--new-session", "--cap-drop"} <= set(words)
    writable = [words[n + 2] for n, word in enumerate(words) if word == "--bind"]
    assert writable == ["/run/work"]
    shown = {words[n + 2] for n, word in enumerate(words) if word == "--ro-bind"}
    assert not {"/etc", "/root", "/home", "/var"} & shown
    named = [words[n + 1] for n, word in enumerate(words) if word == "--setenv"]
    assert len(named) == len(set(named))
    assert not set(os.environ) & {name for name in named if name.startswith(("STRONGROOM_HOME", "PYTHONSAFE"))}


def test_4_what_is_not_plainly_the_runs_own_is_refused(engine: Engine, manifest: Manifest) -> None:
    job_of = engine.job_of(manifest, Settings(), {})
    for asked in ({}, {"tags": {"rule": "A"}}, {"run": "x"}, json.loads('{"executors": [{}]}')):
        with pytest.raises(StrongroomError):
            job_of(asked, run="a" * 32, images={}, files={})


def test_5_two_launches_of_a_run_are_started_alike(engine: Engine, manifest: Manifest, folders: Folders) -> None:
    settings = Settings(home=folders.config)
    one = launch(manifest, settings)
    assert engine.command(one, folders) == engine.command(one, folders)
    assert engine.environment(one) == engine.environment(one)


def test_t17_content_lies_in_the_engines_memory_over_the_stub_and_has_its_time(
    engine: Engine, manifest: Manifest, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, born, canary = "inputs/sheet/samples.tsv", 1_700_000_000_123_000_000, b"na1\tcanary6b1d\n"
    with opened(folders.work) as tree:
        write_stub(tree, path, size=64, mtime_ns=born)
    file = f"/run/work/{path}"
    looks = f"stat -c %s:%.3Y {file}; cat {file}; ls -l /proc/self/fd | grep -c memfd"
    monkeypatch.setattr(type(engine), "mounts", lambda *_: [])
    monkeypatch.setattr(type(engine), "environment", lambda *_: {})
    monkeypatch.setattr(type(engine), "command", lambda *_: ["/bin/sh", "-c", looks])
    settings = Settings(home=folders.config)
    started = replace(launch(manifest, settings), seen=(Seen(path, born, canary),))

    async def story() -> None:
        running = await engines.start(engine, started, folders, settings, log=folders.config / "log")
        await running.process.wait()
        await running.events.read()

    asyncio.run(story())
    assert (folders.config / "log").read_bytes() == b"%d:1700000000.123\n%s0\n" % (len(canary), canary)
    stub = folders.work / path
    assert (stub.read_bytes(), stub.stat().st_mtime_ns) == (bytes(64), born)
    assert canary.decode() not in repr(started)
