"""Attempts in real pods: what the suite for all backends does not ask."""

import io
import json
import tarfile
import time
from pathlib import Path

import pytest
from backend_house import eventually, follow
from backend_kubernetes import REPOSITORY, KubernetesPlace
from sandbox_lab import shell
from services import oci

from tes.backends.kubernetes.pod_spec import name_of

STARTED = 60


def busybox(pods: KubernetesPlace) -> str:
    """Bring an image with busybox alone to the node; return its digest."""
    archive = pods.cluster.place.folder / "busybox-of-pods.tar"
    oci.write_archive(archive, oci.busybox())
    return pods.cluster.import_image(archive, REPOSITORY).rpartition("@")[2]


def test_executors_run_in_order_in_images_of_their_own(pods: KubernetesPlace) -> None:
    commands = [
        shell("ls /bin/busybox && cat /etc/debian_version || echo no debian; echo one > one; exit 7"),
        shell("test -e /bin/busybox || cat one; cat /etc/debian_version > /dev/null && echo two > two"),
        shell("cat one two > three; exit 3"),
        shell("touch never"),
    ]
    images = [busybox(pods), pods.image, busybox(pods), pods.image]
    outputs = [{"path": f"/run/work/{name}", "type": "FILE"} for name in ("three", "never")]
    told = pods.submit(*commands, images=images, each=[{"ignore_error": True}, {}, {}, {}], outputs=outputs)
    report = told.end()
    assert (report["cause"], report["exit_code"]) == ("exited", 3), report
    assert [one["exit_code"] for one in report["executors"]] == [7, 0, 3]
    assert all(one["start"] <= one["end"] for one in report["executors"])
    assert report["missing"] == ["/run/work/never"]
    opened = pods.house.opened(report)
    assert opened["three"] == b"one\ntwo\n"
    assert opened["stdout.0"] == b"/bin/busybox\nno debian\n"
    assert opened["stdout.1"] == b"one\n"


def test_streams_folders_and_variables_are_the_tasks(pods: KubernetesPlace) -> None:
    script = "tr a-z A-Z; echo $WORD $HOME $KUBERNETES_PORT >&2; pwd >&2; touch /tmp/t /dev/shm/s && date > deep/f"
    given = pods.house.broker.stored("in.txt", b"words\n")
    clear = {"path": "/run/work/clear", "content": "Y2xlYXI=", "mtime": 5}
    streams = {
        f"std{name}": f"/run/work/{path}" for name, path in (("in", "in.txt"), ("out", "a/out"), ("err", "a/err"))
    }
    outputs = [{"path": f"/run/work/{path}", "type": "FILE"} for path in ("a/out", "a/err", "sub/deep/f")]
    each = [{**streams, "env": {"WORD": "w o\nrd"}, "workdir": "/run/work/sub"}, {}]
    report = pods.submit(
        shell(script), shell("cat clear; stat -c %Y clear in.txt"), inputs=[given, clear], outputs=outputs, each=each
    ).end()
    assert report["exit_code"] == 0, pods.house.opened(report)
    opened = pods.house.opened(report)
    assert opened["out"] == b"WORDS\n"
    assert opened["err"] == b"w o rd /tmp\n/run/work/sub\n"
    assert opened["stdout.1"] == b"clear5\n1700000000\n"
    assert opened["f"]


def test_inputs_can_be_read_and_neither_changed_nor_replaced(pods: KubernetesPlace) -> None:
    given = [pods.house.broker.stored(name, b"genome\n") for name in ("top", "folder/below")]
    ways = "echo x > {0}; rm -f {0}; mv {0} away; ln -sf /etc/passwd {0}; chmod 777 {0}; truncate -s 0 {0}"
    tries = "; ".join(ways.format(path) for path in ("top", "folder/below"))
    others = (
        "mv folder elsewhere; rm -rf folder; mv /run/work /run/mine; rmdir /run/work; mkdir /run/own; touch /run/own"
    )
    report = pods.submit(
        shell(f"{tries}; {others}; exit 0"), shell("cat top folder/below; ls /run"), inputs=given
    ).end()
    assert report["exit_code"] == 0
    assert pods.house.opened(report)["stdout.1"] == b"genome\ngenome\nshm\ntmp\nwork\n"


def test_outputs_are_taken_by_the_same_rules_whatever_modes_they_have(pods: KubernetesPlace) -> None:
    made = (
        "echo plain > plain; chmod 000 plain; mkdir -p folder/deep; echo f > folder/deep/f;"
        "ln -s /etc/passwd folder/link; mkfifo folder/fifo; echo h > folder/h; ln folder/h folder/hard;"
        "chmod 000 folder/deep/f folder/deep folder;"
        "ln -s /etc link; ln -s /strongroom/keys/handover stolen"
    )
    outputs = [{"path": f"/run/work/{name}", "type": "FILE"} for name in ("plain", "stolen", "link/passwd")]
    outputs.append({"path": "/run/work/folder", "type": "DIRECTORY"})
    report = pods.submit(shell(made), outputs=outputs).end()
    assert report["exit_code"] == 0
    assert pods.house.opened(report) == {"plain": b"plain\n", "f": b"f\n"}
    assert report["missing"] == ["/run/work/stolen", "/run/work/link/passwd"]
    for word in ("a symbolic link", "a file with several names", "not a plain file"):
        assert word in report["reason"]


