"""Whatever a task leaves behind, only plain files of its own that were declared are taken."""

from pathlib import Path

import pytest
from sandbox_lab import MIB, Lab, python, shell


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
