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
_METADATA = frozenset({"kernelspec", "language_info", "toc", "colab", "orig_nbformat"})
_MAX_CELLS = 5000


def is_notebook(value: Value) -> bool:
    """Return whether the JSON value is a notebook."""
    return isinstance(value, dict) and "nbformat" in value and isinstance(value.get("cells"), list)


def read(value: Value, *, policy: Policy, nest: Nest) -> Bundle:
    """Return each output as if it came alone, and all sources as text."""
    if len(value["cells"]) > _MAX_CELLS:
        raise refuse(Code.TOO_MANY_MEMBERS)
    members: list[Subject] = []
    seen: list[Finding] = []
    extra: list[Value] = [{key: one for key, one in value.items() if key not in ("cells", "metadata")}]
    top = value.get("metadata")
    if isinstance(top, dict):
        extra.append({key: one for key, one in top.items() if key not in _METADATA})
    for number, cell in enumerate(value["cells"], start=1):
        if not isinstance(cell, dict):
            raise refuse(Code.BROKEN_FILE, row=number)
        members.append(_text(_joined(cell.get("source")), policy=policy))
        extra.append(cell.get("metadata") or {})
        for output in _list(cell.get("outputs")):
            members += _output(output, seen, number, policy=policy, nest=nest)
        attachments = cell.get("attachments")
        for bundle in attachments.values() if isinstance(attachments, dict) else ():
            seen.append(found(Code.EMBEDDED_FILE, row=number))
            members += _data(bundle, seen, number, policy=policy, nest=nest)
    extra = [one for one in extra if one]
    if len(extra) > 1:
        told = json_file.read(extra, policy=policy)
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
