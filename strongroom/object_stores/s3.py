"""Keeps bodies in a bucket of an S3 store, and signs the short-lived URLs that nodes read and put them by."""

import base64
import contextlib
import hashlib
import logging
import secrets
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from strongroom.errors import Conflict, NotFound, Unavailable
from strongroom.objects import GONE, THERE, checked_id
from strongroom.storage import S3

NEW: Final = "*"  # If-None-Match: an object is made and never replaced
RESUMED: Final = 5  # times that a reading goes on after the store hung up
MARK: Final = "put"  # metadata: which act of putting made an object
PARTS: Final = ".parts"  # behind a key: the body is on its way in parts, by somebody who came first
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchUpload"})
_TAKEN: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_TRIES: Final = 5
# Where botocore would look for more: (in its files, in the environment, otherwise, made by).
_OURS_ALONE: Final = {
    "profile": (None, None, None, None),
    "config_file": (None, None, "/dev/null", None),
    "credentials_file": (None, None, "/dev/null", None),
}


logging.getLogger("botocore").setLevel(logging.WARNING)  # at DEBUG it tells keys and signatures


def open_bucket(settings: S3) -> "Bucket":
    """Return the bucket; the secret is read each time, so that a new one counts without a restart."""
    assert settings.secret_key_file is not None
    try:
        secret = settings.secret_key_file.read_text().strip()
    except OSError as error:
        raise Unavailable("The object store's key cannot be read; ask the operator.", detail=str(error)) from error
    return Bucket(settings, _client(settings, secret))


