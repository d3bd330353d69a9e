"""Brings files in over the airlock's API, up to the votes of two stewards."""

import hashlib
import secrets
from typing import Any

from airlock_scene import API, PROJECT, Scene

from archive.store import DatasetFile, DatasetProject, StoredObject
from strongroom.database import now, reading, transaction

NAME = f"{PROJECT}-genes"
PLAIN = secrets.token_bytes(300)


def opened(stage: Scene, *, name: str = NAME, by: str = "ruth") -> Any:
    return stage.ask(by).post(f"{API}/ingress", {"project": PROJECT, "dataset": name, "title": "Genes"})


def waits(stage: Scene, ingress: str) -> str:
    """Put an object into quarantine, as upload and broker do; return its id."""
    made = secrets.token_hex(16)
    stage.inspector.store.put(made, iter([PLAIN]))
    empty: dict[str, Any] = {"persons": [], "ancestors": [], "version": 1, "key_version": 1, "policy_version": 1}
    with transaction(stage.engine) as session:
        session.add(
            StoredObject(
                id=made,
                purpose="quarantine",
                owner=ingress,
                project=PROJECT,
                run=ingress,
                kind="upload",
                role="output",
                size=272,
                plaintext_hmac="",
                body_length=300,
                body_sha256=hashlib.sha256(PLAIN).hexdigest(),
                segments=1,
                header=b"",
                header_sha256="",
                signature=b"",
                created=now(),
                **empty,
            )
        )
    return made


def bring(stage: Scene, ingress: str, *, name: str = "genes.tsv", by: str = "ruth", made: str = "") -> Any:
    body = {"object": made or waits(stage, ingress), "name": name, "declared": "table"}
    return stage.ask(by).post(f"{API}/ingress/{ingress}/files", body)


def requested(stage: Scene, *names: str) -> dict[str, Any]:
    """Bring files in and ask for them; return the request after its scan."""
    ingress = opened(stage).json()["id"]
    for name in names or ("genes.tsv",):
        assert bring(stage, ingress, name=name).status_code == 201
    stage.work()
    made: dict[str, Any] = stage.ask("ruth").post(f"{API}/requests", {"run": ingress, "purpose": "A panel."}).json()
    return made


def submitted(stage: Scene, *names: str) -> dict[str, Any]:
    made = requested(stage, *names)
    done = stage.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {})
    assert done.status_code == 200, done.text
    found: dict[str, Any] = done.json()
    return found


def approved(stage: Scene, *names: str, outcome: str = "approve", **no: str) -> dict[str, Any]:
    request = submitted(stage, *names)
    for name in ("sam", "sina"):
        assert stage.vote(name, request, **no).status_code == 200
    done = stage.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": outcome})
    assert done.status_code == 200, done.text
    stage.work()
    found: dict[str, Any] = stage.ask("ruth").get(f"{API}/requests/{request['id']}").json()
    return found


def shared(stage: Scene) -> list[str]:
    """Return the projects that may use the dataset now."""
    with reading(stage.engine) as session:
        rows = session.query(DatasetProject).where(DatasetProject.dataset == NAME, DatasetProject.until.is_(None))
        return [row.project for row in rows]


def named(stage: Scene) -> dict[str, str]:
    with reading(stage.engine) as session:
        return {row.name: row.object for row in session.query(DatasetFile).where(DatasetFile.dataset == NAME)}
