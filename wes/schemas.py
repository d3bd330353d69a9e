"""The wire types of WES 1.1, exactly as the specification has them (workflow_execution_service.openapi.yaml)."""

from typing import Any

from pydantic import BaseModel, Field

from wes.runs import RunState


class RunId(BaseModel):
    """`RunId`."""

    run_id: str


class RunStatus(BaseModel):
    """`RunStatus`."""

    run_id: str
    state: RunState


class RunSummary(BaseModel):
    """`RunSummary`."""

    run_id: str
    state: RunState
    start_time: str | None = None
    end_time: str | None = None
    tags: dict[str, str]


class RunList(BaseModel):
    """`RunListResponse`."""

    runs: list[RunSummary]
    next_page_token: str


class RunRequest(BaseModel):
    """`RunRequest`: what was asked, echoed without secrets."""

    workflow_params: dict[str, Any]
    workflow_type: str
    workflow_type_version: str
    tags: dict[str, str]
    workflow_engine: str
    workflow_engine_version: str
    workflow_engine_parameters: dict[str, str]
    workflow_url: str


class Log(BaseModel):
    """`Log`: stdout and stderr are URLs, and what they lead to passes the airlock before anyone reads it."""

    name: str
    start_time: str | None = None
    end_time: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    exit_code: int | None = None
    system_logs: list[str] | None = None


class TaskLog(Log):
    """`TaskLog`."""

    id: str
    tes_uri: str


class RunLog(BaseModel):
    """`RunLog`."""

    run_id: str
    request: RunRequest
    state: RunState
    run_log: Log
    task_logs_url: str
    outputs: dict[str, Any]


class TaskList(BaseModel):
    """`TaskListResponse`."""

    task_logs: list[TaskLog]
    next_page_token: str


class Form(BaseModel):
    """The fields of POST /runs, decoded."""

    workflow_params: dict[str, Any] = Field(default_factory=dict)
    workflow_type: str
    workflow_type_version: str
    workflow_engine: str | None = None
    workflow_engine_version: str | None = None
    workflow_engine_parameters: dict[str, Any] = Field(default_factory=dict)
    workflow_url: str
    tags: dict[str, Any] = Field(default_factory=dict)
