"""The wire types of TES 1.1, exactly as the specification has them (task_execution_service.openapi.yaml)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from tes.tasks import TaskState

Text = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]
TagKey = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
TagValue = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
# A client may leave it out or say null; what nobody said is a FILE, and we say so from then on.
FileType = Annotated[Literal["FILE", "DIRECTORY"], BeforeValidator(lambda given: "FILE" if given is None else given)]
Amount = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]  # 0: nothing was asked for
MOST_TAGS = 100
View = Literal["MINIMAL", "BASIC", "FULL"]


class _Wire(BaseModel):
    # Unknown and read-only fields are ignored: TES 1.1 clients may be newer than we are.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Executor(_Wire):
    """`tesExecutor`: one command in one image."""

    image: Text
    command: Annotated[list[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]], Field(min_length=1)]
    workdir: Text | None = None
    stdin: Text | None = None
    stdout: Text | None = None
    stderr: Text | None = None
    env: dict[Text, Text] | None = None
    ignore_error: bool | None = None


class Input(_Wire):
    """`tesInput`: a file that the task sees."""

    name: Text | None = None
    description: Text | None = None
    url: Text | None = None
    path: Text
    type: FileType = "FILE"
    content: str | None = None
    streamable: bool | None = None


class Tells(BaseModel):
    """What lines of an output the engine of a run may read (T17); not part of TES, and from gateways only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    characters: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[ -~]+$")]
    longest: Annotated[int, Field(ge=1, le=100)]
    most: Annotated[int, Field(ge=1, le=10_000)]


class Output(_Wire):
    """`tesOutput`: a file that the task leaves."""

    name: Text | None = None
    description: Text | None = None
    url: Text
    path: Text
    path_prefix: Text | None = None
    type: FileType = "FILE"
    tells: Annotated[Tells | None, WithJsonSchema({}), Field(exclude=True)] = None


class Resources(_Wire):
    """`tesResources`."""

    cpu_cores: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    preemptible: bool | None = None
    ram_gb: Amount | None = None
    disk_gb: Amount | None = None
    zones: list[Text] | None = None
    backend_parameters: dict[Text, Text] | None = None
    backend_parameters_strict: bool | None = None


class NewTask(_Wire):
    """`tesTask` as a client sends it."""

    name: Text | None = None
    description: Text | None = None
    inputs: list[Input] | None = None
    outputs: list[Output] | None = None
    resources: Resources | None = None
    executors: Annotated[list[Executor], Field(min_length=1)]
    volumes: list[Text] | None = None
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=MOST_TAGS)] | None = None


class CreatedTask(BaseModel):
    """`tesCreateTaskResponse`."""

    id: str


class Change(BaseModel):
    """A task that moved, told to the gateway of its run; not part of TES."""

    id: str
    state: TaskState
    exit_code: int | None
    reason: str | None
    outputs: list[dict[str, Any]]
    printed: dict[str, str]  # by stream, the sealed object
    missing: list[str]
    started: float | None
    ended: float | None


class Changes(BaseModel):
    """All tasks of a run that moved after a point; not part of TES."""

    seq: int
    tasks: list[Change]
