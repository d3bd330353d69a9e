"""Shows a task as TES 1.1 has it: MINIMAL, BASIC or FULL, and coarse where the dataset says so (T4)."""

from datetime import UTC, datetime
from typing import Any

from strongroom.identity import Person, ServicePerson
from tes.files import url_of
from tes.schemas import View
from tes.store import Attempt, Task
from tes.tasks import TaskState

WITHHELD = "withheld until release"
KILLED = 137  # what a shell says of a command that was killed: TES 1.1 wants a number from each executor
LEFT = frozenset({TaskState.COMPLETE, TaskState.EXECUTOR_ERROR})  # where outputs are kept, and shown


def shown(
    task: Task, attempts: list[Attempt], *, view: View, who: Person | ServicePerson, since: datetime | None = None
) -> dict[str, Any]:
    """Return the JSON of `task` for `who`: what a task printed is sealed and never part of it.

    With `since` a coarse run follows data since then, and its task just runs, as far as a person may know.
    """
    state = task.state if since is None else TaskState.RUNNING.value
    if view == "MINIMAL":
        return {"id": task.id, "state": state}
    if task.coarse and isinstance(who, Person):
        return _coarse(task, state, since)
    whole: dict[str, Any] = {
        **task.request,
        "id": task.id,
        "state": task.state,
        "creation_time": _time(task.created),
        "logs": [_log(task, attempt, view=view) for attempt in attempts],
    }
    if view == "BASIC" and "inputs" in whole:
        whole["inputs"] = [{key: value for key, value in one.items() if key != "content"} for one in whole["inputs"]]
    return whole


def _coarse(task: Task, state: str, since: datetime | None) -> dict[str, Any]:
    # T4: name, state and times to the minute; no command, path, size, exit code or log.
    log: dict[str, Any] = {"logs": [], "outputs": []}
    has_started = task.started is not None and (since is None or task.started <= since)
    if task.started is not None and has_started:
        log["start_time"] = _minute(task.started)
    if task.ended is not None and since is None:
        log["end_time"] = _minute(task.ended)
    return {
        "id": task.id,
        "state": state,
        "name": task.name,
        "executors": [{"image": one["image"], "command": [WITHHELD]} for one in task.plan["executors"]],
        "creation_time": _minute(task.created),
        "logs": [log] if has_started else [],
    }


def _log(task: Task, attempt: Attempt, *, view: View) -> dict[str, Any]:
    report = attempt.report or {}
    log: dict[str, Any] = {
        "logs": [_executor_log(executor) for executor in report.get("executors", [])],
        "metadata": {
            "attempt": str(attempt.number),
            "backend": attempt.backend,
            **{
                key: str(report[key])
                for key in ("cause", "peak_memory_bytes", "cpu_seconds")
                if report.get(key) is not None
            },
        },
        "start_time": _time(attempt.started),
        "outputs": [
            {
                "url": url_of(task.run, output["path"]),
                "path": output["path"],
                "size_bytes": str(output["size"]),
            }
            for output in report.get("outputs", [])
            if output.get("role", "output") == "output" and task.state in LEFT
        ],
    }
    if attempt.ended is not None:
        log["end_time"] = _time(attempt.ended)
    if view == "FULL":
        log["system_logs"] = [*task.plan.get("warnings", []), *([report["reason"]] if report.get("reason") else [])]
    return log


def _executor_log(executor: dict[str, Any]) -> dict[str, Any]:
    # stdout and stderr are sealed objects of the task; they pass the airlock before anyone reads them.
    return {
        "start_time": _time(executor["start"]),
        "end_time": _time(executor["end"]),
        "exit_code": KILLED if executor["exit_code"] is None else executor["exit_code"],
    }


def _time(value: datetime | float) -> str:
    moment = value if isinstance(value, datetime) else datetime.fromtimestamp(value, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _minute(value: datetime) -> str:
    return value.replace(second=0, microsecond=0).isoformat().replace("+00:00", "Z")
