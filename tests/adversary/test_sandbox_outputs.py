"""Whatever a task leaves behind, only plain files of its own that were declared are taken."""

import base64
import errno
import json
import os
from pathlib import Path

import pytest
from sandbox_broker import Broker
from sandbox_lab import MIB, Lab, python, shell

from sandbox.collect import Refused, collect
from sandbox.crypt4gh import open_header
from sandbox.spec import Output, parse_spec


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


OUT = [{"path": "/run/work/out", "type": "FILE"}]
FOLDER = [{"path": "/run/work/out", "type": "DIRECTORY"}]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("ln -s /etc/passwd out", "a symbolic link"),
        ("ln -s in/a.vcf out", "a symbolic link"),
        ("ln -s /proc/self/root out", "a symbolic link"),
        ("mkfifo out", "not a plain file"),
        ("echo x > real; ln real out", "several names"),
        ("ln in/a.vcf out", "several names"),
        ("truncate -s 20M out", "holes"),
        ("mkdir out", "a folder where a file was"),
        ("ln -s /proc/self/fd/1 out", "a symbolic link"),
        ("ln -s /proc/1/environ out", "a symbolic link"),
        ("echo x > a; ln a b; mv b out", "several names"),
        ("echo x > out; truncate -s 9G out 2>/dev/null || truncate -s 30M out", "holes"),
        ("dd if=/dev/zero of=out bs=1 count=1 seek=20000000 2>/dev/null", "holes"),
    ],
)
def test_a_hostile_output_is_not_taken(lab: Lab, script: str, why: str) -> None:
    ended = lab.run(shell(script), inputs=[lab.encrypted("in/a.vcf", b"secret")], outputs=OUT)
    assert ended.message["cause"] == "exited"
    assert ended.message["missing"] == ["/run/work/out"]
    assert why in ended.message["reason"]
    assert b"secret" not in b"".join(ended.files.values())


def test_a_socket_is_not_taken(lab: Lab) -> None:
    ended = lab.run(python("import socket; socket.socket(socket.AF_UNIX).bind('out')"), outputs=OUT)
    assert ended.message["missing"] == ["/run/work/out"]
    assert "not a plain file" in ended.message["reason"]


def test_a_parent_that_became_a_link_is_not_followed(lab: Lab) -> None:
    ended = lab.run(
        shell("rmdir results && ln -s ../work/in results"),
        inputs=[lab.encrypted("in/a.vcf", b"secret")],
        outputs=[{"path": "/run/work/results/a.vcf", "type": "FILE"}],
    )
    assert ended.message["missing"] == ["/run/work/results/a.vcf"]
    assert not ended.files


def test_of_a_folder_the_plain_files_are_taken(lab: Lab) -> None:
    code = r"""
import os
os.makedirs("out/deep/er")
for name in ("fine.txt", "deep/er/too.txt", "bad\nname", "bad\x1bname", "-q'uote"):
    open("out/" + name, "w").write(name)
os.symlink("fine.txt", "out/link")
os.mkfifo("out/pipe")
path = "out"
for _ in range(40):
    path += "/d"
    os.mkdir(path)
open(path + "/deepest", "w").write("x")
"""
    ended = lab.run(python(code), outputs=FOLDER)
    assert set(ended.files) == {"out/fine.txt", "out/deep/er/too.txt"}
    for why in ("symbolic link", "not a plain file", "characters", "too deeply"):
        assert why in ended.message["reason"]


def test_an_empty_folder_is_there(lab: Lab) -> None:
    assert lab.run(shell("mkdir out"), outputs=FOLDER).message["missing"] == []


def test_inputs_and_undeclared_files_do_not_leave(lab: Lab) -> None:
    given = [lab.encrypted("out/a.vcf", b"secret"), lab.encrypted("out/b.vcf", b"secret")]
    script = "chmod u+w out/a.vcf; cat out/b.vcf >> out/a.vcf; rm out/b.vcf; echo mine > out/c; echo no > other"
    ended = lab.run(shell(script), inputs=given, outputs=FOLDER)
    assert ended.files == {"out/c": b"mine\n"}


def test_outputs_of_a_failed_task_are_still_sealed(lab: Lab) -> None:
    ended = lab.run(shell("echo half > out; exit 9"), outputs=OUT)
    assert ended.message["exit_code"] == 9
    assert ended.files["out"] == b"half\n"


def test_too_many_and_too_large_outputs_are_refused(lab: Lab) -> None:
    many = lab.run(shell("mkdir out; for n in $(seq 60); do echo > out/$n; done"), outputs=FOLDER)
    assert (many.message["cause"], many.message["outputs"]) == ("disk_full", [])
    large = lab.run(
        shell("head -c 5000000 /dev/zero > out"),
        outputs=OUT,
        limits={"output_bytes": 4 * MIB, "scratch_bytes": 16 * MIB},
    )
    assert (large.message["cause"], large.message["outputs"]) == ("disk_full", [])


def test_an_answer_is_returned_and_never_stored(lab: Lab) -> None:
    ended = lab.run(shell("echo '{}' > answer.json"), kind="check", answer="/run/work/answer.json")
    assert ended.message["answer"] == "e30K"
    assert ended.message["outputs"] == []
    linked = lab.run(shell("ln -s /proc/self/environ answer.json"), kind="check", answer="/run/work/answer.json")
    assert linked.message["answer"] is None
    large = lab.run(shell("head -c 2000000 /dev/zero > answer.json"), kind="view", answer="/run/work/answer.json")
    assert (large.message["cause"], large.message["answer"]) == ("disk_full", None)


