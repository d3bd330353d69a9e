"""A real broker and a real signer on a home of their own, and the people round them."""

import base64
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import archive.store
from archive import datasets, decisions
from archive.keys.enrolment import enrol
from archive.keys.notes import seal_note
from sandbox.crypt4gh import Sealed, new_private_key, open_header, public_key_of, seal_stream
from sandbox.signing import AttemptKey
from strongroom import audit, doors, dsse, settings
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.errors import Unavailable
from strongroom.projects import PLATFORM, Membership, Project, Role

WORKFLOW_TYPE = "application/vnd.strongroom.workflow+json"
IMAGE = "sha256:" + "a1" * 32
CHECKS_IMAGE = "sha256:" + "c4" * 32
OPERATOR, RUTH, SAM, SINA = "olga@development", "ruth@development", "sam@development", "sina@development"
PROJECT = "cohort"
_MAIN = "from archive.keys import {name}; from strongroom.settings import load; {name}.main(load())"


def text(raw: bytes) -> str:
    """Return base64."""
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class SealedFile:
    """A sealed body with the words of its registration."""

    object: str
    sealed: Sealed
    body: bytes

    def words(self) -> dict[str, Any]:
        """Return what every registration says of a body."""
        return {
            "object": self.object,
            "header": text(self.sealed.header),
            "size": self.sealed.size,
            "body_length": self.sealed.body_length,
            "body_sha256": self.sealed.body_sha256,
            "segments": self.sealed.segments,
        }

    def output(self, role: str = "output") -> dict[str, Any]:
        """Return the words of an attempt's output."""
        path = "/run/work/results/a.tsv"
        return {**self.words(), "path": path, "role": role, "sha256": self.sealed.sha256}


def seal(plain: bytes, recipient: bytes) -> SealedFile:
    """Seal `plain` as a supervisor or an owner does."""
    body = io.BytesIO()
    sealed = seal_stream(io.BytesIO(plain).readinto, body.write, recipient)
    return SealedFile(uuid.uuid4().hex, sealed, body.getvalue())