def test_volumes_are_shared_by_executors_and_outputs_taken_from_them(pods: KubernetesPlace) -> None:
    commands = [
        shell("ls -A /data /tmp/part; echo a > /data/a.txt; echo b > /data/b.tsv; mkdir sub; echo c > sub/c.txt"),
        shell("cat /data/a.txt > /tmp/part/copy; touch /data/../own || echo refused"),
    ]
    outputs = [
        {"path": "/data/*.txt", "type": "FILE", "wildcards": True},
        {"path": "/run/work/*/c.txt", "type": "FILE", "wildcards": True},
        {"path": "/tmp/part/copy", "type": "FILE"},
    ]
    report = pods.submit(*commands, volumes=["/data", "/tmp/part"], outputs=outputs).end()
    assert report["exit_code"] == 0, report
    opened = pods.house.opened(report)
    assert opened.pop("stdout.0") == b"/data:\n\n/tmp/part:\n"
    assert {name: content for name, content in opened.items() if not name.startswith("stderr")} == {
        "a.txt": b"a\n",
        "c.txt": b"c\n",
        "copy": b"a\n",
        "stdout.1": b"refused\n",
    }


def test_more_than_a_task_may_write_is_not_taken(pods: KubernetesPlace) -> None:
    outputs = [{"path": "/run/work/many", "type": "DIRECTORY"}]
    made = "mkdir many; for n in $(seq 60); do echo $n > many/$n; done"
    report = pods.submit(shell(made), outputs=outputs).end()
    assert report["cause"] == "disk_full"
    assert report["outputs"] == []


def test_code_is_there_and_read_only(pods: KubernetesPlace, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "run.sh").write_text("#!/bin/sh\necho from the code\n")
    (folder / "scripts" / "run.sh").chmod(0o755)
    mounts = [{"source": str(folder), "path": "/run/workflow"}]
    script = (
        "/run/workflow/scripts/run.sh; touch /run/workflow/x; rm /run/workflow/scripts/run.sh; ls -R /run/workflow"
    )
    report = pods.submit(shell(script), code_mounts=mounts).end()
    said = pods.house.opened(report)["stdout.0"].decode()
    assert said.startswith("from the code\n")
    assert said.endswith("/run/workflow/scripts:\nrun.sh\n")


def test_a_changed_body_ends_the_attempt_before_a_command_runs(pods: KubernetesPlace) -> None:
    given = pods.house.broker.stored("in.txt", b"x" * 200_000)
    launch = pods.launch(shell("echo ran"), inputs=[given])
    body = pods.house.lab.bodies / given["object"][:2] / given["object"]
    raw = bytearray(body.read_bytes())
    raw[-1] ^= 1
    body.write_bytes(raw)
    report = follow(pods.backend, launch).end()
    assert report["cause"] == "system"
    assert "stored body" in report["reason"]
    assert not report["outputs"]


def test_an_attempt_placed_twice_has_one_pod(pods: KubernetesPlace) -> None:
    launch = pods.launch(shell("sleep 30"))
    told = follow(pods.backend, launch)
    assert told.started.wait(STARTED)
    pods.scheduler.place(launch)
    assert [pod["metadata"]["name"] for pod in pods.pods()].count(name_of(told.attempt)) == 1
    pods.backend.cancel(told.attempt)
    assert told.ends() == ("canceled", None)


def test_a_pod_of_nobody_is_found_and_deleted(pods: KubernetesPlace) -> None:
    launch = pods.launch(shell("sleep 300"))
    pods.scheduler.place(launch)
    assert launch.attempt in pods.scheduler.everything()
    pods.die()
    pods.begin_life()
    import tes.backends.remote as remote

    remote.ORPHANS_EVERY, kept = 1.0, remote.ORPHANS_EVERY
    try:
        pods.open_door()
        eventually(lambda: launch.attempt not in pods.scheduler.everything(), "it stays", within=60)
    finally:
        remote.ORPHANS_EVERY = kept


def test_an_image_that_is_nowhere_ends_the_attempt_with_the_reason(pods: KubernetesPlace) -> None:
    report = pods.submit(shell("true"), images=["sha256:" + "0" * 64]).end()
    assert report["cause"] == "system"
    assert "image" in report["reason"]


def test_a_task_that_no_node_has_room_for_ends_after_the_timeout(pods: KubernetesPlace) -> None:
    begun = time.monotonic()
    report = pods.submit(shell("true"), plan={"cores": 500}).end()
    assert report["cause"] == "system"
    assert "room" in report["reason"]
    assert time.monotonic() - begun > 3


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"writable_root": True}, "image"),
        ({"scratch": {"driver": "gocryptfs", "folder": "/scratch"}}, "memory"),
        ({"loopback": True}, "TCP"),
        ({"walls": "runsc"}, "walls"),
    ],
)
def test_what_pods_cannot_give_is_refused(pods: KubernetesPlace, change: dict[str, object], word: str) -> None:
    report = pods.submit(shell("true"), **change).end()
    assert report["cause"] == "system"
    assert word in report["reason"]


def test_nothing_of_an_attempt_is_left(pods: KubernetesPlace) -> None:
    told = pods.submit(shell("true"))
    assert told.ends() == ("exited", 0)
    eventually(lambda: name_of(told.attempt) not in json.dumps(pods.pods()), "its pod stays", within=60)


def test_the_node_image_holds_no_link_and_no_foreign_package() -> None:
    from demo.people import node_image

    layout = node_image()
    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads((layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    layer = (layout / "blobs/sha256" / manifest["layers"][1]["digest"][7:]).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(layer)) as packed:
        members = packed.getmembers()
    assert all(member.isfile() for member in members)
    assert {member.name.split("/")[2].partition(".")[0] for member in members} == {
        "sandbox",
        "cryptography",
        "cffi",
        "_cffi_backend",
    }
