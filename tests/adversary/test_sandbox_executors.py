"""Several executors of one task share its files and volumes, each in an image of its own, and nothing of another."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sandbox_lab import Ended, Lab, executor, make_image, python, shell
from weaker_walls import run_without

from sandbox import mounts

WORK = "/run/work"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def run(lab: Lab, *executors: dict[str, Any], **changes: Any) -> Ended:
    return lab.run(executors=list(executors), **changes)


def output(path: str, kind: str = "FILE", **more: Any) -> dict[str, Any]:
    return {"path": path, "type": kind, **more}


def codes(ended: Ended) -> Sequence[int | None]:
    return [one["exit_code"] for one in ended.message["executors"]]


def second_image(lab: Lab) -> Path:
    root = make_image(lab.folder / "second")
    (root / "etc" / "second").write_text("second\n")
    return root


# Images


def test_each_executor_runs_in_its_own_image(lab: Lab) -> None:
    other = str(second_image(lab))
    ended = run(
        lab,
        executor(shell("ls /etc > first")),
        executor(shell("cat /etc/second > second"), rootfs=other),
        executor(shell("ls /etc > third")),
        outputs=[output(f"{WORK}/{name}") for name in ("first", "second", "third")],
    )
    assert ended.files == {"first": b"", "second": b"second\n", "third": b""}, ended.message


def test_every_image_is_read_only_for_every_executor(lab: Lab) -> None:
    other = str(second_image(lab))
    write = shell("echo mine > /etc/mine; ls /etc")
    ended = run(lab, executor(write), executor(write, rootfs=other), executor(write, rootfs=other))
    assert [ended.files.get(f"stdout.{n}", b"") for n in range(3)] == [b"", b"second\n", b"second\n"]
    assert os.listdir(f"{other}/etc") == ["second"]


def test_with_writable_roots_each_image_has_changes_of_its_own(lab: Lab) -> None:
    other = str(second_image(lab))
    ended = run(
        lab,
        executor(shell("echo 1 > /etc/mine")),
        executor(shell("ls /etc; echo 2 > /etc/mine"), rootfs=other),
        executor(shell("cat /etc/mine")),
        executor(shell("cat /etc/mine"), rootfs=other),
        writable_root=True,
    )
    assert ended.files == {"stdout.1": b"second\n", "stdout.2": b"1\n", "stdout.3": b"2\n"}, ended.message
    assert os.listdir(f"{other}/etc") == ["second"]


def test_an_image_with_a_link_where_a_wall_belongs_is_refused_wherever_it_is_named(lab: Lab) -> None:
    other = second_image(lab)
    (other / "tmp").rmdir()
    (other / "tmp").symlink_to("/oldroot/tmp")
    ended = run(lab, executor(shell("true")), executor(shell("true"), rootfs=str(other)))
    assert (ended.message["cause"], ended.message["executors"]) == ("system", [])


# Errors


def test_executors_run_in_order_until_one_fails(lab: Lab) -> None:
    ended = run(lab, executor(shell("echo a")), executor(shell("echo b; exit 7")), executor(shell("echo c")))
    assert codes(ended) == [0, 7]
    assert (ended.message["cause"], ended.message["exit_code"]) == ("exited", 7)


def test_an_ignored_error_is_recorded_and_the_next_executor_runs(lab: Lab) -> None:
    ended = run(lab, executor(shell("exit 7"), ignore_error=True), executor(shell("echo b")))
    assert codes(ended) == [7, 0]
    assert (ended.message["exit_code"], ended.files["stdout.1"]) == (0, b"b\n")


def test_an_ignored_error_at_the_end_is_none(lab: Lab) -> None:
    ended = run(lab, executor(shell("exit 7"), ignore_error=True))
    assert (codes(ended), ended.message["exit_code"]) == ([7], 0)


def test_a_later_error_counts_all_the_same(lab: Lab) -> None:
    ended = run(lab, executor(shell("exit 7"), ignore_error=True), executor(shell("exit 8")), executor(shell("true")))
    assert (codes(ended), ended.message["exit_code"]) == ([7, 8], 8)


def test_a_command_that_is_not_there_can_be_ignored_and_a_deadline_cannot(lab: Lab) -> None:
    missing = run(lab, executor(["/bin/nothing"], ignore_error=True), executor(shell("true")))
    assert codes(missing) == [127, 0]
    late = run(
        lab, executor(shell("sleep 60"), ignore_error=True), executor(shell("true")), limits={"wall_seconds": 1}
    )
    assert (late.message["cause"], codes(late)) == ("deadline", [None])


# Volumes


def test_a_volume_is_empty_writable_and_the_same_in_each_executor(lab: Lab) -> None:
    other = str(second_image(lab))
    ended = run(
        lab,
        executor(shell("ls -A /vol/A; pwd; echo 1 > one"), workdir="/vol/A"),
        executor(shell("cat /vol/A/one; echo 2 > /vol/A/two"), rootfs=other),
        executor(shell("cat /vol/A/two"), stdout="/vol/A/three"),
        executor(shell("cat"), stdin="/vol/A/three"),
        volumes=["/vol/A"],
    )
    assert ended.files == {"stdout.0": b"/vol/A\n", "stdout.1": b"1\n", "stdout.3": b"2\n"}, ended.message
    assert ended.message["outputs"] is not None
    assert not (lab.image / "vol").exists()


def test_a_volume_is_shared_with_no_other_task_and_gone_with_its_own(lab: Lab) -> None:
    first = run(lab, executor(shell("echo secret > /data/secret; ls /data")), volumes=["/data"])
    second = run(lab, executor(shell("ls -A /data")), volumes=["/data"])
    assert (first.stdout, second.stdout) == ("secret\n", "")


def test_nothing_of_a_volume_is_taken_unless_an_output_names_it(lab: Lab) -> None:
    script = shell("mkdir /data/sub; echo no > /data/no; echo yes > /data/yes; echo deep > /data/sub/deep")
    assert not run(lab, executor(script), volumes=["/data"]).files
    named = run(
        lab, executor(script), volumes=["/data"], outputs=[output("/data/yes"), output("/data/sub", "DIRECTORY")]
    )
    assert named.files == {"/data/yes": b"yes\n", "/data/sub/deep": b"deep\n"}
    whole = run(lab, executor(script), volumes=["/data"], outputs=[output("/data", "DIRECTORY")])
    assert set(whole.files) == {"/data/no", "/data/yes", "/data/sub/deep"}


def test_volumes_in_tmp_and_over_folders_of_the_image(lab: Lab) -> None:
    ended = run(
        lab,
        executor(shell("ls -A /tmp/v /etc; echo 1 > /tmp/v/a; echo 2 > /etc/b")),
        executor(shell("cat /tmp/v/a /etc/b"), rootfs=str(second_image(lab))),
        volumes=["/tmp/v", "/etc"],
        outputs=[output("/tmp/v/a"), output("/etc/b")],
    )
    assert ended.files["stdout.1"] == b"1\n2\n", ended.message
    assert (ended.files["/tmp/v/a"], ended.files["/etc/b"]) == (b"1\n", b"2\n")
    assert list((lab.image / "etc").iterdir()) == []


def test_what_volumes_hold_counts_as_scratch(lab: Lab) -> None:
    ended = run(lab, executor(shell("head -c 60000000 /dev/zero > /data/x")), volumes=["/data"])
    assert ended.message["cause"] == "disk_full"


@pytest.mark.parametrize("place", ["vol", "vol/A"])
@pytest.mark.parametrize("what", ["link", "file"])
def test_no_volume_is_mounted_through_a_link_of_an_image(lab: Lab, place: str, what: str) -> None:
    at = lab.image / place
    at.parent.mkdir(exist_ok=True)
    at.symlink_to("/tmp") if what == "link" else at.write_text("x")
    ended = run(lab, executor(shell("true")), volumes=["/vol/A"])
    assert (ended.message["cause"], ended.message["executors"]) == ("system", [])
    assert "where a volume" in ended.message["reason"]


def test_without_our_check_a_volume_is_mounted_where_a_link_of_the_image_leads(lab: Lab) -> None:
    (lab.image / "vol").symlink_to("tmp")
    commands: dict[str, Any] = {
        "executors": [executor(shell("echo x > /vol/A/x; ls /tmp/A"))],
        "volumes": ["/vol/A", "/tmp/A"],
    }

    def no_check() -> None:
        mounts.check_mount_points = lambda stage: None

    assert run_without(lab, [no_check], **commands).stdout == "x\n"
    assert lab.run(**commands).message["cause"] == "system"


def test_the_folder_above_a_volume_cannot_be_moved_away_for_the_next_executor(lab: Lab) -> None:
    (lab.image / "vol").mkdir()
    attack = "import os\ntry:\n    os.rename('/vol', '/moved')\nexcept OSError as e: print(e.errno)\n"
    attack += "try:\n    os.rmdir('/vol/A')\nexcept OSError as e: print(e.errno)"
    ended = run(
        lab,
        executor(python(attack)),
        executor(shell("echo x > /vol/A/x; cat /vol/A/x")),
        volumes=["/vol/A"],
        writable_root=True,
        outputs=[output("/vol/A/x")],
    )
    assert ended.stdout.split() == [str(errno.EXDEV), str(errno.EBUSY)], ended.stderr
    assert ended.files["/vol/A/x"] == b"x\n"


@pytest.mark.parametrize("volume", ["/tmp/v", "/tmp/deep/v"])
@pytest.mark.parametrize("host", ["/etc", "/run/work"])
def test_no_stream_is_opened_through_a_link_that_took_the_place_of_a_volume(lab: Lab, volume: str, host: str) -> None:
    top = "/".join(volume.split("/")[:3])
    swap = f"mv {top} /tmp/away && mkdir -p {os.path.dirname(volume)} && ln -s {host} {volume}"
    for stream in ({"stdin": f"{volume}/passwd"}, {"stdout": f"{volume}/new"}, {"stderr": f"{volume}/new"}):
        ended = run(lab, executor(shell(swap)), executor(shell("cat"), **stream), volumes=[volume])
        assert codes(ended) == [0, 126], ended.message
        assert "stream" in ended.message["reason"]
        assert not Path(host, "new").exists()
    moved = run(
        lab, executor(shell(f"echo x > {volume}/x; {swap}")), volumes=[volume], outputs=[output(f"{volume}/x")]
    )
    assert moved.files == {f"{volume}/x": b"x\n"}


# Wildcards


def test_wildcards_take_what_matches(lab: Lab) -> None:
    script = shell(
        "mkdir -p out/a out/b; touch out/b/1.txt out/c.tsv; for n in 1 2 3; do echo $n > out/a/$n.txt; done"
    )
    for pattern, taken in {
        "out/*.tsv": {"out/c.tsv"},
        "out/*/1.txt": {"out/a/1.txt", "out/b/1.txt"},
        "out/a/[12].txt": {"out/a/1.txt", "out/a/2.txt"},
        "out/a/[!12].*": {"out/a/3.txt"},
        "*/?/3.txt": {"out/a/3.txt"},
    }.items():
        ended = run(lab, executor(script), outputs=[output(f"{WORK}/{pattern}", wildcards=True)])
        assert set(ended.files) == taken, (pattern, ended.message)
        assert ended.message["missing"] == []


def test_wildcards_take_whole_folders_when_folders_are_asked_for(lab: Lab) -> None:
    script = shell("mkdir -p out/a/deep out/b; echo 1 > out/a/deep/1; echo 2 > out/b/2; echo 3 > out/3")
    ended = run(lab, executor(script), outputs=[output(f"{WORK}/out/*", "DIRECTORY", wildcards=True)])
    assert ended.files == {"out/a/deep/1": b"1\n", "out/b/2": b"2\n"}
    assert "a file where a folder" in ended.message["reason"]


def test_wildcards_work_in_volumes_and_what_matches_nothing_is_missing(lab: Lab) -> None:
    wanted = [output("/data/*/x", wildcards=True), output(f"{WORK}/*.none", wildcards=True)]
    ended = run(lab, executor(shell("mkdir /data/a /data/b; echo 1 > /data/a/x")), volumes=["/data"], outputs=wanted)
    assert ended.files == {"/data/a/x": b"1\n"}
    assert ended.message["missing"] == [f"{WORK}/*.none"]


def test_a_file_that_two_patterns_match_is_taken_once(lab: Lab) -> None:
    wanted = [output(f"{WORK}/{p}", wildcards=True) for p in ("a*", "*b")]
    ended = run(lab, executor(shell("echo x > ab")), outputs=wanted)
    assert [one["path"] for one in ended.message["outputs"]] == [f"{WORK}/ab"]


HOSTILE = r"""
import os
os.makedirs("out/sub")
names = ["fine.txt", "bad\nname.txt", "-rf.txt", "it's.txt", "a b.txt", "\u202e.txt", ".hidden.txt"]
for name in names:
    open("out/" + name, "w").write(name)
