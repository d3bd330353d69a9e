"""Makes crates of a release in an airlock with a real log, and rewrites them as a forger would."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airlock_scene import API, PNG, PROJECT, TSV, Scene, person, scene
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from airlock.bag import write_bag
from airlock.crate import EVENTS, HEAD, RECORD, Story
from airlock.crate_check import rendered
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.audit_heads import sign_head, stated_head
from strongroom.canonical import canonical
from strongroom.database import now, transaction
from strongroom.projects import PLATFORM, Membership, Role

AUDITOR = "ada"


@dataclass(frozen=True)
class Crates:
    """One release of two files with both of its crates."""

    stage: Scene
    key: Ed25519PrivateKey
    release: dict[str, Any]

    @property
    def public(self) -> Ed25519PublicKey:
        """The key that heads are verified with."""
        return self.key.public_key()

    def sign(self) -> None:
        """Sign the log's head, as the signer does every few seconds."""
        with transaction(self.stage.engine) as session:
            sign_head(session, self.key)

    def get(self, name: str, *, full: bool = False) -> Any:
        """Ask for the crate as NAME."""
        return self.stage.ask(name).get(f"{API}/releases/{self.release['id']}/crate{'?full=true' if full else ''}")

    def full(self) -> bytes:
        """The auditor's crate."""
        return self.given(AUDITOR, full=True)

    def clean(self) -> bytes:
        """The requester's crate."""
        return self.given("ruth")

    def given(self, name: str, *, full: bool = False) -> bytes:
        """The crate as NAME gets it."""
        answer = self.get(name, full=full)
        assert answer.status_code == 200, answer.text
        content: bytes = answer.content
        return content


@contextmanager
def released() -> Iterator[Crates]:
    """Set a scene in which two files were released and the head is signed."""
    with scene() as stage:
        stage.signed_policy()  # several releases of one dataset without lists of members
        with transaction(stage.engine) as session:
            role = Membership(project=PLATFORM, person=person(AUDITOR), role=Role.AUDITOR.value, since=now())
            session.add(role)
        run = stage.complete_run({TSV: "count", PNG: "plot"})
        with transaction(stage.engine) as session:
            audit.append(session, *_history(run))
        crates = Crates(stage, Ed25519PrivateKey.generate(), stage.released(run))
        crates.sign()
        yield crates


def _history(run: str) -> list[Entry]:
    """What `wes` and the broker write of a run, in their words."""
    ruth, facts = person("ruth"), {"workflow": "allele-counts/1.0.0", "digest": "ab" * 32, "datasets": ["hapmap"]}
    decided = {"person": ruth, "images": {"tools": f"sha256:{'cd' * 32}"}, **facts}
    return [
        Entry(Event.RUN_SUBMITTED, ruth, run, PROJECT, facts),
        Entry(Event.DECISION_RECORDED, "archive.decisions", run, PROJECT, decided),
        Entry(Event.RUN_STATE, "wes", run, PROJECT, {"state": "RUNNING"}),
        Entry(Event.RUN_STATE, "wes", run, PROJECT, {"state": "COMPLETE"}),
    ]


def unpacked(raw: bytes) -> tuple[str, dict[str, bytes]]:
    """Return the bag's name and its payload."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        files = {entry: archive.read(entry) for entry in archive.namelist()}
    name = next(iter(files)).partition("/")[0]
    start = f"{name}/data/"
    return name, {path.removeprefix(start): content for path, content in files.items() if path.startswith(start)}


def repacked(raw: bytes, change: Callable[[dict[str, bytes]], Any], *, rename: str | None = None) -> bytes:
    """Return the crate after a change, with all of its manifests made anew: the forger knows BagIt."""
    name, payload = unpacked(raw)
    change(payload)
    info = {"External-Identifier": name.removeprefix("release-"), "Source-Organization": "Strongroom"}
    return write_bag(rename or name, payload, info)


def events_in(payload: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return the lines of the events, parsed."""
    return [json.loads(line) for line in payload[EVENTS].splitlines()]


def with_events(payload: dict[str, bytes], lines: list[dict[str, Any]]) -> None:
    """Put other events into a payload, and metadata that fit them."""
    payload[EVENTS] = b"".join(canonical(line) + b"\n" for line in lines)
    head = stated_head(json.loads(payload[HEAD]))
    story = Story(json.loads(payload[RECORD]), [json.loads(e["body"]) for e in lines], head.size, head.root)
    payload.update(rendered(story))
