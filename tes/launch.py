"""Writes the spec of one attempt: the only thing that a sandbox is told."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive.bodies import BodyFacts
from sandbox.fields import WORK
from sandbox.images import Image, Store
from strongroom.errors import NotFound
from strongroom.settings import Settings
from tes.admission import GIB, STREAMS

# The image of the checks brings pypdf, PDFium and pyarrow in /opt/strongroom; -I lets no variable say so.
INTERPRETER = "import sys; sys.path[:0] = ['/run/checks', '/opt/strongroom']; from checks.jail import main; main()"


@dataclass(frozen=True)
class Place:
    """Where an attempt runs: its kernel uid, its images by digest, and the folders mounted read-only.

    `sensitivity` is the highest of the datasets that its run may use.
    """

    uid: int
    sensitivity: str
    images: Mapping[str, Image]
    code: Mapping[str, Path]

    @property
    def first(self) -> Image:
        """The image of the first executor."""
        return next(iter(self.images.values()))


@dataclass(frozen=True)
class Keys:
    """Where the broker is, and the key that its grants are verified with.

    `store` is where URLs of bodies are asked for; None where bodies lie in a folder. `outside` is where places of
    inputs of other sites are.
    """

    socket: Path
    public_key: str
    store: Path | None = None
    outside: Path | None = None


def store_of(settings: Settings) -> Store:
    """Return where images lie, and what each of them held."""
    return Store(settings.images_folder, settings.image_trees)


def task_spec(
    plan: Mapping[str, Any],
    *,
    attempt: str,
    facts: Mapping[str, BodyFacts],
    place: Place,
    keys: Keys,
    settings: Settings,
) -> bytes:
    """Return the bytes of spec.json for a task's plan."""
    limits = {
        "memory_bytes": plan["memory"],
        "cpu_cores": plan["cores"],
        "scratch_bytes": plan["scratch"],
        "wall_seconds": plan["seconds"],
    }
    executors = [_executor(one, place.images[one["image"]]) for one in plan["executors"]]
    return _spec(
        kind="task",
        attempt=attempt,
        inputs=[
            _outside_input(n, given)
            if "outside" in given
            else _task_input(given, facts, whole=_read_whole(place, settings))
            for n, given in enumerate(plan["inputs"])
        ],
        **_asked_outside(plan, keys),
        outputs=plan["outputs"],
        volumes=plan.get("volumes", []),
        executors=executors,
        limits=limits,
        answer=None,
        loopback=settings.tes.loopback,
        scratch=_scratch(plan, settings),
        writable_root=plan.get("writable_root", False),
        place=place,
        keys=keys,
        settings=settings,
    )


def inspection_spec(
    asked: Mapping[str, Any],
    *,
    attempt: str,
    facts: Mapping[str, BodyFacts],
    place: Place,
    keys: Keys,
    settings: Settings,
) -> bytes:
    """Return the bytes of spec.json for a check, a clean copy or a view (decision 14)."""
    supporting = {name: f"{WORK}/supporting/{name}" for name in asked["supporting"]}
    request = {**asked["request"], "kind": asked["kind"], "file": f"{WORK}/subject", "supporting": supporting}
    inputs = [
        _input({"path": f"{WORK}/subject", "object": asked["object"]}, facts),
        *(
            _input({"path": supporting[name], "object": identifier}, facts)
            for name, identifier in asked["supporting"].items()
        ),
        {
            "path": f"{WORK}/request.json",
            "content": base64.b64encode(json.dumps(request).encode()).decode(),
            "mtime": 0,
        },
    ]
    memory = int(settings.airlock.check_memory_gb * GIB)
    size = sum(f.size for f in facts.values())
    return _spec(
        kind=asked["kind"],
        attempt=attempt,
        inputs=inputs,
        outputs=[{"path": f"{WORK}/clean", "type": "FILE"}] if asked["kind"] == "repack" else [],
        executors=[
            {
                "command": ["/usr/bin/python3", "-I", "-B", "-c", INTERPRETER],
                "workdir": WORK,
                "env": dict(place.first.record.env),
                "stdin": None,
                "stdout": None,
                "stderr": None,
            }
        ],
        limits={
            "memory_bytes": memory,
            "cpu_cores": 1,
            "scratch_bytes": max(64 << 20, 4 * size),
            "wall_seconds": settings.airlock.check_seconds,
        },
        answer=f"{WORK}/answer.json",
        place=place,
        keys=keys,
        settings=settings,
    )


def _spec(*, limits: dict[str, Any], place: Place, keys: Keys, settings: Settings, **parts: Any) -> bytes:
    spec = {
        "version": 1,
        **parts,
        "rootfs": str(place.first.rootfs),
        "trees": {str(image.rootfs): image.tree for image in place.images.values()},
        "uid": place.uid,
        "walls": settings.tes.walls if place.sensitivity == "standard" else settings.tes.walls_of_high,
        "code_mounts": [{"source": str(source), "path": path} for path, source in place.code.items()],
        "limits": {
            **limits,
            "pids": 512,
            "output_bytes": limits["scratch_bytes"],
            "output_files": settings.tes.output_files,
            "log_bytes": settings.tes.log_bytes,
            "stage_bytes": settings.tes.stage_bytes,
        },
        **_bodies(keys, settings),
        "keys": {"type": "broker", "socket": str(keys.socket), "broker_public_key": keys.public_key},
    }
    return json.dumps(spec, separators=(",", ":"), sort_keys=True).encode()


def _executor(planned: Mapping[str, Any], image: Image) -> dict[str, Any]:
    return {
        "command": planned["command"],
        "workdir": planned["workdir"] or image.record.workdir or WORK,
        "env": {**image.record.env, **planned["env"]},
        "ignore_error": planned.get("ignore_error", False),
        "rootfs": str(image.rootfs),
        **{stream: planned[stream] for stream in STREAMS},
    }


def _bodies(keys: Keys, settings: Settings) -> dict[str, Any]:
    if keys.store is None:
        return {"bodies": str(settings.home / "objects")}
    return {"store": {"socket": str(keys.store)}}


def _scratch(plan: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    if not plan.get("scratch_on_disk"):
        return {"driver": "tmpfs"}
    return {"driver": settings.tes.scratch_driver, "folder": str(settings.scratch)}


def _read_whole(place: Place, settings: Settings) -> bool:
    return place.sensitivity != "standard" or settings.tes.read_whole  # T32


def _asked_outside(plan: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    needed = any("outside" in given for given in plan["inputs"])
    return {"outside": {"socket": str(keys.outside)}} if needed else {}


def _outside_input(number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    # Not its URL: a spec is kept, and a URL may hold a right.
    return {"path": given["path"], "outside": number, "most": given["most"], "mtime": 0}


def _task_input(given: Mapping[str, Any], facts: Mapping[str, BodyFacts], *, whole: bool) -> dict[str, Any]:
    found = _input(given, facts)
    if whole and "object" in found:
        found["read_whole"] = True
    return found


def _input(given: Mapping[str, Any], facts: Mapping[str, BodyFacts]) -> dict[str, Any]:
    if "content" in given:
        return {"path": given["path"], "content": given["content"], "mtime": 0}
    found = facts.get(given["object"])
    if found is None:
        raise NotFound("An input of this task is gone.")
    return {
        "path": given["path"],
        "object": given["object"],
        **({} if found.path is None else {"body": str(found.path)}),
        "size": found.size,
        "segments": found.segments,
        "body_length": found.body_length,
        "body_sha256": found.body_sha256,
        "mtime": int(found.created.timestamp()),
    }
