"""The processes of a sandbox: the zygote's speed and safety, runs by hand, runs without root, and the sweep."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sandbox_lab import MIB, Ended, Lab, shell, wait, wait_for, zygote

from sandbox import bubblewrap, cgroups, supervisor
from sandbox.keys import KeysError, read_private_key
from sandbox.zygote import start

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def test_many_threads_share_one_zygote(lab: Lab) -> None:
    ended: list[Ended] = []

    def one(number: int) -> None:
        ended.append(lab.run(shell(f"echo {number} > out{number}"), uid=101_000 + number, outputs=[out(number)]))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    contents = sorted(content for one in ended for content in one.files.values())
    assert contents == [f"{number}\n".encode() for number in range(8)]


def out(number: int) -> dict[str, str]:
    return {"path": f"/run/work/out{number}", "type": "FILE"}


def test_a_large_spec_passes(lab: Lab) -> None:
    content = os.urandom(3 * MIB)
    given = {"path": "/run/work/in/x", "content": base64.b64encode(content).decode(), "mtime": 7}
    ended = lab.run(
        shell("stat -c '%s %Y %u %a' in/x; echo no > in/x; cp in/x out1"), inputs=[given], outputs=[out(1)]
    )
    assert ended.stdout.split() == [str(len(content)), "7", "1000", "444"]
    assert ended.files["out1"] == content


def test_the_zygote_ends_with_its_owner_and_takes_tasks_along(lab: Lab) -> None:
    own = start()
    pid, channel = own.launch(json.dumps(lab.spec(shell("sleep 100"))).encode())
    own.close()
    with channel:
        end = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
            time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()
    assert own.process.returncode == 0


def test_a_supervisor_is_deaf_to_a_terminal_and_gives_way_to_the_services_of_its_session(lab: Lab) -> None:
    own = start(niceness=3)
    pid, channel = own.launch(json.dumps(lab.spec(shell("sleep 100"))).encode())
    wait_for(channel, "started")
    seen = os.getpgid(pid), os.getsid(pid), os.getpriority(os.PRIO_PROCESS, pid)
    group, session = os.getpgid(own.process.pid), os.getsid(own.process.pid)
    channel.close()
    own.close()
    # Of a session of its own, its niceness would not count beside the services.
    assert seen == (pid, session, min(os.getpriority(os.PRIO_PROCESS, 0) + 3, 19))
    assert pid != group


def test_a_bad_spec_is_answered_with_a_sentence(lab: Lab) -> None:
    _, channel = zygote().launch(b'{"version": 1}')
    with channel:
        message = wait(channel)
    assert (message["cause"], message["reason"]) == ("system", "spec.kind: missing.")


def test_the_sweep_takes_what_dead_supervisors_left(lab: Lab) -> None:
    found = cgroups.hierarchies()
    parents = [*found.v1.values(), *([found.v2] if found.v2 else [])]
    assert parents
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [parent / f"{gone.pid}-1" for parent in parents]
    left += [parent / f"{zygote().process.pid}-1" for parent in parents]  # of a process that had this number before
    for group in left:
        group.mkdir()
    kept = cgroups.Group()
    with subprocess.Popen(["sleep", "100"]) as orphan:
        (left[0] / "cgroup.procs").write_text(str(orphan.pid))
        supervisor.sweep()
        assert orphan.wait(5) == -signal.SIGKILL
    assert not any(group.exists() for group in left)
    assert all(group.exists() for group in kept.folders)
    kept.remove()
    assert not any(group.exists() for group in kept.folders)


def test_bubblewrap_is_the_pinned_one_or_new_and_never_setuid() -> None:
    found = bubblewrap.find_bubblewrap()
    assert found.version >= bubblewrap.OLDEST or found.version == bubblewrap.WHEEL_VERSION
    assert not found.path.stat().st_mode & 0o6000


@pytest.fixture
def outsider(tmp_path: Path) -> Lab:
    """A lab whose bodies a person without root may write."""
    lab = Lab(tmp_path)
    for path in (lab.bodies, lab.key_file):
        os.chown(path, 1999, 1999)
    for path in (tmp_path, *tmp_path.parents):
        if path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    return lab


def test_without_root_the_walls_stand_too(outsider: Lab) -> None:
    spec = outsider.folder / "spec.json"
    script = "id -u; cat /proc/1/environ; ls /; ls /root; echo fine > out1"
    inline = {"path": "/run/work/in/x", "content": "eA==", "mtime": 7}
    spec.write_text(json.dumps(outsider.spec(shell(script), inputs=[inline], outputs=[out(1)])))
    drop = ["setpriv", "--reuid=1999", "--regid=1999", "--clear-groups"]
    command = [*drop, sys.executable, "-m", "sandbox", str(spec)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ended = outsider.ended(json.loads(done.stdout))
    assert ended.files["out1"] == b"fine\n"
    assert ended.stdout.split()[0] == "1000"


def test_the_example_of_the_documentation_works_by_hand(lab: Lab) -> None:
    text = (ROOT / "docs" / "sandbox-spec.md").read_text()
    (example,) = re.findall(r"```json\n(\{.*?\n\})\n```", text, re.DOTALL)
    given = lab.encrypted("in.txt", b"hello from inside")
    places = {
        "/tmp/example/image": str(lab.image),
        "/tmp/example/key": str(lab.key_file),
        "/tmp/example/in.txt.c4gh": given["file"],
        "/tmp/example/results": str(lab.bodies),
        "RECIPIENT": base64.b64encode(lab.public_key).decode(),
    }
    for place, real in places.items():
        assert place in example
        example = example.replace(f'"{place}"', json.dumps(real))
    spec = lab.folder / "spec.json"
    spec.write_text(example)
    done = subprocess.run([sys.executable, "-m", "sandbox", str(spec)], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    ended = lab.ended(json.loads(done.stdout))
    assert ended.files["shout.txt"] == b"HELLO FROM INSIDE"


@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        ("ab" * 32, 0o644, "chmod 600"),
        ("ab" * 31, 0o600, "32 bytes"),
        ("no key", 0o600, "neither"),
        ("-----BEGIN CRYPT4GH PRIVATE KEY-----\nAAAA\n-----END CRYPT4GH PRIVATE KEY-----", 0o600, "neither"),
    ],
)
def test_a_bad_key_file_is_refused(tmp_path: Path, content: str, mode: int, why: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(KeysError, match=why):
        read_private_key(file)


def test_a_key_of_the_reference_library_is_read(tmp_path: Path) -> None:
    import crypt4gh.keys.c4gh as reference

    secret, public = tmp_path / "secret", tmp_path / "public"
    reference.generate(str(secret), str(public), None, None)
    assert len(read_private_key(secret)) == 32
    reference_public = base64.b64decode(public.read_text().splitlines()[1])
    from sandbox.crypt4gh import public_key_of

    assert public_key_of(read_private_key(secret)) == reference_public
    secret.chmod(0o600)
    reference.generate(str(secret), str(public), b"passphrase", None)
    with pytest.raises(KeysError, match="passphrase"):
        read_private_key(secret)
