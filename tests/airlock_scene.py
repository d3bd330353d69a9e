"""Sets up an airlock with a real database, real tokens and two small doors in place of sandbox and broker."""

import base64
import contextlib
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import SHUT_RDWR, socket
from tempfile import TemporaryDirectory
from typing import Any

from asking import Asking
from fastapi import FastAPI
from sqlalchemy import Engine

import access.store  # noqa: F401
import airlock.api
import airlock.beside_api
import airlock.crate_api
import airlock.ingress_api
import airlock.review_api
from airlock import delivery, drawing, emptying, intake, links, release, taking
from airlock.checks.people import parse_people
from airlock.contract import Contract, parse_contract
from airlock.intake import OfferedFile
from airlock.intake_files import IntakeState
from airlock.store import IntakeFile, files_of_run
from archive.labels import digest
from strongroom import audit, audit_api, identity, queue
from strongroom.database import Base, now, open_database, reading, transaction
from strongroom.doors import Caller, Message, listen, serve
from strongroom.http import new_app
from strongroom.identity import make_development_issuer, mint_token
from strongroom.object_stores.folder import Folder
from strongroom.projects import Membership, Project, ProjectPolicy, Role
from strongroom.queue import Context
from strongroom.settings import Settings
from strongroom.thresholds import FLOOR

PROJECT = "cohort"
Groups = tuple[tuple[str, ...], ...]
API = "/api/airlock/v1"
KEY = base64.b64encode(b"r" * 32).decode()
FINGERPRINT = hashlib.sha256(b"r" * 32).hexdigest()
PEOPLE = {
    "ruth": (Role.RESEARCHER,),
    "rob": (Role.RESEARCHER,),
    "sam": (Role.STEWARD,),
    "sina": (Role.STEWARD,),
    "sara": (Role.STEWARD,),
    "sena": (Role.SENIOR_STEWARD,),
    "both": (Role.RESEARCHER, Role.STEWARD),  # access never grants this; the airlock refuses it all the same
    "nobody": (),
}
TSV, PNG, VCF = "results/af.tsv", "results/af.png", "results/sites.vcf.gz"
OUTPUTS: list[dict[str, Any]] = [
    {
        "match": TSV,
        "format": "tsv",
        "release": "airlock",
        "rule": "count",
        "keys": {"band": ["18-39", "40-59"]},
        "counts": ["n"],
        "max_rows": 10,
    },
    {"match": PNG, "format": "png", "release": "airlock", "rule": "plot", "needs": [TSV]},
    {"match": VCF, "format": "vcf", "release": "airlock", "rule": "sites", "max_sites": 100},
    {"release": "inside"},
]
CONTRACT = parse_contract(OUTPUTS)
LIST = "work/members.txt"
WITH_MEMBERS = parse_contract([{"match": LIST, "release": "inside", "rule": "count", "members": True}, *OUTPUTS])
ENGINE_LOG = "logs/engine.txt"
SAYS = parse_contract([{"format": "log", "release": "airlock", "stream": "engine", "max_rows": 20}, *OUTPUTS])
WITH_GROUPS = parse_contract(
    [{"match": "members/*.txt", "release": "inside", "rule": "count", "members": True}, *OUTPUTS]
)


def person(name: str) -> str:
    """Return the id that a development token of NAME proves."""
    return f"{name}@{identity.DEVELOPMENT}"


