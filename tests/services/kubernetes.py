"""A real Kubernetes of one node for tests: everything in namespaces of its own, and nothing left when it stops."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from services import kubernetes_files as files
from services.kubernetes_keys import client_context
from services.kubernetes_place import Place

BUILD = Path(__file__).parent / "kubernetes" / "build"
SLOTS = range(8)  # clusters that this machine can have at once
DAEMONS = ("etcd", "kube-apiserver", "containerd", "kube-controller-manager", "kube-scheduler", "kubelet")
PATIENCE = 240
Object = dict[str, Any]


class Cluster:
    """One cluster; `start` and `stop`, or a `with`.

    Its first process has namespaces of its own for processes, mounts and network, and ends when our end of its
    standard input closes: so everything dies with us, even by kill -9. What then may be left, a folder and empty
    cgroups, is removed by whoever takes the slot next.
    """

    def __init__(self) -> None:
        self._slot, number = _free_slot()
        self.place = Place.numbered(number)
        self.kubeconfig = self.place.keys / "admin.kubeconfig"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._first: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Build what is not built yet, and start everything; raises with the end of a log when something does not."""
        self._sweep()
        built = subprocess.run([BUILD], check=True, stdout=subprocess.PIPE, text=True)
        self._binary = built.stdout.strip()
        try:
            files.write(self.place)
            self._unshare()
            self._connect()
            self.api = httpx.Client(
                base_url=self.place.server, verify=client_context(self.place), timeout=60, trust_env=False
            )
            self.restart("etcd")
            self.restart("kube-apiserver")
            self.until(self.is_ready, "the API server is ready")
            self.restart("containerd")
            self.until(self._has_containerd, "containerd answers")
            self.import_image(self.place.pause, files.PAUSE)
            for name in DAEMONS[3:]:
                self.restart(name)
            self.until(self._has_node, "the node is ready")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process, and remove what they made; a second call finds nothing to do."""
        if self._first is not None:
            assert self._first.stdin is not None
            self._first.stdin.close()
            for process in (self._first, *self._daemons.values()):
                process.wait(timeout=60)
            self._first = None
        if hasattr(self, "api"):
            self.api.close()
        self._sweep()
        self._slot.close()

    # Daemons

    def kill(self, name: str) -> None:
        """Kill one daemon (`DAEMONS`) by SIGKILL."""
        process = self._daemons[name]
        os.kill(_child(process.pid), signal.SIGKILL)
        process.wait(timeout=60)

    def restart(self, name: str) -> None:
        """Start one daemon, again if it was killed."""
        with (self.place.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                self._inside(files.command(self.place, name, self._binary)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def run(self, *command: str) -> str:
        """Run a command where the daemons are, and return what it prints."""
        done = subprocess.run(self._inside(command), check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"
        return done.stdout

    def kubectl(self, *words: str) -> str:
        """Run kubectl as administrator."""
        return self.run(self._binary, "kubectl", "--kubeconfig", str(self.kubeconfig), *words)

    def import_image(self, archive: Path, name: str) -> str:
        """Take an OCI archive of one image into the node; return its reference, by digest: pods must not pull it."""
        listing = self.run("ctr", "-n", "k8s.io", "images", "import", "--digests", "--base-name", name, str(archive))
        return listing.split()[1]  # "unpacking NAME@DIGEST (DIGEST)...done"

    # The API

    def ask(self, method: str, path: str, body: Object | None = None) -> Object:
        """Ask the API server as administrator; raises `httpx.HTTPStatusError` with its reason."""
        answer = self.api.request(method, path, json=body)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json()  # type: ignore[no-any-return]

    def make_namespace(self, name: str) -> str:
        """Make a namespace under Pod Security `restricted`, ready for pods; return its path."""
        enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": enforce}})
        path = f"/api/v1/namespaces/{name}"
        account = f"{path}/serviceaccounts/default"
        self.until(lambda: self.api.get(account).is_success, "the namespace has its account")
        return path

    def is_ready(self) -> bool:
        """Say whether the API server answers and has all that it needs."""
        with contextlib.suppress(httpx.TransportError):
            return self.api.get("/readyz").text == "ok"
        return False

    def until(self, happened: Callable[[], Any], what: str) -> Any:
        """Wait until this is true, and return it; raises with ends of logs when a daemon died or time is up."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := happened():
                return found
            dead = [name for name, process in self._daemons.items() if process.poll() is not None]
            assert not dead, f"{dead} died before {what}:\n{self._logs(dead)}"
            time.sleep(0.1)
        raise AssertionError(f"{PATIENCE} s were not enough until {what}:\n{self._logs(list(self._daemons))}")

    # How it is made

    def _has_containerd(self) -> bool:
        return subprocess.run(self._inside(["ctr", "version"]), check=False, capture_output=True).returncode == 0

    def _has_node(self) -> bool:
        nodes = self.ask("GET", "/api/v1/nodes")["items"]
        return any(c["type"] == "Ready" and c["status"] == "True" for n in nodes for c in n["status"]["conditions"])

    def _unshare(self) -> None:
        """Start the first process; the mounts that it has alone keep the daemons' default paths in our folder."""
        apart = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        script = ["sh", "-c", "cat; true"]  # the shell adopts and reaps orphans while it waits
        self._first = subprocess.Popen([*apart, *script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        first = self._first.pid
        self.until(
            lambda: _has_child(first) and Path(f"/proc/{_child(first)}/comm").read_text() == "sh\n", "it is apart"
        )
        for source, target in self.place.mounts():
            self.run("mount", "--bind", str(source), target)
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "strongroom", "/run")
        self.run("mkdir", "/run/netns")

    def _connect(self) -> None:
        place = self.place
        _ip("link", "add", place.link, "type", "veth", "peer", "name", "host", "netns", str(_child(self._first.pid)))  # type: ignore[union-attr]
        _ip("address", "add", f"{place.host}/30", "dev", place.link)
        _ip("link", "set", place.link, "up")
        _ip("route", "add", place.pods, "via", place.node)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", f"{place.node}/30", "dev", "host")
        self.run("ip", "link", "set", "host", "up")
        self.run("ip", "route", "add", "default", "via", place.host)
        self.run("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _inside(self, command: Sequence[str]) -> list[str]:
        assert self._first is not None
        return ["nsenter", f"--target={_child(self._first.pid)}", "--net", "--mount", "--pid", "--", *command]

    def _logs(self, names: Sequence[str]) -> str:
        logs = ((name, self.place.folder / f"{name}.log") for name in names)
        return "\n".join(f"== {name}\n{log.read_bytes()[-1500:].decode(errors='replace')}" for name, log in logs)

    def _sweep(self) -> None:
        """Remove what this or an earlier, killed cluster of this slot left; its processes are dead by then."""
        subprocess.run(["ip", "link", "delete", self.place.link], check=False, capture_output=True)
        for parent in self.place.cgroups():
            for folder, _, _ in os.walk(parent, topdown=False):
                _remove_cgroup(Path(folder))
        if self.place.folder.exists():
            shutil.rmtree(self.place.folder)


def _free_slot() -> tuple[socket.socket, int]:
    """Take the first slot that no living process has: the kernel gives such a name back when its owner dies."""
    for number in SLOTS:
        taken = socket.socket(socket.AF_UNIX)
        try:
            taken.bind(f"\0strongroom-kubernetes-{number}")
        except OSError:
            taken.close()
        else:
            return taken, number
    raise AssertionError("This machine runs as many test clusters as it can.")


def _remove_cgroup(folder: Path) -> None:
    for _ in range(100):  # its last processes may still be dying
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    folder.rmdir()


def _has_child(pid: int) -> bool:
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
