"""Decides which files a task may name: where its inputs come from, where its outputs go, and what its volumes are."""

import base64
import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any

from sandbox.fields import TAKEN, WORK, SpecError, check_path, is_below
from sandbox.patterns import has_wildcards
from strongroom.errors import BadRequest
from tes.schemas import Input, Output

MOST_CONTENT = 1 << 20
MOST_FILES = 20_000
MOST_VOLUMES = 16
_OBJECT = re.compile(r"strongroom://object/([0-9a-f]{32})")
_BELOW = re.compile(r"strongroom://(run|dataset)/([A-Za-z0-9][A-Za-z0-9._-]{0,63})((?:/[^\x00-\x1f\x7f]*)?)")


def url_of(run: str, path: str) -> str:
    """Return the URL of what a task of this run left at `path`: the same path in the run."""
    return f"strongroom://run/{run}{path.removeprefix(WORK)}"


def volumes(asked: Sequence[str]) -> list[str]:
    """Return the volumes that are asked for, without a slash at their ends."""
    found = [plain_path(path.removesuffix("/"), f"volumes[{n}]") for n, path in enumerate(asked)]
    if len(found) > MOST_VOLUMES:
        raise BadRequest(f"volumes: at most {MOST_VOLUMES} are possible.")
    for n, path in enumerate(found):
        if any(is_below(path, taken) for taken in TAKEN):
            raise BadRequest(f"volumes[{n}]: not in {', '.join(TAKEN)}; what lies in {WORK} is shared already.")
        if any(is_below(path, other) for m, other in enumerate(found) if m != n):
            raise BadRequest(f"volumes[{n}]: named twice, or below another.")
    return found


def plain_path(path: str, field: str) -> str:
    """Return `path` if it is absolute and says plainly where it leads."""
    try:
        check_path(path, field)
    except SpecError as error:
        raise BadRequest(str(error)) from error
    return path


def task_path(path: str, field: str, folders: Collection[str] = (WORK,)) -> str:
    """Return `path` if it is a plain absolute path at or below one of these folders of a task."""
    if not any(is_below(plain_path(path, field), folder) for folder in folders):
        raise BadRequest(f"{field}: a path in {WORK}" + (" or in a volume." if len(folders) > 1 else "."))
    return path


def inputs(asked: Sequence[Input], run: str) -> list[dict[str, Any]]:
    """Return where each input comes from; what a URL leads to is looked up when the task starts."""
    return [_input(f"inputs[{n}]", given, run) for n, given in enumerate(asked)]


def outputs(asked: Sequence[Output], run: str, *, folders: Collection[str]) -> list[dict[str, Any]]:
    """Return what is taken when the task has ended."""
    return [_output(f"outputs[{n}]", wanted, run, folders) for n, wanted in enumerate(asked)]


def check_together(given: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]], run: str) -> None:
    """Raise unless these inputs and outputs can stand side by side."""
    named = [*given, *wanted]
    if len(named) > MOST_FILES:
        raise BadRequest(f"inputs and outputs: at most {MOST_FILES} together.")
    places = [url_of(run, one["path"]) for one in named]
    if len(set(places)) != len(places):
        raise BadRequest("inputs and outputs: each path may be named once.")
    files = {one["path"] for one in named if one.get("type") != "DIRECTORY" and not one.get("wildcards")}
    for kind, ones in (("inputs", given), ("outputs", wanted)):
        for n, one in enumerate(ones):
            if any(str(parent) in files for parent in PurePosixPath(one["path"]).parents):
                raise BadRequest(f"{kind}[{n}].path: it lies below a file.")


def _input(where: str, given: Input, run: str) -> dict[str, Any]:
    path = _file_path(given.path, given.type, f"{where}.path", (WORK,))
    if given.content or (given.content is not None and not given.url):
        # TES 1.1: if content is not empty, url is ignored.
        if given.type == "DIRECTORY":
            raise BadRequest(f"{where}.type: content is a FILE.")
        raw = given.content.encode()
        if len(raw) > MOST_CONTENT:
            raise BadRequest(f"{where}.content: at most {MOST_CONTENT} bytes.")
        return {"path": path, "content": base64.b64encode(raw).decode()}
    url = given.url or ""
    if (found := _OBJECT.fullmatch(url)) is not None:
        if given.type == "DIRECTORY":
            raise BadRequest(f"{where}.type: an object is a FILE.")
        return {"path": path, "object": found[1]}
    found = _BELOW.fullmatch(url)
    if found is None:
        raise BadRequest(
            f"{where}.url: strongroom://object/<id>, strongroom://run/<run>/<path> or "
            "strongroom://dataset/<dataset>/<name>; or give content."
        )
    if found[1] == "run" and found[2] != run:
        raise BadRequest(f"{where}.url: a task reads files of its own run.")
    name = found[3].removesuffix("/") if given.type == "DIRECTORY" else found[3]
    if name or given.type == "FILE":
        plain_path(name, f"{where}.url")
    return {"path": path, "type": given.type, "of": found[1], "owner": found[2], "name": name.removeprefix("/")}


def _output(where: str, wanted: Output, run: str, folders: Collection[str]) -> dict[str, Any]:
    path = _file_path(wanted.path, wanted.type, f"{where}.path", folders)
    if not has_wildcards(path):
        _check_url(f"{where}.url", wanted, url_of(run, path))
        return {"path": path, "type": wanted.type}
    if "\\" in path:
        raise BadRequest(f"{where}.path: no backslash; what it would quote is in no name that is taken.")
    if not wanted.path_prefix:
        raise BadRequest(f"{where}.path_prefix: required, because the path has wildcards.")
    prefix = task_path(wanted.path_prefix.removesuffix("/"), f"{where}.path_prefix", folders)
    if has_wildcards(prefix) or not path.startswith(f"{prefix}/"):
        raise BadRequest(f"{where}.path_prefix: a folder above everything that the path can match.")
    _check_url(f"{where}.url", wanted, url_of(run, prefix))
    return {"path": path, "type": wanted.type, "wildcards": True}


def _check_url(field: str, wanted: Output, url: str) -> None:
    if wanted.url not in (url, f"{url}/") or (wanted.url != url and wanted.type == "FILE" and not wanted.path_prefix):
        raise BadRequest(f"{field}: outputs of a task stay in its own run, under their own path.")


def _file_path(path: str, kind: str, field: str, folders: Collection[str]) -> str:
    plain = task_path(path.removesuffix("/") if kind == "DIRECTORY" else path, field, folders)
    if plain == WORK or (plain in folders and kind == "FILE"):
        raise BadRequest(f"{field}: a path below {WORK}.")
    return plain
