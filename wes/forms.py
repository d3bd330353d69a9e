"""Reads what POST /runs was sent, as a form or as JSON, field by field; what is wrong is named."""

import json
from collections.abc import Iterable
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from strongroom.bodies import expect
from strongroom.errors import BadRequest
from wes.schemas import Form

JSON_FIELDS = ("workflow_params", "tags", "workflow_engine_parameters")
TEXT_FIELDS = ("workflow_type", "workflow_type_version", "workflow_url", "workflow_engine", "workflow_engine_version")
REQUIRED = ("workflow_type", "workflow_type_version", "workflow_url")
MOST_BYTES = 4 << 20
MOST_FIELDS = 64
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
# WES 1.1 has fields of JSON and of text side by side in a form; the route reads it field by field.
_TEXT: dict[str, Any] = {name: {"type": "string", "pattern": r"^[^\u0000]*$"} for name in TEXT_FIELDS}
_FORM = _TEXT | {name: {"type": "string"} for name in JSON_FIELDS}
_JSON = _TEXT | {name: {"type": "object"} for name in JSON_FIELDS}
_SCHEMAS = {"multipart/form-data": _FORM, "application/json": _JSON}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "object", "properties": properties, "required": list(REQUIRED)}}
            for kind, properties in _SCHEMAS.items()
        },
    }
}


async def read(request: Request) -> Form:
    """Return the fields of a request to run something; raise `BadRequest` with the field named."""
    expect(request, most=MOST_BYTES)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in FORMS:
        try:
            # No files: what comes with a file's name is refused before any of it lies on a disk (T30).
            async with request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=MOST_BYTES) as form:
                return _form([(name, _of_form(name, value)) for name, value in form.multi_items()])
        except HTTPException as error:
            raise _attached() if "files" in error.detail else BadRequest(f"The form: {error.detail}") from error
    if kind == "application/json":
        return _form(_of_json(await request.body()))
    raise BadRequest("Content-Type: POST /runs takes multipart/form-data (WES 1.1), or application/json.")


def _form(fields: Iterable[tuple[str, Any]]) -> Form:
    values: dict[str, Any] = {}
    for name, value in fields:
        if name not in JSON_FIELDS and name not in TEXT_FIELDS:
            raise BadRequest(f"{name[:60]!r} is not a field of POST /runs.")
        if name in values:
            raise BadRequest(f"{name}: given twice.")
        values[name] = value
    if missing := [name for name in REQUIRED if not values.get(name)]:
        raise BadRequest(f"{', '.join(missing)}: required.")
    return Form(**{name: value for name, value in values.items() if value not in ("", None)})


def _of_form(name: str, value: UploadFile | str) -> Any:
    if name == "workflow_attachment" or isinstance(value, UploadFile):
        raise _attached()
    return _object(name, _parsed(name, value) if value else {}) if name in JSON_FIELDS else _text(name, value)


def _of_json(body: bytes) -> list[tuple[str, Any]]:
    found = []
    for name, value in _object("The body", _parsed("The body", body)).items():
        if name == "workflow_attachment":
            raise _attached()
        if value is not None:
            found.append((name, _object(name, value) if name in JSON_FIELDS else _text(name, value)))
    return found


def _attached() -> BadRequest:
    return BadRequest("workflow_attachment: not accepted; only vetted workflows run, with files of datasets.")


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise BadRequest(f"{name[:60]}: a string was expected.")
    return value


def _parsed(name: str, text: str | bytes) -> Any:
    try:
        parsed = json.loads(text)
        # Python reads NaN, infinities and lone surrogates, which nothing after this could write again.
        whole = json.dumps(parsed, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name}: a JSON object was expected.") from error
    if rb"\u0000" in whole:
        raise BadRequest(f"{name}: no NUL characters, please.")
    return parsed


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{name}: a JSON object was expected.")
    return value
