"""Ends an attempt in its pod: seals what dead executors left, has it registered, and tells how it ended."""

import io
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sandbox import collect
from sandbox.body import BodyError
from sandbox.collect import TooMuch
from sandbox.crypt4gh import body_length_of, pad, padded_length_of, seal_stream
from sandbox.door import Door, DoorClosed, DoorRefused, Papers
from sandbox.fields import WORK
from sandbox.keys import KeysError
from sandbox.pod.endings import Ending, captured, ending_of, result_of
from sandbox.pod.handover import Handover
from sandbox.pod.modes import open_up
from sandbox.pod.places import CA, LAST_WORDS, VOLUME, Site, lies_at
from sandbox.pod.reaching import store_by
from sandbox.pod.stage import PATIENCE, patiently, tell
from sandbox.results import LOGS, TOO_MUCH, Result, refusals
from sandbox.seal import Plain, Role, SealedOutput, facts, seal_to_store
from sandbox.signing import AttemptKey
from sandbox.spec import ObjectStore, Spec, parse_spec
from sandbox.telling import Told, told

_PAUSE = 0.01
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
T = TypeVar("T")


def main(site: Site) -> int:
    """Be `seal`; return when the end was told, or nothing can be told."""
    asked = threading.Event()  # the kubelet asks for the end: of us, and of the launchers at the same time
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    handover = _until(Handover.take, asked)
    if handover is None:
        return 0  # nothing was begun
    spec = parse_spec(handover.spec)
    endings = _endings(len(spec.executors), asked)
    if endings is None:
        return 0  # somebody may live: only the pod's end shows that nobody does
    Seal(site, handover, spec).end(endings)
    return 0


class Seal:
    """One attempt after its executors."""

    def __init__(self, site: Site, handover: Handover, spec: Spec) -> None:
        self._site = site
        self._handover = handover
        self._spec = spec
        self._own = AttemptKey(handover.secret)
        self._door = Door(site.host, site.port, Papers(Path(CA)))

    def end(self, endings: Sequence[Ending]) -> None:
        """Take what is to be taken, and tell the end."""
        space = os.statvfs(VOLUME)
        result = result_of(endings, full=space.f_bavail == 0 or space.f_favail == 0)
        if result.cause not in ("canceled", "system"):
            try:
                self._take(result)
            except TooMuch:
                result.cause, result.exit_code, result.reason = "disk_full", None, TOO_MUCH
            except (KeysError, BodyError) as error:
                result = Result("system", reason=str(error), executors=result.executors)
        tell(self._door, self._site, self._own, self._handover.taken, result)

    def _take(self, result: Result) -> None:
        open_up(self._spec)
        tops = (*self._spec.volumes, WORK)
        folders = {top: os.open(lies_at(top, self._spec.volumes), _FOLDER) for top in tops}
        inputs = {given.path for given in self._spec.inputs}
        found = collect.collect(folders, self._spec.outputs, inputs=inputs, limits=self._spec.limits)
        plains = [Plain(one.path, "output", _opener(folders, one.path)) for one in found.files]
        plains += [
            Plain(f"{LOGS}/{name}", _role(name), _file(path)) for name, path in captured(len(self._spec.executors))
        ]
        sealed = self._sealed(plains)
        if sealed:
            self._register(sealed)
        taken = {one.path for one in found.files}
        telling = [Told(o.path, o.tells, _opener(folders, o.path)) for o in self._spec.outputs if o.tells is not None]
        result.outputs = facts(sealed, told(one for one in telling if one.path in taken))
        result.missing = list(found.missing)
        result.reason = result.reason or refusals(found)

    def _sealed(self, plains: Sequence[Plain]) -> list[SealedOutput]:
        if isinstance(self._spec.bodies, ObjectStore):
            store = store_by(self._door, self._mine(), patience=PATIENCE)
            return seal_to_store(plains, store, self._handover.recipient, padded=True)
        return [patiently(lambda plain=plain: self._seal(plain)) for plain in plains]  # type: ignore[misc]

    def _seal(self, plain: Plain) -> SealedOutput:
        """Encrypt one file on its way to the store; what failed half-way is begun again under a fresh id and key."""
        identifier = uuid.uuid4().hex
        with plain.open() as source:
            length = body_length_of(os.fstat(source.fileno()).st_size)
            whole = padded_length_of(length)  # T32
            message = {"verb": "store", "object": identifier, **self._mine()}
            try:
                with self._door.storing(message, whole) as write:
                    sealed = seal_stream(source.readinto, write, self._handover.recipient)
                    pad(write, whole - sealed.body_length)
            except DoorRefused as error:
                raise KeysError(f"An output could not be stored: {error}") from error
        return SealedOutput(plain.path, plain.role, identifier, sealed)

    def _register(self, sealed: Sequence[SealedOutput]) -> None:
        rows = [output.row() for output in sealed]
        said = self._own.signed({"verb": "register", "attempt": self._site.attempt, "outputs": rows})
        try:
            self._door.ask({"verb": "broker", "message": said, **self._mine()})
        except DoorRefused as error:
            raise KeysError(f"The key broker refused: {error}") from error
        except DoorClosed as error:
            raise KeysError("The key broker does not answer; is it running?") from error

    def _mine(self) -> dict[str, Any]:
        return {"attempt": self._site.attempt, "pass": self._handover.taken}


def _endings(executors: int, asked: threading.Event) -> Sequence[Ending] | None:
    """Wait for all executors: an `ended` is there when no process of its executor is; None when not all told."""

    def all_of_them() -> Sequence[Ending] | None:
        found = [ending_of(number) for number in range(executors)]
        told = [ending for ending in found if ending is not None]
        return told if len(told) == executors else None

    return _until(all_of_them, asked, longer=LAST_WORDS)


def _until(look: Callable[[], T | None], asked: threading.Event, *, longer: float = 0.0) -> T | None:
    end: float | None = None
    while (found := look()) is None:
        if asked.is_set():
            end = end or time.monotonic() + longer
            if time.monotonic() >= end:
                return None
        time.sleep(_PAUSE)
    return found


def _opener(folders: Mapping[str, int], path: str) -> Callable[[], io.FileIO]:
    return lambda: io.FileIO(collect.open_found(folders, path), "rb")


def _file(path: Path) -> Callable[[], io.FileIO]:
    return lambda: io.FileIO(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _role(name: str) -> Role:
    return "stdout" if name.startswith("stdout") else "stderr"
