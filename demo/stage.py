"""A whole Strongroom on this host, started and stopped: what the demo plays on, and the journey tests."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from archive import decisions
from sandbox import images
from strongroom import audit
from strongroom.audit import Entry, Event
from strongroom.cli import home as home_layout
from strongroom.cli import key as key_verbs
from strongroom.cli.client import Client
from strongroom.cli.image import write_name
from strongroom.cli.serve import wait_until_ready
from strongroom.cli.token import issue
from strongroom.database import open_database, transaction
from strongroom.projects import Role
from strongroom.settings import SOURCE, Settings, load
from wes import catalogue

CACHE = Path.home() / ".cache" / "strongroom"
STORE = images.Store(CACHE / "store", CACHE / "store-trees")  # of this host's demos and tests together


class Stage:
    """One home, one server, and the people who use it; everything goes through the same doors as for anybody."""

    def __init__(self, home: Path, *, environment: dict[str, str] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)
        self.environment = {
            "STRONGROOM_HOME": str(home),
            "STRONGROOM_IMAGES": str(STORE.folder),
            "STRONGROOM_HTTP__PORT": str(free_port()),
            **(environment or {}),
        }
        self.home = home
        self.settings: Settings = self._settings()
        self.process: subprocess.Popen[bytes] | None = None
        home_layout.prepare(self.settings)

    def __enter__(self) -> "Stage":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start `strongroom serve` and wait until it answers."""
        with open(self.home / "logs" / "serve.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "strongroom.cli", "serve"],
                env={**os.environ, **self.environment},
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        wait_until_ready(self.settings, self.process)

    def stop(self) -> None:
        """Stop the server and all its processes."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """End the server as a power cut would: kill -9 of the parent; its processes die with it."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def token(self, person: str, role: Role, project: str | None = None) -> str:
        """Return a token of the development issuer, as `strongroom token` prints it."""
        return issue(self.settings, person, role=role, project=project)

    def client(self, token: str) -> Client:
        """Return an HTTP client of this server."""
        return Client(self.settings.base_url, token)

    def import_image(self, name: str, layout: Path, *, checks: bool = False) -> str:
        """Import an image as `strongroom image import` does; return its digest."""
        known = STORE.trust if self.settings.images_folder == STORE.folder else self.settings.image_trees
        record = images.import_image(layout, images.Store(self.settings.images_folder, known))
        if known != self.settings.image_trees:  # a demo does not unpack again what one before has checked
            shutil.copy(known / record.digest.removeprefix("sha256:"), self.settings.image_trees)
        write_name(self.settings, name, record.digest)
        if checks:
            (self.home / "trust" / "checks-image").write_text(record.digest + "\n")
        engine = open_database(self.settings.database)
        with transaction(engine) as session:
            facts: dict[str, Any] = {"name": name, "digest": record.digest, "checks": checks}
            audit.append(session, Entry(Event.IMAGE_IMPORTED, "operator", record.digest[:80], None, facts))
        engine.dispose()
        return record.digest

    def vet(self, folder: Path, *vetters: str) -> str:
        """Take a workflow into the catalogue and have each vetter sign it; return NAME/VERSION."""
        from strongroom.cli.image import names_of
        from strongroom.cli.workflow import private_key

        statement = catalogue.vet(self.settings, folder, names_of(self.settings))
        for vetter in vetters:
            secret = self.home / "vetters" / f"{vetter}.pem"
            if not secret.exists():
                known = sorted((self.home / "vetters").glob("*.pem"))
                endorser = known[0] if known else None
                key_verbs.make_vetter(self.settings, vetter, private=secret, endorsed_by=endorser)
            catalogue.sign(self.settings, statement.workflow, statement.version, private_key(secret))
        return f"{statement.workflow}/{statement.version}"

    def decide(self, workflow: str, version: str, *, person: str, project: str, datasets: Sequence[str] = ()) -> str:
        """Record a decision as WES does, for a run that no engine works on; return the run's id."""
        vetted, run = catalogue.load(self.settings, workflow, version), uuid.uuid4().hex
        engine = open_database(self.settings.database)
        with transaction(engine) as session:
            entries = decisions.record(
                session,
                run=run,
                person=person,
                project=project,
                workflow=workflow,
                version=version,
                workflow_digest=vetted.statement.digest,
                envelope=vetted.envelope,
                images=dict(vetted.statement.images),
                datasets=datasets,
                policy_version=1,
                seconds=3600,
            )
            audit.append(session, *entries)
        engine.dispose()
        return run

    def run(self, *words: str, token: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `strongroom` command as a person would."""
        environment = {**os.environ, **self.environment, "STRONGROOM_SERVER": self.settings.base_url}
        if token:
            environment["STRONGROOM_TOKEN"] = token
        return subprocess.run(
            [sys.executable, "-P", "-m", "strongroom.cli", *words],
            env=environment,
            check=check,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def _settings(self) -> Settings:
        kept = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            return load()
        finally:
            for name, value in kept.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def fresh_home(name: str) -> Path:
    """Return an empty folder for a stage; short, because sockets lie in it, and reachable for all our users."""
    wanted = SOURCE / "strongroom-data" / name
    if len(str(wanted)) > home_layout.LONGEST_HOME:
        wanted = Path(tempfile.mkdtemp(prefix="strongroom-"))
    shutil.rmtree(wanted, ignore_errors=True)
    return wanted


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
