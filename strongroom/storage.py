"""The settings' part on where sealed bodies are kept: a folder of this host, or a bucket of an S3 store."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, model_validator

from strongroom.networks import is_secure

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*/)*")
SMALLEST_PART = 5 << 20  # S3's own limit


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class S3(_Part):
    """The bucket, with `objects.store` = `s3`."""

    endpoint: str = Field("", description="https://HOST or https://HOST:PORT, without a path.")
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="Region that requests are signed for.")
    bucket: str = Field("", description="The bucket; it is never made here.")
    prefix: str = Field("", description="What all keys begin with, as `strongroom/`; empty means the whole bucket.")
    addressing: Literal["path", "virtual"] = Field(
        "path", description="Where the bucket's name stands: in the path, or before the host."
    )
    access_key: str = Field("", description="The id of the access key, which is no secret.")
    secret_key_file: Path | None = Field(
        None, description="File with the secret access key, for root and our group; read again when it changes."
    )
    ca: Path | None = Field(
        None, description="PEM file of the store's own CA; by default those that the system trusts."
    )
    addresses: tuple[IPvAnyAddress, ...] = Field(
        (),
        description="IP addresses of an endpoint that has a name, as pods of Kubernetes reach it: what the "
        "NetworkPolicy lets them reach, and what the name means in pods, which ask no DNS.",
    )
    part_bytes: int = Field(
        64 << 20,
        ge=SMALLEST_PART,
        le=1 << 30,
        description="A body that is not shorter is sent in parts of this size, of which there are at most 10000.",
    )
    url_bytes: int = Field(
        5 << 30, ge=0, le=5 << 30, description="Longest body that a node puts by one URL; longer ones go by the door."
    )
    url_seconds: int = Field(
        900, ge=30, le=3600, description="Life of a presigned URL that a node is given; it asks for another in time."
    )

    @property
    def reached_at(self) -> tuple[str, int]:
        """Host and port that URLs name."""
        parts = urlsplit(self.endpoint)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return (f"{self.bucket}.{host}" if self.addressing == "virtual" else host), port


class Objects(_Part):
    """Where sealed bodies are kept."""

    store: Literal["folder", "s3"] = Field("folder", description="`folder` is `home`/objects; `s3` a bucket.")
    s3: S3 = S3()

    def check_https(self) -> None:
        """Raise `ValueError` if bodies would travel in plain http."""
        if self.store == "s3" and not self.s3.endpoint.startswith("https:"):
            raise ValueError("objects.s3.endpoint: https in production.")

    @model_validator(mode="after")
    def _is_whole(self) -> "Objects":
        if self.store != "s3":
            return self
        s3 = self.s3
        if not is_secure(s3.endpoint, loopback=True) or urlsplit(s3.endpoint).path not in ("", "/"):
            raise ValueError("s3.endpoint: https://HOST or https://HOST:PORT, without a path, a user or a query.")
        if not _BUCKET.fullmatch(s3.bucket) or not _PREFIX.fullmatch(s3.prefix):
            raise ValueError("s3.bucket and s3.prefix: a bucket's name; plain names, each with a slash behind it.")
        if not s3.access_key or s3.secret_key_file is None:
            raise ValueError("s3.access_key and s3.secret_key_file: both are needed; a bucket is never open to all.")
        return self
