"""The spec is parsed strictly: a truth table of what is refused."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.fields import SpecError
from sandbox.spec import Broker, Inline, ObjectStore, ScratchSpace, Stored, parse_spec, spec_digest

KEY = base64.b64encode(bytes(32)).decode()
SPEC: dict[str, Any] = {
    "version": 1,
    "kind": "task",
    "attempt": "a1",
    "rootfs": "/images/one/rootfs",
    "uid": 100_123,
    "inputs": [
        {
            "path": "/run/work/calls/a.vcf",
            "object": "0f",
            "body": "/objects/0f",
            "size": 65537,
            "segments": 2,
            "body_length": 65593,
            "body_sha256": "0" * 64,
            "mtime": 1_700_000_000,
        },
        {"path": "/run/work/x.py", "content": base64.b64encode(b"print()").decode(), "mtime": 0},
    ],
    "outputs": [{"path": "/run/work/results/x.tsv", "type": "FILE"}],
    "code_mounts": [{"source": "/catalogue/one", "path": "/run/workflow"}],
    "executors": [
        {
            "command": ["true"],
            "workdir": "/run/work",
            "env": {"K": "V"},
            "stdin": None,
            "stdout": None,
            "stderr": None,
        }
    ],
    "limits": {
        "memory_bytes": 1 << 30,
        "cpu_cores": 0.5,
        "pids": 128,
        "scratch_bytes": 1 << 30,
        "wall_seconds": 60,
        "output_bytes": 1 << 30,
        "output_files": 10,
        "log_bytes": 1 << 20,
    },
    "bodies": "/objects",
    "answer": None,
    "keys": {"type": "broker", "socket": "/sockets/broker.sock", "broker_public_key": KEY},
}


def parse(**changes: Any) -> Any:
    return parse_spec(json.dumps({**copy.deepcopy(SPEC), **changes}).encode())


def test_a_good_spec_is_read() -> None:
    spec = parse()
    stored, inline = spec.inputs
    assert isinstance(stored, Stored)
    assert isinstance(inline, Inline)
    assert (stored.size, inline.content) == (65537, b"print()")
    assert spec.keys == Broker(Path("/sockets/broker.sock"), bytes(32))
    assert spec.executors[0].env == (("K", "V"),)


def test_bodies_lie_in_a_folder_or_in_a_store_and_never_in_both() -> None:
    spec = copy.deepcopy(SPEC)
    del spec["bodies"], spec["inputs"][0]["body"]
    spec["store"] = {"socket": "/sockets/bodies.sock"}
    found = parse_spec(json.dumps(spec).encode())
    assert found.bodies == ObjectStore(Path("/sockets/bodies.sock"))
    assert found.inputs[0].body is None  # type: ignore[union-attr]
    for changes, why in (
        ({"bodies": "/objects"}, "unknown"),
        ({"store": {"socket": "bodies.sock"}}, "absolute"),
        ({"store": {"socket": "/sockets/bodies.sock", "url": "https://s3.example"}}, "unknown"),
        ({"inputs": SPEC["inputs"]}, "`body` goes with a folder"),
        ({"keys": {"type": "key_file", "private_key": "/key", "recipient": KEY}, "inputs": []}, "with the broker"),
    ):
        with pytest.raises(SpecError, match=why):
            parse_spec(json.dumps({**spec, **changes}).encode())


@pytest.mark.parametrize("folder", ["/run/work", "/run/work/a", "/opt/tool", "/tmp", "/"])
def test_a_command_may_work_in_any_folder(folder: str) -> None:
    assert parse(executors=[{**SPEC["executors"][0], "workdir": folder}]).executors[0].workdir == folder


@pytest.mark.parametrize("driver", ["gocryptfs", "fscrypt"])
def test_encrypted_scratch_names_its_driver_and_folder(driver: str) -> None:
    given = {"driver": driver, "folder": "/var/scratch"}
    assert parse(scratch=given).scratch == ScratchSpace(driver, Path("/var/scratch"))  # type: ignore[arg-type]


def test_executors_name_images_of_their_own_each_once() -> None:
    other = {**EXECUTOR, "rootfs": "/images/two/rootfs", "ignore_error": True}
    spec = parse(executors=[EXECUTOR, other, {**EXECUTOR, "rootfs": SPEC["rootfs"]}, other])
    assert spec.roots == (Path("/images/one/rootfs"), Path("/images/two/rootfs"))
    assert [one.root for one in spec.executors] == [0, 1, 0, 1]
    assert [one.ignore_error for one in spec.executors] == [False, True, False, True]


@pytest.mark.parametrize(
    ("path", "wildcards", "folder"),
    [
        ("/run/work/a/b", False, "/run/work/a"),
        ("/run/work/a/*/b", True, "/run/work/a"),
        ("/run/work/a/*/b", False, "/run/work/a/*"),
        ("/vol/*", True, "/vol"),
        ("/vol", False, "/"),
    ],
)
def test_the_folder_of_an_output_is_what_is_known_before(path: str, wildcards: bool, folder: str) -> None:
    (output,) = parse(outputs=[{"path": path, "type": "FILE", "wildcards": wildcards}], volumes=["/vol"]).outputs
    assert output.folder == folder


def test_the_digest_covers_the_exact_bytes() -> None:
    assert spec_digest(b"{}") != spec_digest(b"{} ")


INPUT, INLINE = SPEC["inputs"]
EXECUTOR = SPEC["executors"][0]
FILE_KEYS = {"type": "key_file", "private_key": "/k", "recipient": KEY}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 2}, "version"),
        ({"more": 1}, "unknown"),
        ({"kind": "export"}, "kind"),
        ({"attempt": "../x"}, "attempt"),
        ({"attempt": "a" * 65}, "attempt"),
        ({"uid": 0}, "uid"),
        ({"uid": True}, "uid"),
        ({"rootfs": "images"}, "absolute"),
        ({"rootfs": "/images/../etc"}, "`..`"),
        ({"bodies": None}, "bodies"),
        ({"executors": []}, "at least one"),
        ({"answer": "/run/work/answer.json"}, "answer"),
        ({"kind": "check", "answer": "/etc/x"}, "below /run/work"),
        ({"inputs": [{**INPUT, "path": "/etc/passwd"}]}, "below /run/work"),
        ({"inputs": [{**INPUT, "path": "/run/work"}]}, "below /run/work"),
        ({"inputs": [{**INPUT, "path": "/run/workflow/x"}]}, "below /run/work"),
        ({"inputs": [{**INPUT, "path": "/run/work/../x"}]}, "`..`"),
        ({"inputs": [{**INPUT, "path": "/run/work/a//b"}]}, "empty"),
        ({"inputs": [{**INPUT, "path": "/run/work/a\nb"}]}, "control"),
        ({"inputs": [{**INPUT, "path": "/run/work/" + "a" * 256}]}, "too long"),
        ({"inputs": [{**INPUT, "segments": 1}]}, "belong together"),
        ({"inputs": [{**INPUT, "body_length": 65565}]}, "belong together"),
        ({"inputs": [{**INPUT, "size": -1}]}, "size"),
        ({"inputs": [{**INPUT, "body_sha256": "A" * 64}]}, "body_sha256"),
        ({"inputs": [{**INPUT, "url": "http://x"}]}, "unknown"),
        ({"inputs": [{**INLINE, "content": "*"}]}, "base64"),
        ({"inputs": [INPUT, INPUT]}, "twice"),
        ({"inputs": [INPUT, {**INLINE, "path": INPUT["path"] + "/x"}]}, "below another"),
        ({"inputs": [{"path": "/run/work/x", "file": "/x.c4gh", "mtime": 0}]}, "key file"),
        ({"keys": FILE_KEYS}, "key file"),
        ({"keys": {**FILE_KEYS, "recipient": "AAAA"}}, "32 bytes"),
        ({"keys": {"type": "vault"}}, "keys.type"),
        ({"outputs": [{"path": INPUT["path"], "type": "FILE"}]}, "cannot be an output"),
        ({"outputs": [{"path": "/run/work/x", "type": "LINK"}]}, "type"),
        ({"code_mounts": [{"source": "/x", "path": "/usr"}]}, "below /run"),
        ({"code_mounts": [{"source": "/x", "path": "/run/work/x"}]}, "below /run"),
        ({"code_mounts": [{"source": "/x", "path": "/run/work"}]}, "below /run"),
        ({"executors": [{**EXECUTOR, "command": []}]}, "command"),
        ({"executors": [{**EXECUTOR, "command": "true"}]}, "not a list"),
        ({"executors": [{**EXECUTOR, "command": ["a\0b"]}]}, "not a text"),
        ({"executors": [{**EXECUTOR, "env": {"A=B": "x"}}]}, "variable"),
        ({"executors": [{**EXECUTOR, "env": {"A": 1}}]}, "not a text"),
        ({"executors": [{**EXECUTOR, "workdir": "tmp"}]}, "absolute"),
        ({"executors": [{**EXECUTOR, "workdir": "/tmp/.."}]}, "`..`"),
        ({"executors": [{**EXECUTOR, "workdir": "/tmp/"}]}, "empty"),
        ({"executors": [{**EXECUTOR, "workdir": None}]}, "not a text"),
        ({"scratch": {"driver": "fscrypt"}}, "folder"),
        ({"scratch": {"driver": "tmpfs", "folder": "/x"}}, "unknown"),
        ({"scratch": {"driver": "dm-crypt", "folder": "/x"}}, "scratch.driver"),
        ({"writable_root": "true"}, "writable_root"),
        ({"executors": [{**EXECUTOR, "stdout": "/dev/null"}]}, "a stream lies below /run/work"),
        ({"executors": [{**EXECUTOR, "stdout": "/vol"}], "volumes": ["/vol"]}, "a stream lies below"),
        ({"executors": [{**EXECUTOR, "rootfs": "images"}]}, "absolute"),
        ({"executors": [{**EXECUTOR, "ignore_error": 1}]}, "ignore_error"),
        ({"outputs": [{"path": "/etc/x", "type": "FILE"}]}, "outputs: a path lies below /run/work"),
        ({"outputs": [{"path": "/run/work", "type": "DIRECTORY"}]}, "outputs: a path lies below /run/work"),
        ({"outputs": [{"path": "/volume/x", "type": "FILE"}], "volumes": ["/vol"]}, "outputs"),
        ({"outputs": [{"path": "/vol*", "type": "FILE", "wildcards": True}], "volumes": ["/vol*"]}, "wildcards"),
        ({"outputs": [{"path": "/run/work/x", "type": "FILE", "wildcards": 1}]}, "wildcards"),
        ({"volumes": "/vol"}, "not a list"),
        ({"volumes": ["/"]}, "empty"),
        ({"volumes": ["vol"]}, "absolute"),
        ({"volumes": [""]}, "absolute"),
        ({"rootfs": ""}, "absolute"),
        ({"volumes": ["/vol/../etc"]}, "`..`"),
        ({"volumes": ["/vol/"]}, "empty"),
        ({"volumes": ["/vol", "/vol"]}, "twice"),
        ({"volumes": ["/vol/a", "/vol"]}, "below another"),
        *(({"volumes": [taken]}, "none lies in") for taken in ("/run", "/run/work", "/run/x", "/proc/x", "/dev/shm")),
        ({"limits": {**SPEC["limits"], "pids": 0}}, "pids"),
        ({"limits": {**SPEC["limits"], "cpu_cores": 0}}, "cpu_cores"),
        ({"limits": {**SPEC["limits"], "wall_seconds": float("inf")}}, "wall_seconds"),
        ({"limits": {k: v for k, v in SPEC["limits"].items() if k != "log_bytes"}}, "missing"),
    ],
)
def test_a_bad_spec_is_refused_by_field(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        parse(**changes)


@given(st.binary() | st.sampled_from([b"[" * 100_000, b"null", b"[]", b'{"version":1}']))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(SpecError):
        parse_spec(raw)


def test_a_check_may_answer() -> None:
    assert parse(kind="check", answer="/run/work/answer.json").answer == "/run/work/answer.json"
