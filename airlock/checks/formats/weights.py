"""Reads the header of a safetensors file: only names, shapes and places may stand beside the numbers."""

import re

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Prose, Subject
from ..thresholds import Policy
from . import json_file
from .json_file import Value

_PRINTED = re.compile(rb"[ -~\t\r\n]{64,}")  # bytes in a row that no weights are
_MAX_HEADER = 4 << 20
_SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_BYTES = {"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,120}")
_PLAIN = {"format": frozenset({"pt", "np", "tf", "flax", "mlx"})}


def looks_like(content: bytes) -> bool:
    """Return whether the first eight bytes count a JSON header that follows."""
    size = int.from_bytes(content[:8], "little")
    return 2 <= size <= min(len(content) - 8, _MAX_HEADER) and content[8:10] in (b'{"', b"{}")


def read(content: bytes, *, policy: Policy) -> Bundle:
    """Return the header's words; every byte must belong to one tensor, in order."""
    size = int.from_bytes(content[:8], "little")
    raw = content[8 : 8 + size]
    header = json_file.parse(raw.decode("utf-8", "replace").rstrip(" "))
    if not isinstance(header, dict):
        raise refuse(Code.BROKEN_FILE)
    seen: list[Finding] = [found(Code.MODEL_NEEDS_ATTACK_REPORT)]
    words: list[str] = []
    metadata = header.pop("__metadata__", {})
    if isinstance(metadata, dict):
        words += [f"{key} {value}" for key, value in metadata.items()]
        if any(value not in _PLAIN.get(key, frozenset()) for key, value in metadata.items()):
            seen.append(found(Code.HIDDEN_METADATA))
    else:
        seen.append(found(Code.HIDDEN_METADATA))
    words += list(header)
    if not all(_NAME.fullmatch(name) for name in header):
        seen.append(found(Code.HIDDEN_METADATA))
    end = _end(list(header.values()))
    if 8 + size + end < len(content):
        seen.append(found(Code.TRAILING_BYTES, offset=8 + size + end))
    elif 8 + size + end > len(content):
        raise refuse(Code.BROKEN_FILE)
    if (text := _PRINTED.search(content, 8 + size)) is not None:
        seen.append(found(Code.ENCODED_PAYLOAD, offset=text.start()))
    lines = tuple("\n".join(words).splitlines())
    return Bundle((Subject("header", Format.TEXT, Prose(lines), policy),), tuple(seen))


def _end(tensors: list[Value]) -> int:
    places = []
    for one in tensors:
        if not isinstance(one, dict) or set(one) != {"dtype", "shape", "data_offsets"}:
            raise refuse(Code.BROKEN_FILE)
        kind, shape, offsets = one["dtype"], one["shape"], one["data_offsets"]
        width = _SIZES.get(kind) or _BYTES.get(kind) if isinstance(kind, str) else None
        if width is None or not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
            raise refuse(Code.BROKEN_FILE)
        for length in shape:
            width *= length
        if offsets[1] - offsets[0] != width:
            raise refuse(Code.BROKEN_FILE)
        places.append((offsets[0], offsets[1]))
    at = 0
    for start, stop in sorted(places):
        if start != at:
            raise refuse(Code.BROKEN_FILE)  # bytes that no tensor owns, or that two own
        at = stop
    return at


def _whole(values: Value) -> bool:
    return (
        isinstance(values, list) and len(values) <= 8 and all(type(one) is int and 0 <= one < 2**40 for one in values)
    )
