"""Speaks HTTP of the workflows that may run: what they take, as JSON Schema (asked for in WES issue 223)."""

from typing import Any

from fastapi import APIRouter, Request

from strongroom.http import SignedIn
from wes import catalogue
from wes.options import OPTIONS
from wes.parameters import form_of
from wes.vetting import NotVetted, parse_url
from wes.views import PREFIX

router = APIRouter(prefix=PREFIX)


@router.get("/workflows")
def list_workflows(request: Request, _: SignedIn) -> dict[str, Any]:
    """List the workflows that may run; not part of WES 1.1."""
    settings, found = request.app.state.settings, []
    for one in catalogue.listed(settings):
        try:
            manifest = catalogue.load(settings, one.name, one.version).manifest
        except NotVetted:
            continue  # waits for signatures, or is a task profile
        found.append({"workflow_url": f"{one.name}/{one.version}", "title": manifest.title})
    return {"workflows": found}


@router.get("/workflows/{name}/{version}")
def get_workflow(request: Request, _: SignedIn, name: str, version: str) -> dict[str, Any]:
    """Return what a vetted workflow takes: `workflow_params` as JSON Schema, engine parameters, outputs."""
    parsed = parse_url(f"{name}/{version}", hosts=frozenset())
    manifest = catalogue.load(request.app.state.settings, *parsed).manifest
    options = [option.name for option in OPTIONS.get(manifest.engine, ())]
    return {
        "workflow_url": f"{name}/{version}",
        "title": manifest.title,
        "workflow_engine": manifest.engine,
        "workflow_engine_version": manifest.engine_version,
        "workflow_params": form_of(manifest.parameters, manifest.slots),
        "workflow_engine_parameters": options,
        "until": list(manifest.until),
        "targets": list(manifest.asked_targets),
        "outputs": [{"match": rule.match, "release": rule.release.value} for rule in manifest.contract.rules],
    }
