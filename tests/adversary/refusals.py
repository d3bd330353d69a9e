"""Asks for runs as anybody could, and looks closely at how that is refused."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from hostile import events, rows
from site_of_tests import Site

from strongroom.cli.run import WES

# A workflow that could run: most attacks change one thing about it.
ONE_RULE = """
rule all:
    input: "done.txt"
rule one:
    output: "done.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "echo {config[label]} {config[count]} {config[mode]} > {output}"
"""
PARAMETERS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
        "share": {"type": "number", "default": 0.5},
        "mode": {"enum": ["quick", "full"], "default": "quick"},
        "label": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,20}$", "default": "plain"},
    },
}
INSIDE = re.compile(r"/(tmp|root|home|work|usr|var|opt|etc|proc|srv)\b|\.py\b|Traceback|sqlite")


def submit(site: Site, url: str, *, token: str = "", files: Any = None, **fields: Any) -> httpx.Response:
    """POST /runs as anybody could, and return the answer whatever it is."""
    form = {
        "workflow_url": url,
        "workflow_type": "SMK",
        "workflow_type_version": "9.27.1",
        "workflow_params": json.dumps({"inputs": {}}),
        "tags": json.dumps({"project": "cohort"}),
        **{name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()},
    }
    parts = [(name, (None, value)) for name, value in form.items() if value]
    bearer = {"Authorization": f"Bearer {token or site.cast.researcher}"}
    whole = f"{site.stage.settings.base_url}{WES}/runs"
    return httpx.post(whole, files=[*parts, *(files or [])], headers=bearer, timeout=30)


@contextmanager
def nothing_ran(site: Site) -> Iterator[None]:
    """Whatever is asked inside leaves no run, no decision, no task."""
    count = "select (select count(*) from runs), (select count(*) from decisions), (select count(*) from tasks)"
    before = rows(site, count)
    yield
    assert rows(site, count) == before


def refused(site: Site, ask: Callable[[], httpx.Response], status: int, *words: str) -> None:
    """Asking gives this answer: it says what is allowed, tells nothing of the inside, and is logged if forbidden."""
    before = len(events(site, "run.refused"))
    with nothing_ran(site):
        answer = ask()
    said = answer.json()
    assert (answer.status_code, said["status_code"]) == (status, status), said
    assert [word for word in words if word not in said["msg"]] == [], said
    assert not INSIDE.search(said["msg"])
    assert str(site.stage.home) not in answer.text
    assert len(events(site, "run.refused")) == before + (status == 403)
