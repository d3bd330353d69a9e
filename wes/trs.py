"""Speaks GA4GH TRS 2.0.1 over HTTP: what may run here, for reading."""

import io
import zipfile
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import strongroom
from strongroom.errors import BadRequest, NotFound
from strongroom.http import signed_in, whoever
from wes import tools
from wes.trs_schemas import Error, FileWrapper, Tool, ToolClass, ToolFile, ToolVersion

PREFIX = tools.BASE
DEFAULT, MOST = 1000, 1000
_bearer = HTTPBearer(auto_error=False)
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Error, "description": "What is wrong, and what to do"},
    "5XX": {"model": Error, "description": "What failed; nothing was changed"},
}


def reader_asks(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Ask for a person who signed in, unless the settings open the catalogue to everyone."""
    if request.app.state.settings.trs.readers == "signed-in" or bearer is not None:
        signed_in(whoever(request, bearer))


router = APIRouter(prefix=PREFIX, responses=ERRORS, dependencies=[Depends(reader_asks)])
# What a service is, it says to all.
open_router = APIRouter(prefix=PREFIX, responses=ERRORS)


@open_router.get("/service-info")
def service_info(request: Request) -> dict[str, Any]:
    """Return `Service` (GET /service-info)."""
    return {
        "id": "org.strongroom.trs",
        "name": "Strongroom TRS",
        "type": {"group": "org.ga4gh", "artifact": "trs", "version": "2.0.1"},
        "description": "The vetted workflows that may run here.",
        "organization": {"name": "Strongroom", "url": request.app.state.settings.base_url},
        "version": strongroom.__version__,
    }


@router.get("/toolClasses")
def tool_classes() -> list[ToolClass]:
    """Return the one class (GET /toolClasses)."""
    return [tools.WORKFLOW]


@router.get("/tools")
def list_tools(
    request: Request,
    response: Response,
    id: str = "",
    alias: str = "",
    tool_class: Annotated[str, Query(alias="toolClass")] = "",
    descriptor_type: Annotated[str, Query(alias="descriptorType")] = "",
    registry: str = "",
    organization: str = "",
    name: str = "",
    toolname: str = "",
    description: str = "",
    author: str = "",
    checker: bool = False,
    offset: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = DEFAULT,
) -> list[Tool]:
    """List tools (GET /tools); pages by offset, as the headers say."""
    filters = tools.Filters(
        id, alias, tool_class, descriptor_type, registry, organization, name, toolname, description, author, checker
    )
    start = _start(offset)
    found = tools.tools(request.app.state.settings, filters)
    response.headers.update(_paging(request, start=start, limit=limit, total=len(found)))
    return found[start : start + limit]


@router.get("/tools/{id}")
def one_tool(request: Request, id: str) -> Tool:
    """Return a tool (GET /tools/{id})."""
    return tools.tool(request.app.state.settings, id)


@router.get("/tools/{id}/versions")
def versions(request: Request, id: str) -> list[ToolVersion]:
    """List a tool's versions (GET /tools/{id}/versions)."""
    return tools.tool(request.app.state.settings, id).versions


@router.get("/tools/{id}/versions/{version_id}")
def version(request: Request, id: str, version_id: str) -> ToolVersion:
    """Return a version (GET /tools/{id}/versions/{version_id})."""
    settings = request.app.state.settings
    return tools.version_of(settings, tools.vetted(settings, id, version_id))


@router.get("/tools/{id}/versions/{version_id}/containerfile", response_model_exclude_none=True)
def containerfile(request: Request, id: str, version_id: str) -> list[FileWrapper]:
    """Return the recipes of images that are in the workflow's folder (GET …/containerfile)."""
    settings = request.app.state.settings
    found = tools.vetted(settings, id, version_id)
    recipes = [one for one in tools.files(found) if one.told.file_type == "CONTAINERFILE"]
    if not recipes:
        raise NotFound("There are no container specifications for this tool.")
    return [tools.wrapped(settings, found, one) for one in recipes]


@router.get(
    "/tools/{id}/versions/{version_id}/{type}/descriptor",
    response_model=FileWrapper,
    response_model_exclude_none=True,
)
def descriptor(request: Request, id: str, version_id: str, type: str) -> Any:
    """Return the main file (GET …/{type}/descriptor)."""
    found = tools.vetted(request.app.state.settings, id, version_id)
    return _file(request, id, version_id, type, found.manifest.entry)


@router.get(
    "/tools/{id}/versions/{version_id}/{type}/descriptor/{relative_path:path}",
    response_model=FileWrapper,
    response_model_exclude_none=True,
)
def relative(request: Request, id: str, version_id: str, type: str, relative_path: str) -> Any:
    """Return any file of the version (GET …/{type}/descriptor/{relative_path})."""
    return _file(request, id, version_id, type, relative_path)


@router.get("/tools/{id}/versions/{version_id}/{type}/tests", response_model_exclude_none=True)
def tests(request: Request, id: str, version_id: str, type: str) -> list[FileWrapper]:
    """Return the test files, `tests/*.json` of the folder (GET …/{type}/tests)."""
    settings = request.app.state.settings
    found = tools.vetted(settings, id, version_id)
    tools.check_type(found, type)
    return [tools.wrapped(settings, found, one) for one in tools.files(found) if one.told.file_type == "TEST_FILE"]


@router.get("/tools/{id}/versions/{version_id}/{type}/files", response_model=list[ToolFile])
def files(
    request: Request,
    id: str,
    version_id: str,
    type: str,
    format: Literal["zip"] | None = None,
) -> Any:
    """List a version's files, or return them as a zip (GET …/{type}/files)."""
    found = tools.vetted(request.app.state.settings, id, version_id)
    tools.check_type(found, type)
    listed = tools.files(found)
    if format is None:
        return [one.told for one in listed]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in listed:
            archive.writestr(zipfile.ZipInfo(one.told.path), one.path.read_bytes())
    name = f'attachment; filename="{id}-{version_id}.zip"'
    return Response(packed.getvalue(), media_type="application/zip", headers={"Content-Disposition": name})


def _file(request: Request, name: str, number: str, kind: str, path: str) -> Any:
    settings = request.app.state.settings
    found = tools.vetted(settings, name, number)
    _, plain = tools.check_type(found, kind)
    one = tools.file(found, path)
    if plain:
        # Whatever it holds, a browser shows it as text and guesses nothing.
        headers = {"X-Content-Type-Options": "nosniff"}
        return PlainTextResponse(one.path.read_bytes(), headers=headers)
    return tools.wrapped(settings, found, one)


def _start(offset: str) -> int:
    if not offset:
        return 0
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 9):
        raise BadRequest("offset: the number of tools to leave out, as next_page has it.")
    return int(offset)


def _paging(request: Request, *, start: int, limit: int, total: int) -> dict[str, str]:
    """Return the headers that TRS names: where the pages are."""
    base = f"{request.app.state.settings.base_url}{PREFIX}/tools"
    asked = [(key, value) for key, value in request.query_params.multi_items() if key not in ("offset", "limit")]

    def page(at: int) -> str:
        return f"{base}?{urlencode([*asked, ('offset', str(at)), ('limit', str(limit))])}"

    headers = {"self_link": page(start), "current_offset": str(start), "current_limit": str(limit)}
    headers["last_page"] = page(max(total - 1, 0) // limit * limit)
    if start + limit < total:
        headers["next_page"] = page(start + limit)
    return headers
