"""A task sees its inputs as registered, all of them, from many readers at once, or it sees an error."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_broker import Broker, spoil
from sandbox_lab import Lab, python, shell, wait, wait_for

from sandbox.crypt4gh import CIPHER_SEGMENT, SEGMENT

READ = """
try:
    file = open("in.bin", "rb", buffering=0)
    file.seek({offset})
    file.read(9)
except OSError as error:
    raise SystemExit(error.errno)  # nothing but the exit code leaves: outputs and streams are dropped
"""
MANY = 10_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(Lab(tmp_path))
    yield one
    one.close()


@pytest.mark.parametrize(("place", "seen"), [(30 * SEGMENT, errno.EIO), (2 * SEGMENT, 0)])
def test_a_flipped_byte_is_an_error_to_who_reads_it_and_drops_all_outputs(
    broker: Broker, place: int, seen: int
) -> None:
    given = broker.stored("in.bin", bytes(40 * SEGMENT))
    spoil(Path(given["body"]), 30 * CIPHER_SEGMENT + 100)
    ended = broker.run(python(READ.format(offset=place)), inputs=[given])
    assert ended.message["cause"] == "system"
    assert "not the one that was registered" in ended.message["reason"]
    assert ended.message["executors"][0]["exit_code"] == seen
    assert (ended.message["outputs"], ended.files) == ([], {})


@pytest.mark.parametrize("change", ["a flipped byte", "a missing segment", "a cut segment"])
def test_a_file_that_changes_under_a_task_by_hand_is_an_error(tmp_path: Path, change: str) -> None:
    lab = Lab(tmp_path)
    given = lab.encrypted("in.bin", os.urandom(20 * SEGMENT + 9))
    file = Path(given["file"])
    raw = file.read_bytes()
    spec = lab.spec(shell("sleep 0.4"), python(READ.format(offset=20 * SEGMENT)), inputs=[given])
    _, channel = lab.launch(spec)
    with channel:
        wait_for(channel, "started")
        match change:
            case "a flipped byte":
                spoil(file, len(raw) - 1)
            case "a missing segment":
                file.write_bytes(raw[:-37])  # the last segment: 9 bytes and what proves them
            case _:
                os.truncate(file, len(raw) - 3)
        message = wait(channel)
    assert message["cause"] == "system"
    assert "not the one that was registered" in message["reason"]
    assert [one["exit_code"] for one in message["executors"]] == [0, errno.EIO]
    assert message["outputs"] == []


def test_ten_thousand_inputs_in_folders_are_all_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    one = lab.encrypted("one", b"genotype\n")
    given = [{**one, "path": f"/run/work/in/{n % 100}/{n:05}"} for n in range(MANY)]
    script = "ls -lR in | grep -c '^-r--r--r--'; find in -type f | wc -l; cat in/*/*[05] | wc -c; ls in | wc -l"
    ended = lab.run(shell(script), inputs=given)
    assert ended.stdout.split() == [str(MANY), str(MANY), str(MANY // 5 * 9), "100"], (ended.message, ended.stderr)


def test_many_readers_at_once_see_what_was_encrypted(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    contents = [os.urandom(40 * SEGMENT + n) for n in range(3)]
    given = [lab.encrypted(f"in/{n}", content) for n, content in enumerate(contents)]
    code = """
import hashlib, json, mmap, random, sys, threading
bad, sums = [], {}
whole = {n: open(f"in/{n}", "rb").read() for n in range(3)}
def read(seed):
    draw = random.Random(seed)
    for _ in range(150):
        n = draw.randrange(3)
        begin, count = draw.randrange(len(whole[n])), draw.choice((1, 4096, 65536, 300000))
        with open(f"in/{n}", "rb", buffering=0) as file:
            file.seek(begin)
            if file.read(count) != whole[n][begin : begin + count]:
                bad.append(begin)
threads = [threading.Thread(target=read, args=(n,)) for n in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
with open("in/2", "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as seen:
    mapped = bytes(seen) == whole[2]
print(json.dumps([bad, mapped, [hashlib.sha256(whole[n]).hexdigest() for n in range(3)]]))
"""
    ended = lab.run(python(code), inputs=given)
    assert ended.json() == [[], True, [hashlib.sha256(content).hexdigest() for content in contents]]


def test_small_inputs_need_no_view(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    given = [lab.encrypted("in/a", b"small"), lab.encrypted("in/b", bytes(SEGMENT))]
    script = "cat in/a; grep -c fuse /proc/self/mountinfo; echo x >> in/a || stat -c '%a %Y' in/a"
    viewed = lab.run(shell(script), inputs=given)
    staged = lab.run(shell(script), inputs=given, limits={"stage_bytes": 1 << 20})
    assert staged.stdout.startswith("small0\n")
    assert staged.stdout == viewed.stdout.replace("small1", "small0")
    assert "444 1700000000" in staged.stdout
