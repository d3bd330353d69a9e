"""Runs attempts in real sandboxes for tests: a tiny image, the host's Python mounted as code, keys from a file."""

import atexit
import base64
import io
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import crypt4gh, wire
from sandbox.zygote import Zygote, start

BUSYBOX = Path("/bin/busybox")
TOOLS = "/run/host"  # the host's /usr, as a code folder: a Python for attacks that a shell cannot make
LIBRARIES = f"{TOOLS}/lib/{os.uname().machine}-linux-gnu"
LOADER = {"x86_64": f"{LIBRARIES}/ld-linux-x86-64.so.2", "aarch64": f"{LIBRARIES}/ld-linux-aarch64.so.1"}
MIB = 1 << 20
UID = 100_000 + os.getpid() % 50_000  # of this test run alone, so that what it leaves can be told


@dataclass
class Ended:
    """The result message, and what came out, opened with the recipient's key."""

    message: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def stdout(self) -> str:
        """What the first executor printed."""
        return self.files.get("stdout.0", b"").decode()

    @property
    def stderr(self) -> str:
        """What the first executor complained of."""
        return self.files.get("stderr.0", b"").decode()

    def json(self) -> Any:
        """What the task printed, as JSON."""
        assert self.stdout, (self.message, self.stderr)
        return json.loads(self.stdout)


@cache
def zygote() -> Zygote:
    """Return the one zygote of this test run."""
    one = start()
    atexit.register(one.close)
    return one


def make_image(root: Path) -> Path:
    """Make a root with busybox (Debian's busybox-static) and nothing else."""
    for name in ("run", "tmp", "proc", "dev", "bin", "etc"):
        (root / name).mkdir(parents=True, mode=0o755)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    subprocess.run([str(BUSYBOX), "--install", "-s", str(root / "bin")], check=True, capture_output=True)
    for link in (root / "bin").iterdir():
        if link.is_symlink():
            link.unlink()
            link.symlink_to("busybox")
    for path in (root, *root.parents):
        if path != Path("/") and path.owner() == Path(root).owner() and not path.stat().st_mode & 0o005:
            path.chmod(path.stat().st_mode | 0o055)
    return root


class Lab:
    """One folder with an image, a key pair and a place for sealed bodies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image = make_image(folder / "image")
        self.bodies = folder / "bodies"
        self.bodies.mkdir()
        self.private_key = crypt4gh.new_private_key()
        self.key_file = folder / "key"
        self.key_file.write_text(self.private_key.hex())
        self.key_file.chmod(0o600)

    @property
    def public_key(self) -> bytes:
        """The recipient of everything here."""
        return crypt4gh.public_key_of(self.private_key)

    def encrypted(self, path: str, content: bytes) -> dict[str, Any]:
        """Return an input: a complete Crypt4GH file of this content."""
        body = io.BytesIO()
        sealed = crypt4gh.seal_stream(io.BytesIO(content).readinto, body.write, self.public_key)
        file = self.folder / f"{path.replace('/', '_')}.c4gh"
        file.write_bytes(sealed.header + body.getvalue())
        return {"path": f"/run/work/{path}", "file": str(file), "mtime": 1_700_000_000}

    def spec(self, *commands: Sequence[str], **changes: Any) -> dict[str, Any]:
        """Return a spec of these executors; `limits` are changed one by one, everything else as given."""
        limits = {
            "memory_bytes": 128 * MIB,
            "cpu_cores": 2,
            "pids": 64,
            "scratch_bytes": 32 * MIB,
            "wall_seconds": 30,
            "output_bytes": 64 * MIB,
            "output_files": 50,
            "log_bytes": 1 * MIB,
        }
        return {
            "version": 1,
            "kind": "task",
            "attempt": os.urandom(8).hex(),
            "rootfs": str(self.image),
            "uid": UID,
            "inputs": [],
            "outputs": [],
            "code_mounts": [{"source": "/usr", "path": TOOLS}],
            "executors": [executor(command) for command in commands],
            "limits": {**limits, **changes.pop("limits", {})},
            "bodies": str(self.bodies),
            "answer": None,
            "keys": {
                "type": "key_file",
                "private_key": str(self.key_file),
                "recipient": base64.b64encode(self.public_key).decode(),
            },
            **changes,
        }

    def launch(self, spec: dict[str, Any]) -> tuple[int, socket.socket]:
        """Start an attempt; return its supervisor and channel."""
        return zygote().launch(json.dumps(spec).encode())

    def run(self, *commands: Sequence[str], **changes: Any) -> Ended:
        """Run an attempt to its end."""
        _, channel = self.launch(self.spec(*commands, **changes))
        with channel:
            return self.ended(wait(channel))

    def ended(self, message: dict[str, Any]) -> Ended:
        """Open what came out."""
        ended = Ended(message)
        for output in message["outputs"]:
            file = self.bodies / output["object"]
            path = output["path"].removeprefix("/run/work/").removeprefix(".strongroom/")
            ended.files[path] = open_file(file.read_bytes(), self.private_key)
            file.unlink()
        return ended


def executor(command: Sequence[str], **changes: Any) -> dict[str, Any]:
    """Return an executor of this command."""
    streams = {"stdin": None, "stdout": None, "stderr": None}
    env = {"PYTHONHOME": TOOLS} if command[0] == LOADER.get(os.uname().machine) else {}
    return {"command": list(command), "workdir": "/run/work", "env": env, **streams, **changes}


def shell(script: str) -> list[str]:
    """Return the command that runs a script in the image's shell."""
    return ["/bin/sh", "-c", script]


def python(code: str) -> list[str]:
    """Return the command that runs code in the host's Python, inside the walls."""
    loader = LOADER[os.uname().machine]
    return [loader, "--library-path", LIBRARIES, f"{TOOLS}/bin/python3.11", "-S", "-s", "-B", "-c", code]


def wait(channel: socket.socket) -> dict[str, Any]:
    """Return the result message."""
    channel.settimeout(60)
    while (message := wire.recv(channel)) is not None:
        if message["type"] == "result":
            del message["signature"]  # random letters, which no test of words wants
            return message
    raise AssertionError("the supervisor died")


def wait_for(channel: socket.socket, kind: str) -> dict[str, Any]:
    """Return the next message, which must be of this kind."""
    channel.settimeout(60)
    message = wire.recv(channel)
    assert message is not None
    assert message["type"] == kind, message
    return message


def open_file(raw: bytes, private_key: bytes) -> bytes:
    """Return the plaintext of a complete Crypt4GH file."""
    length = crypt4gh.header_length(raw)
    return open_body(raw[length:], crypt4gh.open_header(raw[:length], private_key))


def open_body(body: bytes, data_key: bytes) -> bytes:
    """Return the plaintext of a body."""
    reader = crypt4gh.Reader(data_key, crypt4gh.size_of(len(body)))
    if not reader.segments:
        return b""
    scratch = memoryview(bytearray(reader.segments * crypt4gh.CIPHER_SEGMENT))
    target = memoryview(bytearray(reader.segments * crypt4gh.SEGMENT))
    fd = os.memfd_create("body")
    try:
        os.write(fd, body)
        got = reader.read_into(fd, 0, count=reader.segments, scratch=scratch, target=target)
    finally:
        os.close(fd)
    return bytes(target[:got])