os.symlink("/proc/self/environ", "out/link.txt")
os.symlink("sub", "out/linked")
os.mkfifo("out/pipe.txt")
os.link("out/fine.txt", "out/twice.txt")
os.mkdir("out/folder.txt")
open("out/sub/in.txt", "w").write("in")
open("out/only.txt", "w").write("only")
"""


def test_hostile_names_and_links_do_not_pass_a_wildcard(lab: Lab) -> None:
    given = [lab.encrypted("out/secret.txt", b"secret")]
    wanted = [output(f"{WORK}/out/*.txt", wildcards=True), output(f"{WORK}/out/*/*.txt", wildcards=True)]
    ended = run(lab, executor(python(HOSTILE)), inputs=given, outputs=wanted)
    assert ended.files == {"out/a b.txt": b"a b.txt", "out/only.txt": b"only", "out/sub/in.txt": b"in"}, ended.stderr
    for why in ("symbolic link", "several names", "not a plain file", "characters", "a folder where a file"):
        assert why in ended.message["reason"]
    assert "secret" not in str(ended.message)


def test_a_link_in_the_middle_of_a_pattern_is_not_followed(lab: Lab) -> None:
    ended = run(
        lab,
        executor(shell("mkdir real; echo x > real/f; ln -s /etc etc; ln -s real also")),
        outputs=[output(f"{WORK}/*/f", wildcards=True), output(f"{WORK}/also/*", wildcards=True)],
    )
    assert ended.files == {"real/f": b"x\n"}
    assert ended.message["missing"] == [f"{WORK}/also/*"]
    assert "symbolic link" in ended.message["reason"]


def test_a_pattern_takes_no_more_than_a_task_may_leave(lab: Lab) -> None:
    script = shell("mkdir out; for n in $(seq 60); do echo > out/$n; done")
    ended = run(lab, executor(script), outputs=[output(f"{WORK}/out/*", wildcards=True)])
    assert (ended.message["cause"], ended.message["outputs"]) == ("disk_full", [])
