"""Asks the inspection door for a clean copy, a check, a view or members, each in its own sandbox (decision 14)."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airlock import answers
from airlock.answers import Answer, InspectionFailed
from strongroom.doors import ask
from strongroom.errors import NotFound
from strongroom.objects import ObjectStore, open_store
from strongroom.settings import Settings

MOST_BESIDE = 15  # tables and JSON of the same run that one check compares with
_MOST_FILES = 20  # beside the subject, as the jail takes them
WINDOW = 200  # rows that a page shows at once
MOST_ROWS = 2000  # that one view draws, as the jail has it
PATIENCE = 60  # seconds beyond the life of a check that the door may take to find a place for it
Kind = Literal["repack", "check", "view", "members"]


@dataclass(frozen=True)
class Inspection:
    """One question about one object: who asks in whose decision, and by what promise and policy."""

    kind: Kind
    run: str
    project: str
    person: str
    object: str
    name: str
    promise: Mapping[str, Any]
    policy: Mapping[str, Any]
    supporting: Mapping[str, str]  # path in the contract's `needs` -> object of its clean copy
    beside: tuple[str, ...] = ()  # objects of the clean copies of other tables and JSON of the run
    people: Mapping[str, str] | None = None  # for `members` alone: hashes of those whom the list may name
    fixes: tuple[Mapping[str, Any], ...] = ()  # what a repack does to a table
    rows: tuple[int, int] = (1, WINDOW)  # the first row that a view draws, and how many it draws at most
    page: int | None = None  # of the PDFs in the file, for a view of that page alone


@dataclass(frozen=True)
class CleanCopy:
    """Our own re-serialisation of an output, sealed to the airlock's key with a fresh data key."""

    object: str
    size: int
    body_sha256: str


def inspect(inspection: Inspection, settings: Settings) -> Answer:
    """Return the parsed answer; raise `InspectionFailed` if there is none to believe."""
    return answers.parse_answer(_report(inspection, settings), kind=inspection.kind)


def repack(inspection: Inspection, settings: Settings) -> tuple[Answer, CleanCopy | None]:
    """Return the answer and the clean copy, if one could be made."""
    report = _report(inspection, settings)
    answer = answers.parse_answer(report, kind="repack")
    if not answer.clean:
        return answer, None
    made, size = answers.clean_copy(report)
    return answer, CleanCopy(made, size, body_digest(open_store(settings), made)[0])


def body_digest(store: ObjectStore, object_id: str) -> tuple[str, int]:
    """Return SHA-256 (hex) and length of a sealed body; a body that is gone cannot be inspected or released."""
    seen, length = hashlib.sha256(), 0
    try:
        for piece in store.read(object_id):
            seen.update(piece)
            length += len(piece)
    except NotFound as error:
        raise InspectionFailed("The inspection did not finish.", detail="a body is gone") from error
    return seen.hexdigest(), length


def _report(inspection: Inspection, settings: Settings) -> dict[str, Any]:
    # The door takes plain names; the promise is told the same ones.
    names = {path: f"needed-{n}{_suffix(path)}" for n, path in enumerate(inspection.promise.get("needs", ()))}
    promise = dict(inspection.promise) | ({"needs": list(names.values())} if names else {})
    message = {
        "verb": "inspect",
        "kind": inspection.kind,
        "inspection": uuid.uuid4().hex,
        "decision": inspection.run,
        "project": inspection.project,
        "person": inspection.person,
        "object": inspection.object,
        "supporting": {names[path]: made for path, made in inspection.supporting.items()}
        | {f"beside-{n}.csv": made for n, made in enumerate(inspection.beside[: _MOST_FILES - len(names)])},
        "request": {
            "name": inspection.name,
            "rule": promise if inspection.promise else None,
            "policy": dict(inspection.policy),
            **({"people": dict(inspection.people)} if inspection.people is not None else {}),
            **({"fixes": [dict(one) for one in inspection.fixes]} if inspection.fixes else {}),
            **({"rows": list(inspection.rows)} if inspection.kind == "view" else {}),
            **({"page": inspection.page} if inspection.page is not None else {}),
        },
    }
    return ask(settings.sockets / "inspect.sock", message, timeout=settings.airlock.check_seconds + PATIENCE)


def _suffix(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    suffix = name[name.find(".") :] if "." in name else ""
    return suffix if suffix.replace(".", "").isalnum() and len(suffix) <= 20 else ""
