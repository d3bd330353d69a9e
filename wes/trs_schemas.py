"""The wire types of GA4GH TRS 2.0.1, exactly as the specification has them."""

from typing import Literal

from pydantic import BaseModel

DescriptorType = Literal["SMK", "NFL"]


class Error(BaseModel):
    """`Error`."""

    code: int
    message: str


class Checksum(BaseModel):
    """`Checksum`."""

    checksum: str
    type: str = "sha-256"


class ToolFile(BaseModel):
    """`ToolFile`, with the file's checksum."""

    path: str
    file_type: Literal["TEST_FILE", "PRIMARY_DESCRIPTOR", "SECONDARY_DESCRIPTOR", "CONTAINERFILE", "OTHER"]
    checksum: Checksum


class ToolClass(BaseModel):
    """`ToolClass`."""

    id: str
    name: str
    description: str


class ImageData(BaseModel):
    """`ImageData`."""

    image_name: str
    checksum: list[Checksum]
    image_type: Literal["Docker"] = "Docker"


class ToolVersion(BaseModel):
    """`ToolVersion`; what is here is vetted, so it is signed, verified and never changes."""

    id: str
    url: str
    name: str
    author: list[str]
    images: list[ImageData]
    descriptor_type: list[DescriptorType]
    is_production: bool = True
    containerfile: bool
    meta_version: str
    verified: bool = True
    verified_source: list[str]
    signed: bool = True


class Tool(BaseModel):
    """`Tool`: a workflow with its vetted versions."""

    id: str
    url: str
    organization: str
    name: str
    toolclass: ToolClass
    description: str
    meta_version: str
    has_checker: bool = False
    versions: list[ToolVersion]


class FileWrapper(BaseModel):
    """`FileWrapper`; `content` is left out of what is no text."""

    content: str | None = None
    checksum: list[Checksum]
    url: str
