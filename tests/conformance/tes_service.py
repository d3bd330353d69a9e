"""Asks TES as a run's gateway does: over the private socket, for a run whose decision stands."""

import os
import time
from collections.abc import Mapping
from typing import Any

import httpx
from site_of_tests import Site

from demo.people import PROJECT
from wes import catalogue

TASKS = "/ga4gh/tes/v1/tasks"
ENDED = {"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"}
PATIENCE = 60


class Service:
    """The identity that creates tasks, and one run of the researcher's that it creates them for."""

    def __init__(self, site: Site, *datasets: str) -> None:
        self.site, self.datasets = site, datasets
        self.vetted = catalogue.load(site.stage.settings, "variant-calling", "1.0.0")
        self.image = self.vetted.statement.images["genomics"]
        socket = os.fspath(site.stage.settings.sockets / "api.sock")
        self.http = httpx.Client(transport=httpx.HTTPTransport(uds=socket), base_url="http://tes", timeout=60)
        self.run = self.new_run()

    def new_run(self, *, person: str = "ruth@development") -> str:
        """Record a decision as WES does, without a run that an engine works on."""
        stage = self.site.stage
        return stage.decide("variant-calling", "1.0.0", person=person, project=PROJECT, datasets=self.datasets)

    def url(self, path: str) -> str:
        """Return the URL of a path of this run."""
        return f"strongroom://run/{self.run}{path}"

    def task(self, script: str = "true", **changes: Any) -> dict[str, Any]:
        """Return a small task."""
        return {"name": "small", "executors": [self.executor(script)], **changes}

    def executor(self, script: str, **changes: Any) -> dict[str, Any]:
        """Return an executor of this script."""
        return {"image": self.image, "command": ["bash", "-c", script], **changes}

    def asked(self, task: Any, *, key: str = "", run: str = "", coarse: bool = False) -> httpx.Response:
        """Send a task and return the answer, whatever it is."""
        headers = {"Strongroom-Run": run or self.run, "Strongroom-Coarse": "yes" if coarse else "no"}
        return self.http.post(TASKS, json=task, headers=headers | ({"Idempotency-Key": key} if key else {}))

    def create(self, task: Mapping[str, Any], **how: Any) -> str:
        """Create a task and return its id."""
        answer = self.asked(task, **how)
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"id"}
        return str(answer.json()["id"])

    def shown(self, task: str, view: str = "FULL") -> dict[str, Any]:
        """Return the task."""
        answer = self.http.get(f"{TASKS}/{task}", params={"view": view})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, task: str) -> dict[str, Any]:
        """Wait for a task's end and return it whole."""
        self.wait_for(task, *ENDED)
        return self.shown(task)

    def wait_for(self, task: str, *states: str) -> str:
        """Wait until a task is in one of these states and return it."""
        end = time.monotonic() + PATIENCE
        while (state := str(self.shown(task, "MINIMAL")["state"])) not in states:
            assert time.monotonic() < end, f"the task is {state}, not {states}"
            time.sleep(0.02)
        return state

    def done(self, script: str, **changes: Any) -> dict[str, Any]:
        """Run a small task to its end and return it whole."""
        return self.ended(self.create(self.task(script, **changes)))

    def cancel(self, task: str) -> httpx.Response:
        """Cancel a task."""
        return self.http.post(f"{TASKS}/{task}:cancel")


def only(ended: dict[str, Any]) -> dict[str, Any]:
    """Return the log of a task's one attempt."""
    (log,) = ended["logs"]
    found: dict[str, Any] = log
    return found


def reasons(ended: dict[str, Any]) -> str:
    """Return what the system says of a task."""
    return " ".join(only(ended)["system_logs"])