@dataclass
class Inspector:
    """Answers for the sandbox: what it says of a path stands in `findings`; each question is kept."""

    store: Folder
    findings: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)
    sites: dict[str, list[str]] = field(default_factory=dict)
    report: dict[str, Any] | None = None
    view: dict[str, Any] | None = None
    lists: dict[str, list[str]] = field(default_factory=dict)  # of members, by object
    views: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the object that is looked at
    asked: list[Message] = field(default_factory=list)

    def answer(self, message: Message, _caller: Caller) -> Message:
        """Repack, check or view, as the real jail would say it."""
        self.asked.append(message)
        if self.report is not None:
            return self.report
        kind, name = message["kind"], message["request"]["name"]
        findings = self.findings.get((kind, name), [])
        worst = max((f["severity"] for f in findings), key=["pass", "warn", "block"].index, default="pass")
        clean = kind == "repack" and worst != "block"
        answer = {
            "schema": 1,
            "kind": kind,
            "policy_version": message["request"]["policy"]["version"],
            "format": "table",
            "verdict": worst,
            "complete": True,
            "findings": findings,
            "omitted": 0,
            "facts": {"rows": 2},
            "clean": clean,
            "view": None,
            "cells": self.cells.get(name) if kind == "check" else None,
            "sites": self.sites.get(name) if kind == "check" else None,
        }
        if kind == "members":
            bits = parse_people(message["request"]["people"]).listed(self.lists[message["object"]])
            answer["members"] = None if bits is None else bits.hex()
        if kind == "view":
            cells = {"columns": ["band", "n"], "rows": [["18-39", "12"]], "total_rows": 1, "truncated": False}
            shown = self.views.get(message["object"], self.view)
            answer["view"] = shown or {"kind": "table", **cells}
        outputs = [self._copy()] if clean else []
        raw = json.dumps(answer).encode()
        return {"cause": "exited", "exit_code": 0, "answer": base64.b64encode(raw).decode(), "outputs": outputs}

    def _copy(self) -> dict[str, Any]:
        made = secrets.token_hex(16)
        self.store.put(made, iter([secrets.token_bytes(100), secrets.token_bytes(50)]))
        return {"path": "/run/work/clean", "object": made, "size": 94, "role": "output"}


@dataclass
class Broker:
    """Answers for the key broker: a header and a digest for each object it is asked for; names for all `persons`."""

    persons: list[str] = field(default_factory=lambda: [f"NA{n:05}" for n in range(100)])
    asked: list[Message] = field(default_factory=list)
    answered: Message | None = None
    dataset: str = ""  # that what is let in belongs to

    def answer(self, message: Message, _caller: Caller) -> Message:
        """Export, admit, tell a dataset's key, or name the persons that a list of members may hold."""
        if message["verb"] == "members":
            key = secrets.token_bytes(32)
            told = sorted((digest(one, key), hashlib.sha256(one.encode()).hexdigest()[:16]) for one in self.persons)
            digests, names = (b"".join(one for one, _ in told).hex(), "".join(name for _, name in told))
            return {"key": key.hex(), "digests": digests, "names": names}
        if message["verb"] == "recipient":
            return {"public_key": KEY}
        self.asked.append(message)
        if self.answered is not None:
            return self.answered
        if message["verb"] == "destroy":
            return {"destroyed": 2}
        if message["verb"] == "admit":
            return {"dataset": self.dataset, "objects": sorted(message["votes"])}
        headers = {name: base64.b64encode(b"crypt4gh" + bytes(116)).decode() for name in message["votes"]}
        return {"headers": headers, "sha256": {name: "5" * 64 for name in message["votes"]}}


