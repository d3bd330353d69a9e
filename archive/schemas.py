"""What the archive's routes take and give."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewDataset(_Strict):
    """A dataset to make; `project` only for one that belongs to a project."""

    id: Id
    title: Annotated[str, Field(max_length=300)] = ""
    observability: Literal["coarse", "open"] = "coarse"
    sensitivity: Literal["standard", "high"] = "standard"
    project: str | None = None
    min_population: Count | None = None


class MoreQueries(_Strict):
    """How many more populations a project may ask about today."""

    project: Annotated[str, Field(max_length=64)]
    queries: Annotated[int, Field(ge=1, le=1000)]


class Share(_Strict):
    """A project that may use a dataset, for ever or until a time."""

    project: Annotated[str, Field(max_length=64)]
    until: AwareDatetime | None = None


class EndOfShare(_Strict):
    """A project that may use a dataset no more."""

    project: Annotated[str, Field(max_length=64)]


class NewFile(_Strict):
    """The name of an uploaded body; header and digest are sealed to the dataset's key: the server reads neither."""

    object: Hex32
    name: Annotated[str, Field(max_length=300)]
    persons: Annotated[list[str], Field(max_length=100_000)]
    header: Annotated[str, Field(max_length=8192)]
    digest: Annotated[str, Field(max_length=2048)]
    size: Count
    body_length: Count
    body_sha256: Hex64
    segments: Count
    clear: bool = False


class Recipient(BaseModel):
    """The X25519 key (base64) that files of a dataset are sealed to."""

    public_key: str


class Received(BaseModel):
    """A body that came in; it is no file of the dataset until it is named."""

    object: str
    body_length: int
    body_sha256: str


class Named(BaseModel):
    """A file that was added."""

    dataset: str
    name: str
    object: str


class ShownFile(BaseModel):
    """A file of a dataset; its size only when the dataset is open (T4)."""

    name: str
    size: int | None = None
    clear: bool = False


class ShownDataset(BaseModel):
    """A dataset, as somebody who may know of it sees it."""

    id: str
    title: str
    observability: str
    sensitivity: str
    created: datetime
    derived_from_run: str | None
    ancestors: list[str]
    projects: list[str]
    files: list[ShownFile]
