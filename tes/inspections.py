"""Serves the airlock's door: one sandbox for each check, clean copy or view, answered in memory (decision 14)."""

import re
import secrets
import threading
import uuid
from pathlib import Path
from typing import Any

from archive import bodies, decisions
from sandbox import images
from strongroom.database import reading
from strongroom.doors import Caller, Message, listen
from strongroom.doors import serve as serve_door
from strongroom.errors import BadRequest, Unavailable
from tes.backends import Launch, Tell
from tes.dispatcher import Dispatcher
from tes.launch import Place, inspection_spec, store_of
from tes.reports import Report

KINDS = frozenset({"repack", "check", "view", "members"})
_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
PATIENCE = 30


def serve(dispatcher: Dispatcher) -> None:
    """Answer the airlock for ever."""
    settings = dispatcher.settings
    door = listen(settings.sockets / "inspect.sock")
    slots = threading.BoundedSemaphore(max(1, int(settings.tes.cores)))

    def answer(message: Message, _caller: Caller) -> Message:
        with slots:
            return inspect(dispatcher, message)

    serve_door(door, allowed={0, settings.uids.services}, answer=answer)


def inspect(dispatcher: Dispatcher, asked: Message) -> Message:
    """Run one inspection to its end and return what its sandbox reported."""
    check_asked(asked)
    settings = dispatcher.settings
    objects = [asked["object"], *asked["supporting"].values()]
    with reading(dispatcher.engine) as session:
        facts = bodies.facts_of(session, objects, settings)
        sensitivity = decisions.sensitivity_of_run(session, asked["decision"])
        people = asked["request"].get("people")  # whom a list of members may name, as the broker told the airlock
        if asked["kind"] != "members":
            people = decisions.people_of_run(session, asked["decision"], key=secrets.token_bytes(32))
    asked = {**asked, "request": {**asked["request"], "people": people}}
    image = bodies.checks_image(settings)
    uid = dispatcher.node.take(0, 0)
    if uid is None:
        raise Unavailable("This node is full; try again in a moment.")
    attempt = uuid.uuid4().hex
    place = Place(
        uid=uid,
        sensitivity=sensitivity,
        images={image: images.open_image(store_of(settings), image)},
        code={"/run/checks/checks": Path(settings.airlock.checks)},
    )
    spec = inspection_spec(asked, attempt=attempt, facts=facts, place=place, keys=dispatcher.keys, settings=settings)
    order = {key: asked[key] for key in ("kind", "decision", "project", "person")}
    done, box = threading.Event(), list[Report]()

    def ended(report: Report) -> None:
        box.append(report)
        done.set()

    try:
        dispatcher.backend.submit(
            Launch(attempt, spec, {**order, "objects": objects, "images": [image]}, {}),
            Tell(started=lambda: None, ended=ended),
        )
        done.wait(settings.airlock.check_seconds + PATIENCE)
    finally:
        dispatcher.node.give_back(0, 0, 0, uid)
    if not box:
        dispatcher.backend.cancel(attempt)
        raise Unavailable("The inspection did not end in time.")
    return dict(box[0])


def check_asked(asked: Message) -> None:
    """Raise `BadRequest` unless the airlock asked for something that there is."""
    supporting: Any = asked.get("supporting")
    if asked.get("kind") not in KINDS or not isinstance(asked.get("request"), dict):
        raise BadRequest("An inspection is a repack, a check, a view or members, with a request.")
    if not isinstance(supporting, dict) or not all(_NAME.fullmatch(str(n)) for n in supporting):
        raise BadRequest("supporting: plain names of files.")
    for identifier in (asked.get("object"), *supporting.values()):
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            raise BadRequest("object: an object id is 32 hexadecimal digits.")
