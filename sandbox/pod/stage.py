"""Begins an attempt in its pod: obtains keys, decrypts inputs into memory, gives the executors their orders."""

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sandbox import crypt4gh, outside
from sandbox.arriving import Arriving
from sandbox.body import Body, BodyError
from sandbox.door import Door, DoorClosed, DoorRefused, Papers
from sandbox.far import Store
from sandbox.fields import SpecError
from sandbox.grants import Claim, Grant, GrantError, open_grant
from sandbox.keys import KeysError, bodies_of
from sandbox.pod import tree
from sandbox.pod.handover import Handover
from sandbox.pod.orders import order_of
from sandbox.pod.places import CA, CODE, LAUNCHER, TOKEN, Site, control_of
from sandbox.pod.reaching import asking, store_by
from sandbox.pod.tree import TreeError
from sandbox.results import Result
from sandbox.signing import AttemptKey
from sandbox.spec import Broker, Inline, ObjectStore, Outside, Spec, parse_spec, spec_digest

PATIENCE = 300.0  # seconds that a dispatcher may be away
_AGAIN = 0.5
_UNAVAILABLE = 503
T = TypeVar("T")


class LauncherError(Exception):
    """The launcher in this pod is not the one that was chosen (T26)."""


@dataclass(frozen=True)
class Begun:
    """What the door gave: the spec's exact bytes, and the pass for all that follows."""

    spec: bytes
    taken: str


def main(site: Site) -> int:
    """Be `stage`; return 0 when the executors have their orders, or when why not was told."""
    began = time.monotonic()
    door = Door(site.host, site.port, Papers(Path(CA)))
    own = AttemptKey()
    token = Path(TOKEN).read_text()
    answer = patiently(lambda: door.ask({"verb": "begin", "attempt": site.attempt, "token": token}))
    begun = Begun(answer["spec"].encode(), answer["pass"])
    stage = Stage(site, door, own, begun)
    try:
        stage.lay(began)
    except (SpecError, KeysError, BodyError, TreeError, LauncherError) as error:
        tell(door, site, own, begun.taken, Result("system", reason=str(error)))
    return 0


