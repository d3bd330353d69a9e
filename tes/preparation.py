"""Makes of a queued task an attempt that a backend can start: its spec, its order, its place."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import orm

from archive import bodies, decisions
from archive.decisions import Decision
from sandbox import images
from sandbox.spec import spec_digest
from strongroom.errors import NotAllowed
from strongroom.folders import folder_digest
from strongroom.settings import Settings
from tes.admission import images_of
from tes.backends import Launch
from tes.launch import Keys, Place, store_of, task_spec
from tes.node import Size
from tes.resolution import resolved


@dataclass(frozen=True)
class Prepared:
    """An attempt that can be started, for the task of this id; nothing is written down yet."""

    task: str
    launch: Launch
    spec_sha256: str
    uid: int
    size: Size


class Preparation:
    """Prepares attempts in one reading transaction; what tasks of one run share is found once."""

    def __init__(self, session: orm.Session, settings: Settings, keys: Keys) -> None:
        self._session, self._settings, self._keys = session, settings, keys
        self._store = store_of(settings)
        self._runs: dict[str, tuple[Decision, str, Path]] = {}

    def of(self, task: str, run: str, plan: dict[str, Any], *, uid: int) -> Prepared:
        """Return an attempt at the task; raises a `StrongroomError` or an `ImageError` if there can be none."""
        if run not in self._runs:
            self._runs[run] = self._shared(run)
        decision, sensitivity, workflow = self._runs[run]
        plan = {**plan, "inputs": resolved(self._session, plan["inputs"], decision)}
        objects, needed = [i["object"] for i in plan["inputs"] if "object" in i], images_of(plan)
        place = Place(
            uid=uid,
            sensitivity=sensitivity,
            images={image: images.open_image(self._store, image) for image in needed},
            code={"/run/workflow": workflow},
        )
        attempt = uuid.uuid4().hex
        facts = bodies.facts_of(self._session, objects, self._settings)
        spec = task_spec(plan, attempt=attempt, facts=facts, place=place, keys=self._keys, settings=self._settings)
        order = {
            "kind": "task",
            "decision": run,
            "project": decision.project,
            "person": decision.person,
            "objects": objects,
            "images": needed,
        }
        return Prepared(task, Launch(attempt, spec, order, plan), spec_digest(spec), uid, Size.of(plan))

    def _shared(self, run: str) -> tuple[Decision, str, Path]:
        decision = decisions.open_decision(self._session, run)
        sensitivity = decisions.sensitivity(self._session, decision)
        return decision, sensitivity, self._workflow(decision.workflow_digest)

    def _workflow(self, digest: str) -> Path:
        folder = self._settings.home / "catalogue" / "content" / digest.removeprefix("sha256:")
        if folder_digest(folder) != digest:  # T23: verified at each use
            raise NotAllowed("The workflow's stored files are not the ones that were signed.")
        return folder