ODD = ["a\nb", "a\tb", "a\x1b[2Jb", "a'b", 'a"b', "a;b", "a`b`", "a$b", "a*b", "a|b", "a\\b", "a<b", "-rf", "~root"]
ODD += ["#x", " x", "x ", "x\u202egpj", "caf\u00e9", "a\x7fb", "{}"]


def test_names_that_mean_something_to_a_program_are_not_taken(lab: Lab) -> None:
    code = f"""
import os
os.mkdir("out")
for name in {ODD!r}:
    open("out/" + name, "w").write("odd")
open(b"out/\\xff\\xfe", "w").write("odd")
open("out/plain-name_1.tsv", "w").write("plain")
"""
    ended = lab.run(python(code), outputs=FOLDER)
    assert ended.files == {"out/plain-name_1.tsv": b"plain"}, ended.stderr
    assert "characters that are not allowed" in ended.message["reason"]
    assert not any(name in str(ended.message) for name in ("rf", "root", "caf"))  # a name is a message too


@pytest.mark.parametrize("name", ["it's", "-x", "~a", "a*b"])
def test_a_declared_name_must_be_a_plain_one_too(lab: Lab, name: str) -> None:
    ended = lab.run(shell(f'echo x > "./{name}"'), outputs=[{"path": f"/run/work/{name}", "type": "FILE"}])
    assert (ended.files, len(ended.message["missing"])) == ({}, 1)
    assert "characters that are not allowed" in ended.message["reason"]


def test_a_very_deep_tree_and_very_long_paths_end_the_walk_not_us(lab: Lab) -> None:
    code = r"""
import os
os.mkdir("out")
open("out/kept", "w").write("kept")
os.chdir("out")
for name in ["d"] * 3000:
    os.mkdir(name)
    os.chdir(name)
open("deepest", "w").write("x")
os.chdir("/run/work/out")
for name in ["n" * 250] * 5:
    os.mkdir(name)
    os.chdir(name)
open("far", "w").write("x")
"""
    ended = lab.run(python(code), outputs=FOLDER)
    assert ended.files == {"out/kept": b"kept"}, ended.stderr
    assert "too deeply, or a path that is too long" in ended.message["reason"]


def test_a_bomb_of_empty_files_meets_a_limit_and_leaves_nothing(lab: Lab) -> None:
    code = r"""
import os
os.mkdir("out")
made = 0
try:
    while made < 300_000:
        os.close(os.open(f"out/{made}", os.O_CREAT | os.O_WRONLY))
        made += 1
except OSError as error:
    raise SystemExit(error.errno)
"""
    ended = lab.run(python(code), outputs=FOLDER)
    assert (ended.message["cause"], ended.message["outputs"]) == ("disk_full", [])
    assert ended.message["executors"][0]["exit_code"] == errno.ENOSPC


def test_what_a_careless_collector_takes_ours_refuses(tmp_path: Path) -> None:
    """The same tree, read by name as most programs do, and by us."""
    secret = tmp_path / "host" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret of the host")
    work = tmp_path / "work"
    for folder in ("out", "plain"):
        (work / folder).mkdir(parents=True)
    (work / "plain" / "fine").write_text("fine")
    (work / "out" / "link").symlink_to(secret)
    (work / "out" / "folder").symlink_to(secret.parent)
    os.link(secret, work / "out" / "second name")
    held = os.open(secret, os.O_RDONLY)
    (work / "out" / "magic").symlink_to(f"/proc/self/fd/{held}")
    (work / "up").symlink_to("../host")
    careless = [work / "out" / name for name in ("link", "folder/secret", "second name", "magic")] + [
        work / "up/secret"
    ]
    assert {path.read_text() for path in careless} == {"secret of the host"}
    limits = parse_spec(json.dumps(Lab(tmp_path / "lab").spec(["x"])).encode()).limits
    top = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        wanted = [Output("/run/work/out", "DIRECTORY"), Output("/run/work/plain", "DIRECTORY")]
        wanted += [Output("/run/work/up/secret", "FILE"), Output("/run/work/out/folder/secret", "FILE")]
        found = collect({"/run/work": top}, wanted, inputs=(), limits=limits)
    finally:
        os.close(top)
        os.close(held)
    assert [one.path for one in found.files] == ["/run/work/plain/fine"]
    assert set(found.refused) == {Refused.LINK, Refused.HARD_LINK}


@pytest.mark.parametrize("count", [1, 7, 600])
def test_many_outputs_are_sealed_each_under_a_key_of_its_own(tmp_path: Path, count: int) -> None:
    broker = Broker(Lab(tmp_path))
    script = f"mkdir out; for n in $(seq {count}); do echo $n > out/$n; done"
    ended = broker.run(shell(script), outputs=FOLDER, limits={"output_files": count})
    broker.close()
    assert ended.files == {f"out/{n}": b"%d\n" % n for n in range(1, count + 1)}, ended.message
    headers = [base64.b64decode(row["header"]) for row in broker.registered]
    assert len({open_header(header, broker.lab.private_key) for header in headers}) == count
    assert {row["object"] for row in broker.registered} == {one["object"] for one in ended.message["outputs"]}
