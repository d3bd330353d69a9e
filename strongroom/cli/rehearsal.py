"""Runs an author's workflow on their own open data, in a Strongroom of its own with every wall, and keeps nothing."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from archive import ingest
from strongroom.audit import AuditEvent, Event
from strongroom.cli import home as home_layout
from strongroom.cli import key as key_verbs
from strongroom.cli.changes import plain
from strongroom.cli.client import Client, err, out
from strongroom.cli.image import names_of, write_name
from strongroom.cli.run import follow, send
from strongroom.cli.serve import wait_until_ready
from strongroom.cli.token import issue
from strongroom.database import open_database, reading
from strongroom.errors import BadRequest
from strongroom.projects import Role
from strongroom.settings import Settings, load, python
from wes import catalogue, signing
from wes.manifest import parse_manifest
from wes.store import files_of

PROJECT = "rehearsal"
VETTERS = ("first", "second")
ARCHIVE = "/api/archive/v1"
KEPT = ("STRONGROOM_CONFIG", "STRONGROOM_HOME", "STRONGROOM_IMAGES", "STRONGROOM_HTTP__PORT")


@dataclass(frozen=True)
class Outcome:
    """How a rehearsal ended: the run's state, what the gateway refused, and where each file would go."""

    state: str
    refused: list[dict[str, Any]]
    files: list[dict[str, str]]
    engine_log: str


def rehearse(settings: Settings, folder: Path, inputs: Path, parameters: dict[str, Any]) -> Outcome:
    """Run the workflow in `folder` on the files INPUTS/SLOT/* and return how it ended; nothing of it is kept."""
    manifest = parse_manifest((folder / catalogue.MANIFEST).read_text())
    given = {slot.name: sorted((inputs / slot.name).glob("*")) for slot in manifest.slots}
    if empty := [name for name, files in given.items() if not files]:
        raise BadRequest(f"--inputs: a folder {empty[0]} with the files of this slot is missing there.")
    with _private(settings) as private:
        statement = catalogue.vet(private, folder, names_of(private))
        for vetter in VETTERS:
            key_verbs.make_vetter(private, vetter, private=None)
            secret = private.home / "vetters" / f"{vetter}.pem"
            signing.sign(private, statement.workflow, statement.version, key_verbs.private_key(secret))
        with _served(private):
            operator = issue(private, "operator", role=Role.OPERATOR, project=None)
            researcher = issue(private, "author", role=Role.RESEARCHER, project=PROJECT)
            for slot, files in given.items():
                clear = {one.file for one in manifest.glimpses.clear if one.slot == slot}
                _add(private, operator, _dataset(slot), files, clear=clear)
            asked = {**parameters, "inputs": {slot: _dataset(slot) for slot in given}}
            with Client(private.base_url, researcher) as client:
                run = send(client, f"{statement.workflow}/{statement.version}", PROJECT, asked)
                state = follow(client, run, label=statement.workflow)
            return _outcome(private, run, state, manifest.contract.rule_for)


def show(outcome: Outcome) -> None:
    """Print how a rehearsal ended."""
    out.print(f"The run is {outcome.state}.")
    for one in outcome.refused:
        rule = f" (rule {plain(str(one['rule']))})" if "rule" in one else ""
        err.print(f"[red]The gateway refused[/] {plain(str(one['reason']))}{rule}")
    table = Table("File", "Written by", "By the contract")
    for file in outcome.files:
        table.add_row(plain(file["path"]), plain(file["rule"]), file["contract"])
    out.print(table)
    if outcome.state != "COMPLETE":
        err.print(plain(outcome.engine_log.replace("\n", " | ")))


@contextlib.contextmanager
def _private(settings: Settings) -> Iterator[Settings]:
    """Make a home of its own, with this host's images by their names, and remove it at the end."""
    place = Path(tempfile.mkdtemp(prefix="strongroom-"))
    place.chmod(0o755)
    before = {name: os.environ.pop(name, None) for name in KEPT}
    os.environ.update(
        STRONGROOM_HOME=str(place),
        STRONGROOM_IMAGES=str(settings.images_folder.absolute()),
        STRONGROOM_HTTP__PORT=str(_free_port()),
    )
    try:
        private = load()
        home_layout.prepare(private)
        for name, digest in names_of(settings).items():
            write_name(private, name, digest)
        if settings.image_trees.is_dir():
            shutil.copytree(settings.image_trees, private.image_trees, dirs_exist_ok=True)
        pinned = settings.home / "trust" / "checks-image"
        if pinned.is_file():
            shutil.copy(pinned, private.home / "trust" / "checks-image")
        yield private
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _served(private: Settings) -> Iterator[None]:
    with open(private.home / "logs" / "serve.log", "ab") as log:
        process = subprocess.Popen(
            [python(), "-P", "-m", "strongroom.cli", "serve"],
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until_ready(private, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _add(private: Settings, operator: str, dataset: str, files: list[Path], *, clear: Collection[str]) -> None:
    with Client(private.base_url, operator) as client:
        # Their own open data: a few files are enough, also where outputs may leave (T6 guards what is kept here).
        said = {"id": dataset, "title": dataset, "observability": "open", "min_population": 0}
        client.post(f"{ARCHIVE}/datasets", said)
        for file in files:
            with open(file, "rb") as content:
                person = file.name.split(".")[0]
                ingest.add(client, dataset, content, name=file.name, person=person, clear=file.name in clear)
        client.post(f"{ARCHIVE}/datasets/{dataset}:share", {"project": PROJECT})


def _dataset(slot: str) -> str:
    return f"own-{slot.replace('_', '-')}"


def _outcome(private: Settings, run: str, state: str, rule_for: Any) -> Outcome:
    engine = open_database(private.database, joined=private.joined)
    try:
        with reading(engine) as session:
            rows = session.query(AuditEvent).filter_by(event=Event.RUN_TASK_REFUSED.value, subject=run)
            refused = [_facts(row.body) for row in rows.order_by(AuditEvent.seq)]
            made = {path: file.rule for path, file in files_of(session, run).items() if file.rule is not None}
    finally:
        engine.dispose()
    files = [{"path": path, "rule": rule or "", "contract": _goes(rule_for(path))} for path, rule in made.items()]
    log = private.home / "runs" / run / "engine.log"
    said = log.read_text(errors="replace")[-3000:] if log.is_file() else ""
    return Outcome(state, refused, sorted(files, key=lambda file: file["path"]), said)


def _facts(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body)["facts"]
    return found


def _goes(rule: Any) -> str:
    return "not promised: stays inside" if rule is None else str(rule.release.value)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_parameters(file: Path | None) -> dict[str, Any]:
    """Return the parameters in a YAML or JSON file, without its inputs."""
    try:
        found = yaml.safe_load(file.read_text()) if file is not None else {}
    except (OSError, yaml.YAMLError) as error:
        raise BadRequest("--params: a YAML or JSON file with the workflow's parameters.") from error
    if not isinstance(found, dict) or "inputs" in found:
        raise BadRequest("--params: an object of parameters; inputs are the folders in --inputs.")
    return found
