"""Writes what happens in a Snakemake run as JSON lines to an inherited file descriptor."""

import json
import os
import time
from logging import LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

# What a line says of each event: the line's key and the record's attribute. Commands, files and messages stay out.
FACTS: dict[LogEvent, dict[str, str]] = {
    LogEvent.WORKFLOW_STARTED: {},
    LogEvent.RUN_INFO: {"total": "tasks", "tasks_of_rule": "tasks_of_rule"},
    LogEvent.JOB_INFO: {"job": "jobid", "rule": "rule_name", "wildcards": "wildcards"},
    LogEvent.JOB_STARTED: {"jobs": "jobs"},
    LogEvent.JOB_FINISHED: {"job": "job_id"},
    LogEvent.JOB_ERROR: {"job": "jobid", "rule": "rule_name"},
    LogEvent.PROGRESS: {"done": "done", "total": "total"},
}


class LogHandler(LogHandlerBase):
    """One line an event, on the descriptor that STRONGROOM_EVENTS_FD names."""

    def __post_init__(self) -> None:
        self._descriptor: int | None = int(os.environ["STRONGROOM_EVENTS_FD"])

    def emit(self, record: LogRecord) -> None:
        event: LogEvent | None = getattr(record, "event", None)
        if event not in FACTS or self._descriptor is None:
            return
        if event is LogEvent.RUN_INFO and not hasattr(record, "tasks"):
            return  # Snakemake's own plan; the executor's counts tasks
        line = {"event": event.value, "time": time.time()}
        line |= {key: _plain(getattr(record, name, None)) for key, name in FACTS[event].items()}
        try:
            os.write(self._descriptor, json.dumps(line).encode() + b"\n")
        except BrokenPipeError:
            self._descriptor = None  # nobody listens any more; the run goes on

    @property
    def writes_to_stream(self) -> bool:
        return False

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | None) else str(value)
