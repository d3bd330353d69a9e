"""A small gateway for engine tests: tasks run on a plaintext tree, the engine's tree gets stubs."""

import contextlib
import json
import os
import re
import socketserver
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

FINAL = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"}
# The plaintext tree takes the place of the engine's tree for the task alone.
OVER = 'mount --bind "$0" "$1" && cd "$1" && shift && exec "$@"'


class EngineGateway:
    """Tasks and their states; `plain` is seen by tasks at the path of `view`."""

    def __init__(self, socket: Path, *, plain: Path, view: Path, slots: int = 2) -> None:
        self.plain, self.view = plain, view
        self.tasks: dict[str, dict[str, Any]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.refuse: str | None = None
        self.thinks = 0.0  # seconds before each answer to what is sent
        self._seq = 0
        self._changed = threading.Condition()
        self._slots = threading.Semaphore(slots)
        self._server = _Server(str(socket), _Handler)
        self._server.gateway = self
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def create(self, body: dict[str, Any]) -> str:
        with self._changed:
            identity = f"task-{len(self.tasks) + 1}"
            self.bodies.append(body)
            self.tasks[identity] = {"id": identity, "body": body, "process": None, "exit_code": None}
        self._move(identity, "QUEUED")
        threading.Thread(target=self._run, args=(identity,), daemon=True).start()
        return identity

    def cancel(self, identity: str) -> None:
        self._move(identity, "CANCELED")
        if process := self.tasks[identity]["process"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)

    def changes(self, since: int, wait: float) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(lambda: self._seq > since, wait)
            tasks = [t for t in self.tasks.values() if t["seq"] > since]
            return {
                "seq": self._seq,
                "tasks": [{key: t[key] for key in ("id", "state", "exit_code")} for t in tasks],
            }

    def _move(self, identity: str, state: str) -> None:
        with self._changed:
            task = self.tasks[identity]
            if task.get("state") in FINAL:
                return
            self._seq += 1
            task |= {"state": state, "seq": self._seq}
            self._changed.notify_all()

    def _run(self, identity: str) -> None:
        task = self.tasks[identity]
        with self._slots:
            if task["state"] == "CANCELED":
                return
            self._move(identity, "RUNNING")
            for file in task["body"]["inputs"]:
                if "content" in file:
                    path = self._plaintext(file["path"])
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(file["content"])
            for file in task["body"]["outputs"]:
                self._plaintext(file["path"]).parent.mkdir(parents=True, exist_ok=True)
            executor = task["body"]["executors"][0]
            process = task["process"] = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", OVER, str(self.plain), str(self.view), *executor["command"]],
                env={"PATH": "/usr/bin:/bin", **executor["env"]},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            task["exit_code"] = process.wait()
            if task["exit_code"] == 0:
                for file in task["body"]["outputs"]:
                    self._stub(self._plaintext(file["path"]))
            self._move(identity, "EXECUTOR_ERROR" if task["exit_code"] else "COMPLETE")

    def _plaintext(self, path: str) -> Path:
        return self.plain / Path(path).relative_to(self.view)

    def _stub(self, path: Path) -> None:
        stub = self.view / path.relative_to(self.plain)
        if path.is_dir():
            stub.mkdir(parents=True, exist_ok=True)
            for child in path.iterdir():
                self._stub(child)
        elif path.exists():
            stub.parent.mkdir(parents=True, exist_ok=True)
            with stub.open("wb") as file:
                file.truncate(path.stat().st_size)
            os.utime(stub, ns=(time.time_ns(), time.time_ns()))


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    gateway: EngineGateway


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        gateway = self.server.gateway
        time.sleep(gateway.thinks)
        if cancelled := re.fullmatch(r"/ga4gh/tes/v1/tasks/([^/:]+):cancel", self.path):
            gateway.cancel(cancelled[1])
            self._answer({})
        elif gateway.refuse:
            self._answer({"status_code": 403, "msg": gateway.refuse}, status=403)
        else:
            self._answer({"id": gateway.create(body)})

    def do_GET(self) -> None:
        query = parse_qs(urlparse(self.path).query)
        with contextlib.suppress(BrokenPipeError):
            self._answer(self.server.gateway.changes(int(query["since"][0]), float(query["wait"][0])))

    def _answer(self, answer: dict[str, Any], *, status: int = 200) -> None:
        payload = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""

    def address_string(self) -> str:
        return "engine"
