"""The doctor tells what is weaker or missing, in words and by its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import bubblewrap, cgroups, doctor, landlock, loopdisk, plan, scratch_trials
from sandbox.bubblewrap import Bubblewrap, NoBubblewrap
from sandbox.cgroups import Hierarchies
from sandbox.doctor import Health, Item, examine, exit_code, kernel_version
from sandbox.spec import Driver

NAMES = {
    "kernel",
    "task users",
    "bubblewrap",
    "first process",
    "namespaces",
    "seccomp",
    "landlock",
    "cgroups",
    "fuse",
    "swap",
    "core dumps",
    "crashes",
    "terminal",
    "crun",
    "runsc",
    "scratch tmpfs",
    "scratch gocryptfs",
    "scratch fscrypt",
    "scratch dm-crypt",
}
SWAP = "Filename\tType\tSize\tUsed\tPriority\n/dev/dm-0 partition 1 0 -2\n"


def item(name: str) -> Item:
    (found,) = [one for one in examine() if one.name == name]
    return found


def test_every_item_is_there_and_says_something() -> None:
    items = examine()
    assert {one.name for one in items} == NAMES
    assert all(one.says.endswith((".", ").")) for one in items)


@pytest.mark.parametrize(
    ("healths", "code"),
    [([Health.GOOD], 0), ([Health.GOOD, Health.WEAKER], 1), ([Health.MISSING, Health.WEAKER], 2)],
)
def test_the_worst_item_is_the_exit_code(healths: list[Health], code: int) -> None:
    assert exit_code([Item("x", health, "x") for health in healths]) == code


def test_it_runs_alone_as_json() -> None:
    command = [sys.executable, "-P", "-m", "sandbox.doctor", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert {one["name"] for one in json.loads(done.stdout)} == NAMES
    assert done.returncode in (0, 1, 2)


@pytest.mark.parametrize(
    ("release", "version"), [("6.18.44-fc-v657", (6, 18)), ("5.10.0-30-amd64", (5, 10)), ("6.1", (6, 1))]
)
def test_a_kernel_release_is_read(release: str, version: tuple[int, int]) -> None:
    assert kernel_version(release) == version


def test_an_old_kernel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "release", lambda: "5.10.0-30-amd64")
    assert item("kernel").health is Health.MISSING


def test_a_node_without_bubblewrap_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Bubblewrap:
        raise NoBubblewrap("Install it.")

    monkeypatch.setattr(doctor.bubblewrap, "find_bubblewrap", none)
    assert item("bubblewrap") == Item("bubblewrap", Health.MISSING, "Install it.")
    assert item("namespaces").health is Health.MISSING


def test_the_version_and_the_state_of_the_cve_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Bubblewrap(Path("/usr/bin/bwrap"), (0, 12, 1), ())
    monkeypatch.setattr(doctor.bubblewrap, "find_bubblewrap", lambda: new)
    assert "0.12.1" in item("bubblewrap").says
    assert "CVE-2026-87766" in item("bubblewrap").says


def test_a_node_where_the_first_process_does_not_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert item("first process").health is Health.GOOD
    program = tmp_path / "first"
    monkeypatch.setattr(plan, "PROGRAM", program)
    assert item("first process").health is Health.MISSING
    assert "make setup" in item("first process").says
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert "does not run" in item("first process").says
    program.write_bytes(b"\x7fELF of another machine")
    assert item("first process").health is Health.MISSING


def test_a_setuid_bubblewrap_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho bubblewrap 0.12.0\n")
    program.chmod(0o4755)
    monkeypatch.setattr(bubblewrap, "_SYSTEM", (program,))
    bubblewrap.find_bubblewrap.cache_clear()
    assert item("bubblewrap").health is Health.MISSING
    assert "setuid" in item("bubblewrap").says
    program.chmod(0o755)
    assert item("bubblewrap").health is Health.GOOD
    monkeypatch.undo()
    bubblewrap.find_bubblewrap.cache_clear()


@pytest.mark.parametrize(
    ("version", "health"), [(0, Health.WEAKER), (3, Health.WEAKER), (4, Health.WEAKER), (7, Health.GOOD)]
)
def test_what_landlock_adds_is_told(monkeypatch: pytest.MonkeyPatch, version: int, health: Health) -> None:
    monkeypatch.setattr(landlock, "version", lambda: version)
    assert item("landlock").health is health


def test_missing_cgroups_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Hierarchies({"memory": Path("/x")}, None, frozenset({"pids"}))
    monkeypatch.setattr(cgroups, "hierarchies", lambda: some)
    assert item("cgroups").health is Health.WEAKER
    assert "No limit of cpu by" in item("cgroups").says
    whole = Hierarchies({}, Path("/x"), frozenset(cgroups.CONTROLLERS))
    monkeypatch.setattr(cgroups, "hierarchies", lambda: whole)
    assert item("cgroups").health is Health.GOOD


def test_swap_in_clear_is_told_and_encrypted_swap_is_good(tmp_path: Path) -> None:
    assert doctor._swap(SWAP, tmp_path).health is Health.WEAKER
    (tmp_path / "dm-0" / "dm").mkdir(parents=True)
    (tmp_path / "dm-0" / "dm" / "uuid").write_text("LVM-abc\n")
    assert doctor._swap(SWAP, tmp_path).health is Health.WEAKER
    (tmp_path / "dm-0" / "dm" / "uuid").write_text("CRYPT-PLAIN-swap\n")
    assert doctor._swap(SWAP, tmp_path).health is Health.GOOD
    assert doctor._swap("Filename\n", tmp_path).health is Health.GOOD


def test_the_core_pattern_is_told() -> None:
    assert "handler" in doctor._cores("|/usr/lib/systemd/systemd-coredump %P").says
    assert "files" in doctor._cores("core").says


def test_a_kernel_that_names_what_crashes_is_told(tmp_path: Path) -> None:
    switch = tmp_path / "exception-trace"
    assert doctor._crashes(switch).health is Health.GOOD
    for said, health in (("0\n", Health.GOOD), ("1\n", Health.WEAKER), ("2\n", Health.WEAKER)):
        switch.write_text(said)
        assert doctor._crashes(switch).health is health


def test_what_is_weaker_without_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1999)
    assert item("task users").health is Health.WEAKER
    assert item("scratch gocryptfs").health is Health.WEAKER
    assert "root" in item("scratch fscrypt").says


GOOD_SWAP, CLEAR_SWAP = Item("swap", Health.GOOD, "None."), Item("swap", Health.WEAKER, "On.")


@pytest.mark.parametrize(
    ("swap", "keeps", "health"),
    [
        (GOOD_SWAP, True, Health.GOOD),
        (CLEAR_SWAP, True, Health.GOOD),
        (GOOD_SWAP, False, Health.GOOD),
        (CLEAR_SWAP, False, Health.WEAKER),
    ],
)
def test_scratch_in_memory_is_weaker_only_where_swap_could_take_it(swap: Item, keeps: bool, health: Health) -> None:
    assert doctor._memory(swap, keeps_off_swap=keeps).health is health


@pytest.mark.parametrize(
    ("gocryptfs", "fscrypt", "healths"),
    [
        (None, None, (Health.GOOD, Health.GOOD)),
        (None, "x", (Health.GOOD, Health.GOOD)),
        ("x", None, (Health.GOOD, Health.GOOD)),
        ("x", "x", (Health.WEAKER, Health.WEAKER)),
    ],
)
def test_one_driver_of_encrypted_disk_is_enough(
    gocryptfs: str | None, fscrypt: str | None, healths: tuple[Health, Health]
) -> None:
    obstacles: dict[Driver, str | None] = {"gocryptfs": gocryptfs, "fscrypt": fscrypt}
    assert (doctor._disk("gocryptfs", obstacles).health, doctor._disk("fscrypt", obstacles).health) == healths


def test_both_drivers_of_encrypted_disk_stand_here_and_leave_nothing() -> None:
    before = Path("/proc/mounts").read_text()
    assert (scratch_trials.obstacle("gocryptfs"), scratch_trials.obstacle("fscrypt")) == (None, None)
    assert scratch_trials.keeps_off_swap()
    assert Path("/proc/mounts").read_text() == before


def test_what_a_driver_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_trials, "_FSCRYPT", tmp_path / "none")
    assert "CONFIG_FS_ENCRYPTION" in str(scratch_trials.obstacle("fscrypt"))
    monkeypatch.setattr(loopdisk, "PATH", str(tmp_path))
    assert "e2fsprogs" in str(scratch_trials.obstacle("fscrypt"))
    assert "gocryptfs and e2fsprogs" in str(scratch_trials.obstacle("gocryptfs"))


def test_a_trial_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopdisk, "_FEATURES", "no-such-feature")
    assert "trial failed" in str(scratch_trials.obstacle("fscrypt"))


def test_dm_crypt_is_seen_and_not_offered() -> None:
    assert "has device-mapper" in doctor._device_mapper(" 236 device-mapper\n").says
    assert "lacks device-mapper" in doctor._device_mapper(" 229 fuse\n").says