@lru_cache(maxsize=4)
def _client(settings: S3, secret: str) -> Any:
    # Nothing of the environment decides: no profile, no proxy, no other CA, no other endpoint.
    config = Config(
        region_name=settings.region,
        signature_version="s3v4",
        s3={"addressing_style": settings.addressing, "us_east_1_regional_endpoint": "regional"},
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=32,
        proxies={},
        request_checksum_calculation="when_required",  # Content-MD5 is what every store knows
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session(
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=secret,
        region_name=settings.region,
        botocore_session=botocore.session.Session(session_vars=_OURS_ALONE),
    )
    verify = str(settings.ca) if settings.ca is not None else True
    return session.client("s3", endpoint_url=settings.endpoint, config=config, verify=verify)


class Bucket:
    """An `ObjectStore`: PREFIXab/abcdef… in a bucket."""

    def __init__(self, settings: S3, client: Any) -> None:
        self._settings = settings
        self._s3 = client

    def path(self, object_id: str) -> Path | None:
        """Return None: nothing lies on this host."""
        checked_id(object_id)
        return None

    def put(self, object_id: str, chunks: Iterator[bytes]) -> tuple[int, str]:
        """Send a body at once or in parts; it appears whole or not at all, and never twice."""
        place = self._place(object_id)
        seen, mark = hashlib.sha256(), secrets.token_hex(16)
        parts = _parts(chunks, self._settings.part_bytes)
        first = next(parts)
        seen.update(first)
        if len(first) < self._settings.part_bytes:
            with self._made(place, mark):
                self._s3.put_object(
                    **place, Body=first, ContentMD5=_md5(first), IfNoneMatch=NEW, Metadata={MARK: mark}
                )
            return len(first), seen.hexdigest()
        length = len(first)

        def counted() -> Iterator[bytes]:
            nonlocal length
            yield first
            for part in parts:
                length += len(part)
                seen.update(part)
                yield part

        with self._alone(place, mark):
            self._put_in_parts(place, counted(), mark)
        return length, seen.hexdigest()

    def read(self, object_id: str, *, start: int = 0, chunk: int = 1 << 20) -> Iterator[bytes]:
        """Yield the body in chunks; where the store hangs up half-way, it goes on with the very same object."""
        place, left = self._place(object_id), RESUMED
        match: dict[str, str] = {}
        while True:
            try:
                answer = self._s3.get_object(**place, **match, **({"Range": f"bytes={start}-"} if start else {}))
                match = {"IfMatch": answer["ETag"]}
                with contextlib.closing(answer["Body"]) as body:
                    while piece := body.read(chunk):
                        start += len(piece)
                        yield piece
                return
            except ClientError as error:
                code = _code(error)
                if code in ("InvalidRange", "416"):
                    return  # nothing lies behind the end
                if code in _MISSING:
                    raise NotFound(GONE) from error
                raise _silent(error) from error
            except (BotoCoreError, OSError) as error:
                left -= 1
                if not match or left < 0:
                    raise _silent(error) from error

    def delete(self, object_id: str) -> None:
        """Remove the body; a bucket may keep versions: what deletes data for ever is that its key is destroyed."""
        place = self._place(object_id)
        with _said():
            self._s3.delete_object(**place)

    def url_to_read(self, object_id: str) -> str | None:
        """Sign a GET of this one object; the signature leaves ranges to the reader."""
        return self._signed("get_object", self._place(object_id))

    def url_to_put(self, object_id: str, length: int) -> str | None:
        """Sign a PUT of this one object: its length and that it makes a new one are part of what is signed."""
        if length > self._settings.url_bytes:
            checked_id(object_id)
            return None
        return self._signed("put_object", {**self._place(object_id), "ContentLength": length, "IfNoneMatch": NEW})

    def _signed(self, operation: str, what: Mapping[str, Any]) -> str:
        url = self._s3.generate_presigned_url(operation, Params=dict(what), ExpiresIn=self._settings.url_seconds)
        return str(url)

    def _place(self, object_id: str) -> dict[str, str]:
        key = f"{self._settings.prefix}{checked_id(object_id)[:2]}/{object_id}"
        return {"Bucket": self._settings.bucket, "Key": key}

    def _put_in_parts(self, place: Mapping[str, str], parts: Iterator[bytes], mark: str) -> None:
        with _said():
            upload = {
                **place,
                "UploadId": self._s3.create_multipart_upload(**place, Metadata={MARK: mark})["UploadId"],
            }
        try:
            sent = []
            for number, part in enumerate(parts, 1):
                with _said():
                    answer = self._s3.upload_part(**upload, PartNumber=number, Body=part, ContentMD5=_md5(part))
                sent.append({"PartNumber": number, "ETag": answer["ETag"]})
            with self._made(place, mark):
                self._s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent}, IfNoneMatch=NEW)
        except BaseException:
            with contextlib.suppress(BotoCoreError, ClientError):
                self._s3.abort_multipart_upload(**upload)
            raise

    @contextlib.contextmanager
    def _alone(self, place: Mapping[str, str], mark: str) -> Iterator[None]:
        """Let in one who sends in parts: not every store completes two uploads of one key one after the other."""
        reserved = {**place, "Key": f"{place['Key']}{PARTS}"}
        with self._made(reserved, mark):
            self._s3.put_object(**reserved, Body=b"", IfNoneMatch=NEW, Metadata={MARK: mark})
        try:
            yield
        finally:
            with contextlib.suppress(BotoCoreError, ClientError):
                self._s3.delete_object(**reserved)

    @contextlib.contextmanager
    def _made(self, place: Mapping[str, str], mark: str) -> Iterator[None]:
        """Say `Conflict` when somebody else made the object; our own, whose answer was lost, is made."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            code = _code(error)
            if code not in (_TAKEN | _MISSING):
                raise _silent(error) from error
            found = self._mark_of(place)
            if found is None:
                raise _silent(error) from error
            if found != mark:
                raise Conflict(THERE) from error

    def _mark_of(self, place: Mapping[str, str]) -> str | None:
        """Return by which act an object was put, None where there is none."""
        try:
            return str(self._s3.head_object(**place)["Metadata"].get(MARK, ""))
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise _silent(error) from error
        except BotoCoreError as error:
            raise _silent(error) from error


@contextlib.contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _silent(error) from error


def _silent(error: Exception) -> Unavailable:
    # Its message may hold the endpoint, a key's name or a signature.
    return Unavailable("The object store does not answer; try again.", detail=_code(error) or type(error).__name__)


def _code(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def _md5(part: bytes) -> str:
    # For the way alone: the store refuses what was changed on it. What proves a body is its SHA-256.
    return base64.b64encode(hashlib.md5(part, usedforsecurity=False).digest()).decode()


def _parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield pieces of just `size` bytes and then what is left; at least one, perhaps empty."""
    held, none_yet = bytearray(), True
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
            none_yet = False
    if held or none_yet:
        yield bytes(held)