class Stage:
    """One attempt before its executors; what it holds goes with its process."""

    def __init__(self, site: Site, door: Door, own: AttemptKey, begun: Begun) -> None:
        self._site = site
        self._door = door
        self._own = own
        self._begun = begun
        self._private_key = crypt4gh.new_private_key()

    def lay(self, began: float) -> None:
        """Lay everything into memory, hand over to `seal`, and then, last, give the orders."""
        _check_launcher(self._site.launcher_sha256)
        spec = parse_spec(self._begun.spec)
        grant = self._grant(spec)
        bodies = bodies_of(spec, grant, self._private_key)
        tree.make_folders(spec)
        for given in spec.inputs:
            if isinstance(given, Inline):
                with tree.laid(given.path, mtime=given.mtime) as file:
                    tree.write_all(file, memoryview(given.content))
        store = None
        if isinstance(spec.bodies, ObjectStore):
            store = store_by(self._door, self._mine(), patience=PATIENCE)
        for body in bodies:
            self._lay_body(body, store)
        self._fetch_outside(spec)
        for number, mount in enumerate(spec.code_mounts):
            self._lay_code(mount.path, number)
        Handover(self._begun.spec, self._begun.taken, self._own.secret, grant.recipient).give()
        patiently(lambda: self._ask("started"))
        deadline = int((began + spec.limits.wall_seconds) * 1000)
        for number in range(len(spec.executors)):
            _give(order_of(spec, number, deadline=deadline), control_of(number))

    def _ask(self, verb: str, **fields: Any) -> Mapping[str, Any]:
        return self._door.ask({"verb": verb, **self._mine(), **fields})

    def _mine(self) -> dict[str, Any]:
        return {"attempt": self._site.attempt, "pass": self._begun.taken}

    def _grant(self, spec: Spec) -> Grant:
        if not isinstance(spec.keys, Broker):
            raise SpecError("keys: in a pod they come from the key broker.")
        public_key = crypt4gh.public_key_of(self._private_key)
        claim = Claim(spec.attempt, public_key, self._own.public_key, spec_digest(self._begun.spec))
        facts = {name: value for name, value in claim.facts().items() if name != "attempt"}
        try:
            answer = self._ask("claim", **facts)
        except DoorRefused as error:
            raise KeysError(f"The claim was refused: {error}") from error
        if answer.get("type") != "order":
            raise KeysError(f"No work order was given: {str(answer.get('reason'))[:300]}")
        question = {"verb": "grant", "order": answer["order"]}
        try:
            given = self._ask("broker", message=question)["grant"]
            return open_grant(given, spec.keys.public_key, claim=claim, now=time.time())
        except GrantError as error:
            raise KeysError(str(error)) from error
        except DoorRefused as error:
            raise KeysError(f"The key broker refused: {error}") from error

    def _lay_body(self, body: Body, store: Store | None) -> None:
        with tree.laid(body.path, mtime=body.mtime) as file:
            if store is not None:
                arriving = Arriving(body, lambda piece: tree.write_all(file, piece))
                store.body(body.object, body.length).fetch(arriving.write)
                return arriving.end()

            def fetch() -> None:
                file.seek(0)
                file.truncate()
                arriving = Arriving(body, lambda piece: tree.write_all(file, piece))
                self._fetch({"verb": "body", "object": body.object}, arriving)
                arriving.end()

            return patiently(fetch)

    def _fetch_outside(self, spec: Spec) -> None:
        for given in spec.inputs:
            if isinstance(given, Outside):
                with tree.laid(given.path, mtime=given.mtime) as file:
                    write = partial(tree.write_all, file)
                    ask, key = asking(self._door, self._mine()), self._private_key
                    outside.fetch(ask, given.number, most=given.most, private_key=key, write=write)

    def _lay_code(self, path: str, number: int) -> None:
        with tempfile.TemporaryFile(dir=CODE) as archive:

            def fetch() -> None:
                archive.seek(0)
                archive.truncate()
                self._fetch({"verb": "code", "path": path}, archive)

            patiently(fetch)
            archive.seek(0)
            tree.unpack(archive, Path(f"{CODE}/{number}"))

    def _fetch(self, message: dict[str, Any], into: Any) -> None:
        try:
            self._door.fetch({**message, **self._mine()}, into)
        except DoorRefused as error:
            raise KeysError(f"An input could not be had: {error}") from error


def patiently(ask: Callable[[], T]) -> T:
    """Ask again while the dispatcher, or whom it asks, is away. Only for what may be asked twice."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (DoorClosed, DoorRefused) as error:
            away = isinstance(error, DoorClosed) or error.status == _UNAVAILABLE
            if not away or time.monotonic() > end:
                raise
        time.sleep(_AGAIN)


def tell(door: Door, site: Site, own: AttemptKey, taken: str, result: Result) -> None:
    """Report how the attempt ended, signed; once is enough, and a second time does no harm."""
    said = {"verb": "result", "attempt": site.attempt, "pass": taken, "result": own.signed(result.message())}
    with contextlib.suppress(DoorRefused):  # nobody wants it any more
        patiently(lambda: door.ask(said))


def _check_launcher(wanted: str) -> None:
    try:
        found = hashlib.sha256(Path(LAUNCHER).read_bytes()).hexdigest()
    except OSError:
        found = ""
    if found != wanted:
        raise LauncherError("The launcher in this pod is not the one that was chosen; nothing was run.")


def _give(order: bytes, folder: str) -> None:
    """Let an executor begin, by one rename."""
    Path(folder).mkdir(mode=0o777, exist_ok=True)  # the kubelet makes it for its mount; whoever comes first
    part = Path(folder) / "order.part"
    with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o444)) as file:
        file.write(order)
    part.rename(Path(folder) / "order")
