"""The wire types of what is brought in."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from airlock.checks.brought import Declared
from airlock.output_schemas import Output
from airlock.schemas import Id


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewIngress(_Form):
    """POST /ingress: the dataset that files are to become, called after its project."""

    project: Annotated[str, Field(min_length=1, max_length=64)]
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    title: Annotated[str, Field(max_length=300)] = ""


class Brought(_Form):
    """POST /ingress/{id}/files: an uploaded object, its name in the dataset, and what it is said to be."""

    object: Id
    name: Annotated[
        str,
        Field(max_length=300, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+=-]*(/[A-Za-z0-9_][A-Za-z0-9._+=-]*)*$"),
    ]
    declared: Declared


class ShownIngress(BaseModel):
    """A quarantine; its id is the `run` of requests for its files."""

    id: str
    project: str
    dataset: str
    settled: bool
    files: list[Output]