@dataclass
class Scene:
    """An airlock with its people; a run is offered with `complete_run`, and `work` does what workers would."""

    settings: Settings
    engine: Engine
    app: FastAPI
    inspector: Inspector
    broker: Broker

    @property
    def context(self) -> Context:
        """Return what jobs stand on."""
        return Context(self.settings, self.engine)

    def signed_policy(self, **limits: int) -> dict[str, int]:
        """Have two persons sign the next policy: the floor, which only warns of unknown members, and these limits."""
        whole = {**FLOOR, **limits}
        with transaction(self.engine) as session:
            signed = {"proposed_by": "dan@x", "proposed": now(), "signed_by": "sen@x", "signed": now()}
            session.add(ProjectPolicy(project=PROJECT, version=2, thresholds=whole, sha256="0" * 64, **signed))
        return whole

    def ask(self, name: str) -> Asking:
        """Return an asker with a real token of NAME."""
        return Asking(self.app, mint_token(self.settings, name))

    def complete_run(
        self,
        files: dict[str, str],
        *,
        coarse: bool = False,
        contract: Contract = CONTRACT,
        by: str = "ruth",
        taken: bool = True,
        members: list[str] | dict[str, list[str]] | None = None,
        lineage: Sequence[str] = ("hapmap",),
    ) -> str:
        """Offer a COMPLETE run with these files (path -> engine rule), and its lists of members; return its id."""
        run = secrets.token_hex(16)
        offered = [
            OfferedFile(path, secrets.token_hex(16), rule, secrets.token_hex(16), stream="" if rule else "engine")
            for path, rule in files.items()
        ]
        for path, listed in ({LIST: members} if isinstance(members, list) else members or {}).items():
            offered.append(OfferedFile(path, secrets.token_hex(16), "count", secrets.token_hex(16)))
            self.inspector.lists[offered[-1].object] = listed
        with transaction(self.engine) as session:
            project = session.get_one(Project, PROJECT)
            intake.offer(
                session,
                run=run,
                project=PROJECT,
                person=person(by),
                workflow="frequencies",
                datasets=["hapmap"],
                lineage=lineage,
                coarse=coarse,
                contract=contract,
                policy=intake.policy_of(session, project, self.settings, datasets=["hapmap"]),
                files=offered,
            )
        if taken:
            self.work()
        return run

    def work(self, rounds: int = 6) -> None:
        """Do what the sweeps find, as workers would."""
        for _ in range(rounds):
            todo = [*taking.waiting(self.context), *release.due(self.context), *drawing.lacking(self.context)]
            todo += [*delivery.waiting(self.context), *emptying.over(self.context)]
            if not todo:
                return
            jobs = {intake.TAKE: taking.take, release.RELEASE: release.release, release.EXPIRE: release.expire}
            jobs |= {drawing.REDRAW: drawing.redraw, delivery.DELIVER: delivery.deliver}
            jobs |= {emptying.EMPTY: emptying.empty}
            for name, identifier in todo:
                jobs[name](self.context, identifier)

    def files(self, run: str) -> dict[str, IntakeFile]:
        """Return what intake holds of a run, by path."""
        with reading(self.engine) as session:
            return {file.path: file for file in files_of_run(session, run)}

    def make_due(self, run: str) -> None:
        """Let the pause after a failed try be over."""
        with transaction(self.engine) as session:
            for file in files_of_run(session, run):
                if file.state in (IntakeState.WAITING.value, IntakeState.REPACKED.value):
                    file.next_try = now()

    def events(self, *kinds: audit.Event) -> list[dict[str, Any]]:
        """Return the audit log's entries of these kinds."""
        with reading(self.engine) as session:
            return [json.loads(e.body) | {"seq": e.seq} for e in audit.events(session) if e.event in kinds]

    def ready(self, run: str, *paths: str) -> dict[str, Any]:
        """Have ruth draft a request that comes through its scan."""
        made = self.ask("ruth").post(f"{API}/requests", {"run": run, "files": list(paths), "purpose": "Figure 2."})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def submitted(self, run: str, *paths: str) -> dict[str, Any]:
        """Have ruth hand a request to the stewards."""
        made = self.ready(run, *paths)
        done = self.ask("ruth").post(f"{API}/requests/{made['id']}:submit", {"key": FINGERPRINT})
        assert done.status_code == 200, done.text
        found: dict[str, Any] = done.json()
        return found

    def vote(self, name: str, request: dict[str, Any], **no: str) -> Any:
        """Have a steward vote yes on all files, but no on those whose path ends in a key of `no`."""
        votes = []
        for file in request["files"]:
            reason = next((why for end, why in no.items() if file["path"].endswith(end)), None)
            votes.append({"file": file["id"], "vote": "no" if reason else "yes", "reason": reason})
        return self.ask(name).post(f"{API}/reviews/{request['id']}:vote", {"votes": votes})

    def released(self, run: str, *paths: str) -> dict[str, Any]:
        """Take a request all the way out; return it as ruth sees it."""
        request = self.submitted(run, *paths)
        for name in ("sam", "sina"):
            assert self.vote(name, request).status_code == 200
        done = self.ask("sam").post(f"{API}/reviews/{request['id']}:consolidate", {"outcome": "approve"})
        assert done.status_code == 200, done.text
        self.work()
        found: dict[str, Any] = self.ask("ruth").get(f"{API}/requests/{request['id']}").json()
        return found


