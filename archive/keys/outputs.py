"""Decides what a newly sealed object must look like before its row is signed (pure)."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.facts import GrantFacts
from archive.keys.orders import object_id
from archive.keys.purposes import Kind, Role
from sandbox.crypt4gh import body_length_of, segments_of
from strongroom.errors import BadRequest, NotAllowed

LONGEST_HEADER = 1 << 12
MOST_OUTPUTS = 20_000
LARGEST = 1 << 50
_HEX64 = re.compile(r"[0-9a-f]{64}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]*(/[A-Za-z0-9_][A-Za-z0-9._+=-]*)*")
LONGEST_NAME = 300
_LEAVING_NOTHING = (Kind.CHECK, Kind.VIEW, Kind.MEMBERS)


@dataclass(frozen=True)
class Body:
    """A sealed body and the header that came with it; `size` is of the plaintext."""

    object: str
    header: bytes
    size: int
    body_length: int
    body_sha256: str
    segments: int


@dataclass(frozen=True)
class Output:
    """What an attempt left: a body, what it was, and its plaintext's digest."""

    body: Body
    role: Role
    sha256: bytes


def parse_body(facts: Mapping[str, Any]) -> Body:
    """Return the sealed body that `facts` describe; lengths that do not fit together are refused."""
    size, length, segments = (_whole(facts, name) for name in ("size", "body_length", "segments"))
    if segments != segments_of(size) or length != body_length_of(size):
        # Crypt4GH proves segments, not files: a cut or padded body would pass it.
        raise BadRequest("size, body_length and segments do not fit together.")
    return Body(
        object=object_id(facts.get("object")),
        header=parse_bytes(facts, "header", most=LONGEST_HEADER),
        size=size,
        body_length=length,
        body_sha256=_hex64(facts, "body_sha256"),
        segments=segments,
    )


def parse_output(facts: Any) -> Output:
    """Return one output of an attempt."""
    names = {"object", "path", "role", "header", "size", "sha256", "body_sha256", "body_length", "segments"}
    if not isinstance(facts, dict) or set(facts) != names:
        raise BadRequest(f"outputs: each has exactly: {', '.join(sorted(names))}.")
    try:
        role = Role(facts["role"])
    except ValueError as error:
        raise BadRequest("role: output, stdout or stderr.") from error
    return Output(parse_body(facts), role, bytes.fromhex(_hex64(facts, "sha256")))


def parse_outputs(facts: Any) -> tuple[Output, ...]:
    """Return all outputs of an attempt, each object and each header once."""
    if not isinstance(facts, list) or len(facts) > MOST_OUTPUTS:
        raise BadRequest(f"outputs: a list of at most {MOST_OUTPUTS}.")
    outputs = tuple(parse_output(one) for one in facts)
    if len({one.body.object for one in outputs}) != len(outputs):
        raise BadRequest("outputs: an object is named twice.")
    return outputs


def check_may_register(grant: GrantFacts, outputs: tuple[Output, ...], *, moment: float) -> None:
    """Raise unless an attempt may still register things of this kind."""
    if moment >= grant.expires:
        raise NotAllowed("This grant has ended; the task gets another attempt.")
    if grant.kind in _LEAVING_NOTHING and any(one.role is Role.OUTPUT for one in outputs):
        # T12: the airlock key is for clean copies; a check or a view answers and leaves nothing.
        raise NotAllowed("A check, a view or a reading of members leaves no files.")


def parse_label(value: Any) -> str:
    """Return the label of a person whose data a file holds."""
    if not isinstance(value, str) or not _LABEL.fullmatch(value):
        raise BadRequest("persons: labels of letters, digits and . _ : - only.")
    return value


def parse_name(value: Any) -> str:
    """Return the name of a file in a dataset: a plain relative path."""
    if not isinstance(value, str) or len(value) > LONGEST_NAME or not _NAME.fullmatch(value):
        raise BadRequest("name: a plain relative path of letters, digits and . _ + - without '..'.")
    return value


def parse_bytes(facts: Mapping[str, Any], name: str, *, most: int) -> bytes:
    """Return the bytes that a field holds in base64."""
    try:
        raw = base64.b64decode(facts.get(name, ""), validate=True)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{name}: base64.") from error
    if not 0 < len(raw) <= most:
        raise BadRequest(f"{name}: from 1 to {most} bytes.")
    return raw


def _whole(facts: Mapping[str, Any], name: str) -> int:
    value = facts.get(name)
    if type(value) is not int or not 0 <= value < LARGEST:
        raise BadRequest(f"{name}: a whole number of bytes or segments.")
    return value


def _hex64(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    if not isinstance(value, str) or not _HEX64.fullmatch(value):
        raise BadRequest(f"{name}: a SHA-256 in hexadecimal.")
    return value
