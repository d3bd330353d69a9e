"""The answers of WES 1.1 and TES 1.1 as JSON Schemas, written from the specifications' own definitions."""

from typing import Any

import jsonschema

S: dict[str, Any] = {"type": "string"}
INT32 = {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
STRINGS = {"type": "array", "items": S}
MAP = {"type": "object", "additionalProperties": S}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$"}
STATE = {
    "enum": [
        *("UNKNOWN", "QUEUED", "INITIALIZING", "RUNNING", "PAUSED", "COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR"),
        *("CANCELED", "CANCELING", "PREEMPTED"),
    ]
}


def thing(required: str = "", **members: Any) -> dict[str, Any]:
    """Return the schema of an object; what is named must not be null, what is not named may be anything."""
    return {"type": "object", "required": required.split(), "properties": members}


def listed(items: Any) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


SERVICE = thing(
    "id name type organization version",
    id=S,
    name=S,
    type=thing("group artifact version", group=S, artifact=S, version=S),
    organization=thing("name url", name=S, url=S),
    version=S,
    description=S,
    contactUrl=S,
    documentationUrl=S,
    createdAt=S,
    updatedAt=S,
    environment=S,
)


def versions(member: str) -> dict[str, Any]:
    """Return the schema of a map to lists of versions."""
    return {"type": "object", "additionalProperties": thing(member, **{member: STRINGS})}


WES_INFO = {
    "allOf": [
        SERVICE,
        thing(
            "workflow_type_versions supported_wes_versions supported_filesystem_protocols workflow_engine_versions "
            "default_workflow_engine_parameters system_state_counts auth_instructions_url tags",
            workflow_type_versions=versions("workflow_type_version"),
            supported_wes_versions=STRINGS,
            supported_filesystem_protocols=STRINGS,
            workflow_engine_versions=versions("workflow_engine_version"),
            default_workflow_engine_parameters=listed(thing(name=S, type=S, default_value=S)),
            system_state_counts={"type": "object", "additionalProperties": {"type": "integer"}},
            auth_instructions_url=S,
            tags=MAP,
        ),
    ]
}
RUN_ID = thing("run_id", run_id=S)
RUN_STATUS = thing("run_id state", run_id=S, state=STATE)
RUN_SUMMARY = thing("run_id state tags", run_id=S, state=STATE, start_time=TIME, end_time=TIME, tags=MAP)
RUN_LIST = thing("runs next_page_token", runs=listed(RUN_SUMMARY), next_page_token=S)
_LOG = {
    "name": S,
    "cmd": STRINGS,
    "start_time": TIME,
    "end_time": TIME,
    "stdout": S,
    "stderr": S,
    "exit_code": INT32,
    "system_logs": STRINGS,
}
LOG = thing(**_LOG)
TASK_LOG = thing("id name", id=S, tes_uri=S, **_LOG)
TASK_LIST = thing("task_logs next_page_token", task_logs=listed(TASK_LOG), next_page_token=S)
RUN_REQUEST = thing(
    "workflow_type workflow_type_version workflow_url",
    workflow_params={"type": "object"},
    workflow_type=S,
    workflow_type_version=S,
    tags=MAP,
    workflow_engine_parameters=MAP,
    workflow_engine=S,
    workflow_engine_version=S,
    workflow_url=S,
)
RUN_LOG = thing(
    "run_id request state run_log outputs",
    run_id=S,
    request=RUN_REQUEST,
    state=STATE,
    run_log=LOG,
    task_logs_url=S,
    task_logs={"type": ["array", "null"]},
    outputs={"type": "object"},
)
PROBLEM = thing("msg status_code", msg=S, status_code=INT32)

TES_INFO = {"allOf": [SERVICE, thing(storage=STRINGS, tesResources_backend_parameters=STRINGS)]}
TES_LIST = thing("tasks", tasks=listed(thing("id state", id=S, state=STATE)), next_page_token=S)
EXECUTOR = thing(
    "image command",
    image=S,
    command=STRINGS,
    workdir=S,
    stdin=S,
    stdout=S,
    stderr=S,
    env=MAP,
    ignore_error={"type": "boolean"},
)
FILE_TYPE = {"enum": ["FILE", "DIRECTORY"]}
TES_TASK = thing(
    "id state executors",
    id=S,
    state=STATE,
    name=S,
    description=S,
    inputs=listed(thing("path", path=S, url=S, content=S, type=FILE_TYPE, streamable={"type": "boolean"})),
    outputs=listed(thing("path url", path=S, url=S, path_prefix=S, type=FILE_TYPE)),
    resources=thing(
        cpu_cores=INT32,
        ram_gb={"type": "number"},
        disk_gb={"type": "number"},
        preemptible={"type": "boolean"},
        zones=STRINGS,
        backend_parameters=MAP,
    ),
    executors=listed(EXECUTOR),
    volumes=STRINGS,
    tags=MAP,
    creation_time=TIME,
    logs=listed(
        thing(
            "logs outputs",
            logs=listed(thing(start_time=TIME, end_time=TIME, exit_code=INT32, stdout=S, stderr=S)),
            outputs=listed(
                thing("url path size_bytes", url=S, path=S, size_bytes={"type": "string", "pattern": r"^\d+$"})
            ),
            start_time=TIME,
            end_time=TIME,
            metadata=MAP,
            system_logs=STRINGS,
        )
    ),
)


def check(schema: dict[str, Any], answer: Any) -> None:
    """Raise with the place and the rule when `answer` is not of this shape."""
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(answer))
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the answer"
        raise AssertionError(f"{place}: {error.message[:300]}")


def check_refused(answer: Any, *statuses: int, names: str = "") -> None:
    """Raise unless the answer is an error of one of these statuses, of GA4GH's shape, and names what is wrong."""
    assert answer.status_code in statuses, f"{answer.status_code}, not {statuses}: {answer.text[:300]}"
    said = answer.json()
    check(PROBLEM, said)
    assert said["status_code"] == answer.status_code
    assert names in said["msg"], f"{names!r} is not named: {said['msg'][:300]}"
