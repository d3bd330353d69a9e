"""Who vets a workflow runs none of it while reading it; a draft's dry run sees and reaches nothing."""

import json
import os
import socket
import time
from pathlib import Path

import pytest

from strongroom.errors import StrongroomError
from strongroom.settings import SOURCE, Settings
from wes.outlining import outline, plan
from wes.reading import NotReadable, copied, read_inside

SETTINGS = Settings()
RULE = '\nrule all:\n    output: "x"\n    shell: "true"\n'
# Each of these, were it run, would be seen: a file, an endless loop, an exit.
ACTS = """
open("/run/work/ran", "w").write("x")
import os, sys
os._exit(3)
while True: pass
"""
ATTACK = """
import json, os, socket
def tried(act):
    try: return str(act())
    except BaseException as error: return type(error).__name__
def connected(family, address):
    with socket.socket(family) as one:
        one.settimeout(2)
        one.connect(address)
        return "connected"
found = {
    "network": tried(lambda: connected(socket.AF_INET, ("127.0.0.1", @PORT@))),
    "shadow": tried(lambda: open("/etc/shadow").read()),
    "home": tried(lambda: os.listdir("@HOME@")),
    "workflow": tried(lambda: open("/run/workflow/Snakefile", "a").write("x")),
    "plugins": tried(lambda: open("/opt/plugins/x.py", "w").write("x")),
    "engine": tried(lambda: open("/opt/engine/x", "w").write("x")),
    "kernel": tried(lambda: open("/proc/sys/kernel/core_pattern", "w").write("x")),
    "userns": tried(lambda: __import__("ctypes").CDLL(None).unshare(0x10000000)),
    "environment": sorted(os.environ),
    "root": sorted(os.listdir("/run")),
    "processes": len([one for one in os.listdir("/proc") if one.isdigit()]),
    "uids": open("/proc/self/status").read().split("CapEff:")[1].split()[0],
}
print("FOUND" + json.dumps(found))
"""


@pytest.mark.parametrize("act", ACTS.strip().splitlines())
def test_nothing_runs_while_a_workflow_is_read(act: str, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "Snakefile").write_text(f"import os\n{act}\n{RULE}")
    seen = outline(SETTINGS, folder, engine="snakemake", entry="Snakefile")
    assert [rule.name for rule in seen.rules] == ["all"]
    assert not (tmp_path / "ran").exists()


def test_a_dry_run_sees_and_reaches_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = ATTACK.replace("@PORT@", str(server.getsockname()[1])).replace("@HOME@", str(SOURCE))
        (folder / "Snakefile").write_text(text + RULE)
        with copied(SETTINGS, folder) as top:
            command = ["/opt/engine/bin/python", "-P", "-c", text]
            found = json.loads(read_inside(SETTINGS, top, command, environment={}).split(b"FOUND")[1])
    assert found.pop("network") in ("ConnectionRefusedError", "OSError", "PermissionError")
    assert found.pop("processes") <= 3
    assert found == {
        "shadow": "FileNotFoundError",
        "home": "FileNotFoundError",
        "workflow": found["workflow"],
        "plugins": found["plugins"],
        "engine": found["engine"],
        "kernel": found["kernel"],
        "userns": "-1",
        "environment": ["HOME", "LANG", "PATH", "PWD", "USER"],
        "root": ["work", "workflow"],
        "uids": "0000000000000000",
    }
    assert {found[name] for name in ("workflow", "plugins", "engine", "kernel")} <= {"OSError", "PermissionError"}
    assert (folder / "Snakefile").read_text() == text + RULE


def test_a_dry_run_that_lies_or_never_ends_gives_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "Snakefile").write_text("import os\nos._exit(3)\n" + RULE)
    with pytest.raises(NotReadable):
        plan(SETTINGS, folder, engine="snakemake", entry="Snakefile", config={}, inputs=[], work=[])
    (folder / "Snakefile").write_text("while True: pass\n" + RULE)
    monkeypatch.setattr("wes.reading.SECONDS", 3)
    started = time.monotonic()
    with pytest.raises(StrongroomError):
        plan(SETTINGS, folder, engine="snakemake", entry="Snakefile", config={}, inputs=[], work=[])
    assert time.monotonic() - started < 30
    lines = r"print('x\ty\tz\x1b[2J\nname\t-\t$(id)\nok\t-\trule_one')" + "\nimport os\nos._exit(0)\n"
    monkeypatch.setattr("wes.reading.SECONDS", 60)
    (folder / "Snakefile").write_text(
        "import sys\n" + lines.replace("import os", "sys.stdout.flush()\nimport os") + RULE
    )
    told = plan(SETTINGS, folder, engine="snakemake", entry="Snakefile", config={}, inputs=[], work=[])
    assert [(one.path, one.rule) for one in told] == [("ok", "rule_one")]


def test_links_lead_no_reader_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "Snakefile").write_text(RULE)
    os.symlink("/etc/shadow", folder / "more.smk")
    with pytest.raises(StrongroomError, match="no links"):
        outline(SETTINGS, folder, engine="snakemake", entry="Snakefile")
