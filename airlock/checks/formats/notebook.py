"""Reads a Jupyter notebook: code, words, outputs, and whatever is packed beside them."""

import base64
import binascii

from ..findings import Code, Finding, found, refuse
from ..subject import Bundle, Format, Nest, Prose, Subject
from ..thresholds import Policy
from . import json_file
from .json_file import Value

_PLAIN = frozenset({"text/plain", "text/markdown", "text/latex"})
_OPENED = {"text/html": "output.html", "image/svg+xml": "output.svg"}
_PACKED = {
    "image/png": "output.png",
    "image/jpeg": "output.jpg",
    "image/gif": "output.gif",
    "application/pdf": "a.pdf",
}
_TOP = frozenset({"cells", "metadata", "nbformat", "nbformat_minor"})
_LATER = 10  # than any version of the format
_CELL = frozenset({"cell_type", "execution_count", "metadata", "source", "outputs", "attachments"})
_OUTPUT = frozenset({"output_type", "execution_count", "text", "evalue", "traceback", "data"})
_KINDS = frozenset(
    {"code", "markdown", "raw", "stream", "display_data", "execute_result", "error", "update_display_data"}
)
_MAX_CELLS = 5000
_MOST_RUNS = 100_000


def is_notebook(value: Value) -> bool:
    """Return whether the JSON value is a notebook."""
    return isinstance(value, dict) and "nbformat" in value and isinstance(value.get("cells"), list)


def read(value: Value, *, policy: Policy, nest: Nest) -> Bundle:
    """Return each output as if it came alone, and all sources as text."""
    if len(value["cells"]) > _MAX_CELLS:
        raise refuse(Code.TOO_MANY_MEMBERS)
    members: list[Subject] = []
    seen: list[Finding] = []
    extra: list[Value] = [{key: one for key, one in value.items() if key not in _TOP or not _is_version(key, one)}]
    extra.append(value.get("metadata") or {})
    for number, cell in enumerate(value["cells"], start=1):
        if not isinstance(cell, dict):
            raise refuse(Code.BROKEN_FILE, row=number)
        members.append(_text(_joined(cell.get("source")), policy=policy))
        extra += [cell.get("metadata") or {}, _left(cell, _CELL)]
        for output in _list(cell.get("outputs")):
            extra.append(_left(output, _OUTPUT) if isinstance(output, dict) else {})
            members += _output(output, seen, number, policy=policy, nest=nest)
        attachments = cell.get("attachments")
        for bundle in attachments.values() if isinstance(attachments, dict) else ():
            seen.append(found(Code.EMBEDDED_FILE, row=number))
            members += _data(bundle, seen, number, policy=policy, nest=nest)
    for one in (one for one in extra if one):
        told = json_file.read(one, policy=policy)
        members += told.members
        seen += [one for one in told.seen if one.code is not Code.EMPTY]
    return Bundle(tuple(one for one in members if not _empty(one)), tuple(seen))


def _output(output: Value, seen: list[Finding], number: int, *, policy: Policy, nest: Nest) -> list[Subject]:
    if not isinstance(output, dict):
        raise refuse(Code.BROKEN_FILE, row=number)
    said = [_joined(output.get("text")), _joined(output.get("evalue")), _joined(output.get("traceback"))]
    members = [_text("\n".join(one for one in said if one), policy=policy)]
    return members + _data(output.get("data"), seen, number, policy=policy, nest=nest)


def _data(data: Value, seen: list[Finding], number: int, *, policy: Policy, nest: Nest) -> list[Subject]:
    members: list[Subject] = []
    for kind, value in data.items() if isinstance(data, dict) else ():
        if kind in _PLAIN:
            members.append(_text(_joined(value), policy=policy))
        elif kind in _OPENED:
            members.append(nest(_OPENED[kind], _joined(value).encode("utf-8", "replace")))
        elif kind in _PACKED:
            members.append(nest(_PACKED[kind], _unpacked(_joined(value), number)))
        elif kind.endswith("json"):
            told = json_file.read(value, policy=policy)
            members += told.members
            seen += [one for one in told.seen if one.code is not Code.EMPTY]
        elif "javascript" in kind:
            seen.append(found(Code.ACTIVE_CONTENT, row=number))
            members.append(_text(_joined(value), policy=policy))
        else:
            seen.append(found(Code.EMBEDDED_FILE, row=number))
    return members


def _left(value: dict[str, Value], known: frozenset[str]) -> dict[str, Value]:
    """Return what is read nowhere else: unknown keys, and known ones whose value is of another kind."""
    return {key: one for key, one in value.items() if key not in known or not _is_read(key, one)}


def _is_read(key: str, value: Value) -> bool:
    match key:
        case "metadata":
            return True  # of cells by itself, of outputs not among the known
        case "outputs":
            return isinstance(value, list)
        case "attachments":
            return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
        case "data":
            return isinstance(value, dict) and all(
                _is_words(one) or kind.endswith("json") for kind, one in value.items()
            )
        case "execution_count":
            return value is None or (type(value) is int and 0 <= value < _MOST_RUNS)
        case "cell_type" | "output_type":
            return value in _KINDS
        case _:
            return _is_words(value)


def _is_version(key: str, value: Value) -> bool:
    return key in ("cells", "metadata") or (type(value) is int and 0 <= value < _LATER)


def _is_words(value: Value) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _unpacked(text: str, number: int) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise refuse(Code.BROKEN_FILE, row=number) from None


def _joined(value: Value) -> str:
    if isinstance(value, list):
        return "".join(one for one in value if isinstance(one, str))
    return value if isinstance(value, str) else ""


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _text(words: str, *, policy: Policy) -> Subject:
    return Subject("cell", Format.TEXT, Prose(tuple(words.splitlines())), policy)


def _empty(member: Subject) -> bool:
    return isinstance(member.model, Prose) and not member.model.lines