def block(code: str) -> list[dict[str, Any]]:
    """Return a blocking finding as the jail writes it."""
    return [{"code": code, "severity": "block", "about": "values", "place": {"row": 3}, "reason": "", "cure": ""}]


@contextmanager
def scene(
    *, drawn: bool = False, step_up: bool = False, hosts: tuple[str, ...] = (), joined: Groups = ()
) -> Iterator[Scene]:
    """Set the scene below a short path, because sockets lie in it; `drawn` draws two of the three stewards.

    `joined` are groups of identities that are one person each.
    """
    with TemporaryDirectory(prefix="airlock-", dir="/tmp") as folder:
        settings = Settings(
            home=Path(folder),
            identity={  # type: ignore[arg-type]
                "development_issuer": True,
                "step_up_of_development": step_up,
                "joined": joined,
            },
            airlock={"draw_stewards": drawn, "output_hosts": hosts},  # type: ignore[arg-type]
            federation={"unsafe_hosts": hosts},  # type: ignore[arg-type]
        )
        for name in ("sockets", "database", "objects", "keys"):
            (settings.home / name).mkdir()
        engine = open_database(settings.database, joined=settings.joined)
        Base.metadata.create_all(engine)
        make_development_issuer(settings)
        links.make_secret(settings)
        queue.configure(settings)
        populate(engine)
        inspector, broker = Inspector(Folder(settings.home / "objects")), Broker()
        sockets = []
        for name, behind in (("inspect", inspector), ("broker", broker)):
            door = listen(settings.sockets / f"{name}.sock")
            sockets.append(door)
            threading.Thread(target=_serve, args=(door, behind), daemon=True).start()
        app = new_app("airlock", settings, engine=engine, issuers=identity.trusted_issuers(settings))
        app.include_router(airlock.api.router)
        app.include_router(airlock.crate_api.router)
        app.include_router(airlock.ingress_api.router)
        app.include_router(audit_api.router)
        app.include_router(airlock.review_api.router)
        app.include_router(airlock.beside_api.router)
        app.state.public_key_of = lambda _session, who, key: (
            KEY if (who, key) == (person("ruth"), FINGERPRINT) else None
        )
        try:
            yield Scene(settings, engine, app, inspector, broker)
        finally:
            for door in sockets:
                shut(door)
            engine.dispose()


def populate(engine: Engine) -> None:
    """Write the project and its people into a fresh database."""
    with transaction(engine) as session:
        session.add(Project(id=PROJECT, title="A cohort", min_count=5, policy_version=1, created=now()))
        for name, roles in PEOPLE.items():
            for role in roles:
                session.add(Membership(project=PROJECT, person=person(name), role=role.value, since=now()))
        # A researcher once, a steward today: T28 refuses such a one.
        session.add(
            Membership(project=PROJECT, person=person("former"), role=Role.RESEARCHER.value, since=now(), until=now())
        )
        session.add(Membership(project=PROJECT, person=person("former"), role=Role.STEWARD.value, since=now()))


def shut(door: socket) -> None:
    """Close a door that a thread of ours answers, and let the thread go: closing alone would leave it waiting."""
    with contextlib.suppress(OSError):
        door.shutdown(SHUT_RDWR)
    door.close()


def _serve(door: socket, behind: Inspector | Broker) -> None:
    def answer(message: Message, caller: Caller) -> Message:
        return behind.answer(message, caller)  # looked up each time: a test may put another answer in its place

    try:
        serve(door, allowed={os.geteuid()}, answer=answer)
    except OSError:
        return  # the scene is over: its door was closed
