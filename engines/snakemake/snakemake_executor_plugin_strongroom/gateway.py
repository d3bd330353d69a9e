"""Speaks HTTP over the Unix socket of the run's gateway."""

import http.client
import json
import socket
import threading
from typing import Any

TASKS = "/ga4gh/tes/v1/tasks"
CHANGES = "/ga4gh/tes/v1/changes"


class Refused(Exception):
    """The gateway's answer was no; str() is its sentence."""


class _OverUnixSocket(http.client.HTTPConnection):
    def __init__(self, path: str, *, timeout: float) -> None:
        super().__init__("gateway", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Gateway:
    """One kept-alive connection, on which the calls of several threads follow each other."""

    def __init__(self, path: str, *, timeout: float = 120) -> None:
        self._connection = _OverUnixSocket(path, timeout=timeout)
        self._turn = threading.Lock()

    def create(self, task: dict[str, Any]) -> str:
        """Submit a task (TES 1.1 createTask) and return its id."""
        answer = self._call("POST", TASKS, task)
        return str(answer["id"])

    def cancel(self, external: str) -> None:
        self._call("POST", f"{TASKS}/{external}:cancel", {})

    def changes(self, *, since: int, wait: float) -> tuple[int, list[dict[str, Any]]]:
        """Tasks whose state changed after `since`, waiting up to `wait` seconds for the first."""
        answer = self._call("GET", f"{CHANGES}?since={since}&wait={wait:g}")
        return int(answer["seq"]), list(answer["tasks"])

    def interrupt(self) -> None:
        """End a call that another thread is waiting in."""
        if self._connection.sock is not None:
            try:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was closed already

    def close(self) -> None:
        self._connection.close()

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        payload = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        with self._turn:
            try:
                self._connection.request(method, path, payload, {"Content-Type": "application/json"})
                response = self._connection.getresponse()
                answer: dict[str, Any] = json.loads(response.read())
            except (http.client.HTTPException, ValueError) as error:
                self._connection.close()
                raise ConnectionError("The run's gateway does not answer; the run is over.") from error
        if response.status >= 400:
            raise Refused(str(answer.get("msg", f"The gateway refused with status {response.status}.")))
        return answer