@dataclass
class Attempt:
    """One attempt with its one-time key, and its line to the broker."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    secret: bytes = field(default_factory=new_private_key)
    own: AttemptKey = field(default_factory=AttemptKey)

    @property
    def public_key(self) -> str:
        """The public half, in base64."""
        return text(public_key_of(self.secret))


class KeyRoom:
    """A home with a database, a broker and a signer; started as root, each under its own uid."""

    def __init__(self, joined: tuple[tuple[str, ...], ...] = (), **access: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="keyroom-"))
        self.home.chmod(0o755)
        identity = settings.Identity(development_issuer=True, joined=joined)
        self.settings = settings.Settings(home=self.home, identity=identity, access=settings.Access(**access))
        self.root = os.geteuid() == 0
        for name in ("database", "sockets", "objects"):
            folder = self.home / name
            folder.mkdir()
            if self.root:
                os.chown(folder, self.settings.uids.services, self.settings.uids.group)
            folder.chmod(0o2770)
        self.engine = open_database(self.settings.database, joined=self.settings.joined)
        assert archive.store
        Base.metadata.create_all(self.engine)
        self._share_database()
        enrol(self.settings)
        (self.home / "trust" / "checks-image").write_text(CHECKS_IMAGE + "\n")
        self.vetters = {name: self.new_vetter(name) for name in ("vera", "viktor")}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def _share_database(self) -> None:
        for file in (self.home / "database").iterdir():
            if self.root:
                os.chown(file, self.settings.uids.services, self.settings.uids.group)
            file.chmod(0o660)

    def socket(self, name: str) -> Path:
        """Return where a process listens."""
        return self.settings.sockets / f"{name}.sock"

    def start(self, name: str) -> None:
        """Start broker or signer and wait until it answers."""
        self.socket(name).unlink(missing_ok=True)
        uid = getattr(self.settings.uids, name)
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAIN.format(name=name)],
            env={
                "PATH": os.environ["PATH"],
                "STRONGROOM_HOME": str(self.home),
                "STRONGROOM_IDENTITY__JOINED": json.dumps(self.settings.identity.joined),
                "STRONGROOM_ACCESS": self.settings.access.model_dump_json(),
            },
            stdout=subprocess.DEVNULL,
            user=uid if self.root else None,
            group=self.settings.uids.group if self.root else None,
            extra_groups=[] if self.root else None,
            umask=0o007,
        )
        end = time.monotonic() + 180
        while time.monotonic() < end and self.processes[name].poll() is None:
            with socket.socket(socket.AF_UNIX) as door:
                if self.socket(name).exists() and door.connect_ex(str(self.socket(name))) == 0:
                    return
            time.sleep(0.02)
        raise Unavailable(f"{name} does not start")

    def kill(self, name: str) -> None:
        """Kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()

    def close(self) -> None:
        """End what was started and remove the home."""
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.engine.dispose()
        shutil.rmtree(self.home)

    def ask(self, door: str, /, **message: Any) -> doors.Message:
        """Ask a door as this process."""
        return doors.ask(self.socket(door), message)

    def ask_as(self, uid: int, door: str, /, **message: Any) -> str:
        """Ask a door as another user of the shared group; return the answer or the refusal as text."""
        words = (
            "import sys, json\nfrom pathlib import Path\nfrom strongroom.doors import ask\n"
            "try:\n    print(ask(Path(sys.argv[1]), json.loads(sys.argv[2])))\n"
            "except Exception as error:\n    print(type(error).__name__, error)\n"
        )

        done = subprocess.run(
            [sys.executable, "-P", "-c", words, str(self.socket(door)), json.dumps(message)],
            capture_output=True,
            check=True,
            text=True,
            user=uid,
            group=self.settings.uids.group,
            extra_groups=[],
        )
        return done.stdout

    def new_vetter(self, name: str) -> Ed25519PrivateKey:
        """Make a vetter's key and trust it."""
        key = Ed25519PrivateKey.generate()
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (self.home / "trust" / "vetters" / f"{name}.pem").write_bytes(pem)
        return key

    def distrust(self, name: str) -> None:
        """Take a vetter's key away."""
        (self.home / "trust" / "vetters" / f"{name}.pem").unlink()

    def people(self, project: str = PROJECT) -> None:
        """Make a project with a researcher and two stewards, and an operator of the platform."""
        with transaction(self.engine) as session:
            session.add(Project(id=project, title=project, min_count=5, policy_version=1, created=now(), ends=None))
            for person, role in ((RUTH, Role.RESEARCHER), (SAM, Role.STEWARD), (SINA, Role.STEWARD)):
                self._member(session, project, person, role)
            known = session.scalar(sa.select(Membership.id).where(Membership.person == OPERATOR))
            if known is None:
                self._member(session, PLATFORM, OPERATOR, Role.OPERATOR)

    def member(self, person: str, role: Role, project: str = PROJECT) -> None:
        """Grant a role."""
        with transaction(self.engine) as session:
            self._member(session, project, person, role)

    def _member(self, session: Any, project: str, person: str, role: Role) -> None:
        session.add(Membership(project=project, person=person, role=role.value, since=now(), until=None))

    def change(self, statement: Any) -> None:
        """Do to the database what one who holds it could do."""
        with transaction(self.engine) as session:
            session.execute(statement)

    def dataset(
        self, name: str, *, project: str = PROJECT, observability: str = "open", sensitivity: str = "standard"
    ) -> str:
        """Make a dataset and share it."""
        with transaction(self.engine) as session:
            datasets.create(
                session,
                OPERATOR,
                name,
                title=name,
                observability=observability,
                sensitivity=sensitivity,
                project=None,
            )
        with transaction(self.engine) as session:
            datasets.share(session, OPERATOR, name, project=project, until=None)
        return name

    def file(self, dataset: str, plain: bytes, *, name: str | None = None, **more: Any) -> str:
        """Seal a file on the owner's side and have it registered; return its object."""
        made = seal(plain, self.recipient(dataset))
        self.register_file(dataset, made.words(), plain=plain, name=name or f"{made.object}.vcf", **more)
        return made.object

    def register_file(
        self,
        dataset: str,
        words: dict[str, Any],
        *,
        plain: bytes,
        name: str,
        person: str = "NA1",
        clear: bool = False,
    ) -> None:
        """Have a sealed body registered as a file of a dataset."""
        note = seal_note(hashlib.sha256(plain).digest(), self.recipient(dataset))
        said = {**words, "dataset": dataset, "name": name, "persons": [person], "clear": clear}
        self.ask("broker", verb="register", person=OPERATOR, digest=text(note), **said)

    def recipient(self, dataset: str) -> bytes:
        """Return the key that files of a dataset are sealed to."""
        asked = self.ask("broker", verb="recipient", purpose="store", owner=dataset)
        return base64.b64decode(asked["public_key"])

    def envelope(self, *, signers: Sequence[str] = ("vera", "viktor"), image: str = IMAGE) -> dsse.Envelope:
        """Return a workflow's envelope."""
        facts = {"workflow": "count", "version": "1.0.0", "digest": "sha256:" + "d" * 64, "images": {"tools": image}}
        return dsse.sign(WORKFLOW_TYPE, facts, *(self.vetters[name] for name in signers))

    def decision(
        self,
        datasets: Sequence[str],
        *,
        envelope: dsse.Envelope | None = None,
        project: str = PROJECT,
        seconds: int = 3600,
        images: dict[str, str] | None = None,
    ) -> str:
        """Record a decision as wes does; return its run."""
        run = uuid.uuid4().hex
        with transaction(self.engine) as session:
            entries = decisions.record(
                session,
                run=run,
                person=RUTH,
                project=project,
                workflow="count",
                version="1.0.0",
                workflow_digest="sha256:" + "d" * 64,
                envelope=envelope or self.envelope(),
                images=images or {"tools": IMAGE},
                datasets=datasets,
                policy_version=1,
                seconds=seconds,
            )
            audit.append(session, *entries)
        return run

    def close_run(self, run: str, reason: str = "complete") -> None:
        """Close a decision as wes does."""
        with transaction(self.engine) as session:
            audit.append(session, *decisions.close(session, run, reason))

    def asking(self, attempt: Attempt, run: str, objects: Sequence[str], **more: Any) -> dict[str, Any]:
        """Return what the dispatcher asks the signer."""
        return {
            "verb": "order",
            "attempt": attempt.id,
            "kind": "task",
            "decision": run,
            "project": PROJECT,
            "person": RUTH,
            "objects": list(objects),
            "images": [IMAGE],
            "spec_sha256": "e" * 64,
            "public_key": attempt.public_key,
            "signing_key": text(attempt.own.public_key),
        } | more

    def order(self, attempt: Attempt, run: str, objects: Sequence[str], **more: Any) -> dsse.Envelope:
        """Have the signer issue a work order."""
        answer: dsse.Envelope = self.ask("signer", **self.asking(attempt, run, objects, **more))["order"]
        return answer

    def grant(self, attempt: Attempt, run: str, objects: Sequence[str], **more: Any) -> dict[str, Any]:
        """Claim and redeem; return the facts inside the signed grant."""
        answer = self.ask("broker", verb="grant", order=self.order(attempt, run, objects, **more))
        facts: dict[str, Any] = dsse.facts_in(answer["grant"])
        return facts

    def register(self, attempt: Attempt, *outputs: dict[str, Any]) -> None:
        """Register outputs."""
        self.ask("broker", **registering(attempt, *outputs))

    def result(self, run: str, objects: Sequence[str], plain: bytes, **more: Any) -> str:
        """Run one attempt to its end: grant, seal one output, register; return the output's object."""
        attempt = Attempt()
        facts = self.grant(attempt, run, objects, **more)
        made = seal(plain, base64.b64decode(facts["recipient"]))
        self.register(attempt, made.output())
        return made.object

    def clean_copy(self, run: str, source: str, plain: bytes) -> str:
        """Repack an output of a complete run into the airlock; return the clean copy's object."""
        return self.result(run, [source], plain, kind="repack", images=[CHECKS_IMAGE])

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the audit entries of one kind, as their bodies say."""

        with reading(self.engine) as session:
            return [json.loads(row.body) for row in audit.events(session) if row.event == event]

    def row(self, object_id: str) -> archive.store.StoredObject:
        """Return an object's row."""
        with reading(self.engine) as session:
            return session.get_one(archive.store.StoredObject, object_id)


def registering(attempt: Attempt, *outputs: dict[str, Any]) -> dict[str, Any]:
    """Return what the attempt says to register outputs."""
    return attempt.own.signed({"verb": "register", "attempt": attempt.id, "outputs": list(outputs)})


def opened(attempt: Attempt, header: str) -> bytes:
    """Return the data key in a granted header."""
    return open_header(base64.b64decode(header), attempt.secret)


@contextmanager
def key_room(joined: tuple[tuple[str, ...], ...] = (), **access: int) -> Iterator[KeyRoom]:
    """Open a key room with people, and close it; `joined` are groups of identities that are one person each.

    `access` are settings of how roles are granted.
    """
    room = KeyRoom(joined, **access)
    try:
        room.start("broker")
        room.start("signer")
        room.people()
        yield room
    finally:
        room.close()
