"""A toy that speaks just enough WES 1.1 and TES 1.1 to be asked, and has one fault of your choice."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

INFO = {
    "id": "org.example.toy",
    "name": "Toy",
    "organization": {"name": "Example", "url": "https://example.org"},
    "version": "1",
    "workflow_type_versions": {"TOY": {"workflow_type_version": ["1"]}},
    "supported_wes_versions": ["1.1.0"],
    "supported_filesystem_protocols": [],
    "workflow_engine_versions": {"toy": {"workflow_engine_version": ["1"]}},
    "default_workflow_engine_parameters": [{"name": "speed", "type": "integer", "default_value": "1"}],
    "system_state_counts": {},
    "auth_instructions_url": "https://example.org",
    "tags": {},
}
REQUIRED = ("workflow_url", "workflow_type", "workflow_type_version")
WORK = 0.6  # seconds of a run


class Refused(Exception):
    """An answer that is no 200."""


@dataclass
class Run:
    """One run; time alone moves it."""

    id: str
    owner: str
    request: dict[str, Any]
    born: float = field(default_factory=time.time)
    canceled: float | None = None

    def state(self) -> str:
        now = time.time()
        if self.canceled is not None:
            return "CANCELING" if now < self.canceled + 0.3 else "CANCELED"
        if now < self.born + WORK:
            return "QUEUED" if now < self.born + 0.1 else "RUNNING"
        return "EXECUTOR_ERROR" if self.request["workflow_url"] == "fails" else "COMPLETE"


class Toy:
    """The server; `fault` names what it does wrong."""

    def __init__(self, fault: str = "") -> None:
        self.fault, self.runs, self.base = fault, list[Run](), ""

    def application(self) -> Starlette:
        wes, tes = "/ga4gh/wes/v1", "/ga4gh/tes/v1"
        routes = [
            Route(f"{wes}/service-info", self.wes_info),
            Route(f"{wes}/runs", self.answer(self.submit), methods=["POST"]),
            Route(f"{wes}/runs", self.answer(self.list_runs)),
            Route(f"{wes}/runs/{{run}}", self.answer(self.whole)),
            Route(f"{wes}/runs/{{run}}/status", self.answer(self.status)),
            Route(f"{wes}/runs/{{run}}/cancel", self.answer(self.cancel), methods=["POST"]),
            Route(f"{wes}/runs/{{run}}/tasks", self.answer(self.tasks)),
            Route(f"{wes}/runs/{{run}}/tasks/{{task}}", self.answer(self.task)),
            Route(f"{wes}/runs/{{run}}/logs/{{stream}}", self.answer(self.log)),
            Route(f"{tes}/service-info", self.tes_info),
            Route(f"{tes}/tasks", self.answer(self.tes_list), methods=["GET", "POST"]),
            Route(f"{tes}/tasks/{{task}}", self.answer(self.tes_unknown), methods=["GET", "POST"]),
        ]
        return Starlette(routes=routes)

    def answer(self, act: Any) -> Any:
        async def asked(request: Request) -> Response:
            try:
                word = request.headers.get("authorization", "").removeprefix("Bearer ")
                if word not in ("mine", "theirs") and self.fault != "asks-nobody":
                    raise Refused(401, "Sign in.")
                return JSONResponse(await act(request, word))
            except Refused as error:
                status, sentence = error.args
                return JSONResponse({"msg": sentence, "status_code": status}, status)

        return asked

    async def wes_info(self, request: Request) -> Response:
        kind = {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}
        info = {key: value for key, value in INFO.items() if key != "tags" or self.fault != "service-info-lacks-tags"}
        return JSONResponse({**info, "type": kind})

    async def tes_info(self, request: Request) -> Response:
        kind = {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"}
        return JSONResponse({**{key: INFO[key] for key in ("id", "name", "organization", "version")}, "type": kind})

    async def submit(self, request: Request, who: str) -> Any:
        async with request.form() as form:
            given = {}
            for name, value in form.multi_items():
                if not isinstance(value, str) or name == "workflow_attachment":
                    raise Refused(400, "workflow_attachment: not here.")
                given[name] = value
        for name in REQUIRED:
            if not given.get(name) and self.fault != "takes-anything":
                raise Refused(400, f"{name} is required.")
        for name in ("workflow_params", "tags", "workflow_engine_parameters"):
            try:
                given[name] = json.loads(given.get(name, "{}"))
            except ValueError:
                raise Refused(400, f"{name}: no JSON.") from None
            plain = isinstance(given[name], dict)
            if plain and name != "workflow_params":
                plain = all(isinstance(value, str) for value in given[name].values())
            if not plain:
                raise Refused(400, f"{name}: an object of strings.")
        if set(given["workflow_engine_parameters"]) - {"speed"}:
            raise Refused(400, "workflow_engine_parameters: only speed.")
        known = {"workflow_type": "TOY", "workflow_type_version": "1", "workflow_engine": "toy"}
        known["workflow_engine_version"] = "1"
        if self.fault != "runs-any-version":
            for name, value in known.items():
                if given.get(name, value) != value:
                    raise Refused(400, f"{name}: {value}.")
        if "workflow_engine_version" in given and "workflow_engine" not in given:
            raise Refused(400, "workflow_engine: say which.")
        run = Run(f"run{len(self.runs)}", who, given)
        self.runs.append(run)
        return {"run_id": run.id}

    async def list_runs(self, request: Request, who: str) -> Any:
        mine = [run for run in reversed(self.runs) if run.owner == who or self.fault == "shows-others"]
        rows = [{"run_id": r.id, "state": r.state(), "tags": r.request["tags"]} for r in mine]
        return self.page(request, rows, "runs", "run_id", who)

    def page(self, request: Request, rows: list[Any], member: str, key: str, who: str) -> Any:
        size, token = request.query_params.get("page_size", "100"), request.query_params.get("page_token", "")
        if not size.isdigit() or not 0 < int(size) < 2048:
            raise Refused(400, "page_size: a number.")
        start = 0
        if token and self.fault == "counts-rows":
            start = int(token.partition(":")[2]) if ":" in token else self.forged()
        elif token:
            place, ids = token.removeprefix(f"{member}:{who}:"), [row[key] for row in rows]
            start = ids.index(place) + 1 if place in ids and place != token else self.forged()
        end = len(rows) if self.fault == "pages-without-end" else start + int(size)
        last = f"{end}" if self.fault == "counts-rows" else rows[min(end, len(rows)) - 1][key] if rows else ""
        nothing = None if self.fault == "null-for-no-token" else ""
        first = f"{member}:" if self.fault == "counts-rows" else f"{member}:{who}:"
        return {member: rows[start:end], "next_page_token": first + last if end < len(rows) else nothing}

    def forged(self) -> int:
        if self.fault == "takes-any-token":
            return 0
        raise Refused(400, "page_token: not ours.")

    def own(self, request: Request, who: str) -> Run:
        found = [run for run in self.runs if run.id == request.path_params["run"]]
        if not found or (found[0].owner != who and self.fault != "shows-others"):
            raise Refused(400 if self.fault == "unknown-is-malformed" else 404, "There is no such run.")
        return found[0]

    async def status(self, request: Request, who: str) -> Any:
        run = self.own(request, who)
        return {"run_id": run.id, "state": run.state()}

    async def whole(self, request: Request, who: str) -> Any:
        run = self.own(request, who)
        at = f"{self.base}/ga4gh/wes/v1/runs/{run.id}"
        state = run.state()
        log: dict[str, Any] = {"name": "toy", "start_time": _time(run.born), "stdout": f"{at}/logs/stdout"}
        if state in ("COMPLETE", "EXECUTOR_ERROR", "CANCELED"):
            log["end_time"] = _time(run.born + WORK)
        if self.fault == "logs-inline":
            log["stdout"] = "hello from the engine"
        if self.fault == "null-members":
            log["exit_code"] = None
        return {
            "run_id": run.id,
            "request": run.request,
            "state": state,
            "run_log": log,
            "task_logs_url": "/runs/tasks" if self.fault == "half-a-url" else f"{at}/tasks",
            "outputs": [] if self.fault == "outputs-are-a-list" else {},
        }

    async def cancel(self, request: Request, who: str) -> Any:
        run = self.own(request, who)
        if run.state() in ("QUEUED", "RUNNING") and self.fault != "cancel-does-nothing":
            run.canceled = time.time()
        return {"run_id": run.id}

    def rows(self, run: Run) -> list[Any]:
        return [{"id": f"{run.id}-{n}", "name": f"step {n}"} for n in range(3)]

    async def tasks(self, request: Request, who: str) -> Any:
        return self.page(request, self.rows(self.own(request, who)), "task_logs", "id", who)

    async def task(self, request: Request, who: str) -> Any:
        found = [row for row in self.rows(self.own(request, who)) if row["id"] == request.path_params["task"]]
        if not found:
            raise Refused(404, "There is no such task.")
        return found[0]

    async def log(self, request: Request, who: str) -> Any:
        self.own(request, who)
        return "hello"

    async def tes_list(self, request: Request, who: str) -> Any:
        query = request.query_params
        known = (
            query.get("view", "MINIMAL") in ("MINIMAL", "BASIC", "FULL") and query.get("state", "QUEUED").isupper()
        )
        if not known or query.get("state") == "DONE" or "tag_value" in query:
            raise Refused(400, "Not so.")
        more = {"name": "x"} if self.fault == "minimal-is-more" else {}
        return self.page(
            request, [{"id": f"t{n}", "state": "COMPLETE", **more} for n in range(3)], "tasks", "id", who
        )

    async def tes_unknown(self, request: Request, who: str) -> Any:
        raise Refused(404, "There is no such task.")


def _time(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


@contextmanager
def serving(fault: str = "") -> Iterator[str]:
    """Serve a toy on a free port of this host; yields its address."""
    toy, sock = Toy(fault), socket.create_server(("127.0.0.1", 0))
    toy.base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(toy.application(), log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    try:
        yield toy.base
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
