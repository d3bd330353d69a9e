"""A whole Strongroom for tests: real processes, real data, the people of the demo; never a mock."""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from archive.keys.standing import stored_objects
from demo import bare, people
from demo.people import AIRLOCK, PROJECT, Cast
from demo.stage import Stage
from strongroom.cli.run import TERMINAL, WES, send
from strongroom.database import open_database, reading
from strongroom.settings import SOURCE
from wes.store import files_of

FREQUENCIES = SOURCE / "workflows" / "cohort-frequencies" / "1.0.0"
CALLING = SOURCE / "workflows" / "variant-calling" / "1.0.0"
CALLING_NF = SOURCE / "workflows" / "variant-calling-nf" / "1.0.0"
PATIENCE = 240
DAY = str(24 * 3600)  # all tests of a session use the tokens of its first minute
DATED = (".vcf.gz", ".bcf", ".tbi", ".csi")


class Site:
    """One running Strongroom, and what a story does on it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.stage = Stage(home, environment={"STRONGROOM_IDENTITY__TOKEN_SECONDS": DAY, **environment})
        self.cast: Cast
        self.secret = home / "ruth.key"
        self.fingerprint = ""
        self.patience = PATIENCE

    def open(self, calls: list[Path], reads: list[Path]) -> None:
        """Start it, and bring in images, people, datasets (one open, one coarse) and three vetted workflows."""
        self.stage.import_image("genomics", people.genomics_image())
        self.stage.import_image("checks", people.checks_image(), checks=True)
        self.stage.start()
        self.cast = people.cast(self.stage)
        self.add("hapmap", calls, observability="open")
        # As data of nobody: of a few persons' coarse data a test would see one end of every run (T6).
        self.add("hapmap-coarse", calls, observability="coarse", min_population=0)
        self.add("na18507", reads, observability="open")
        for folder in (FREQUENCIES, CALLING, CALLING_NF):
            self.stage.vet(folder, "vera", "viktor")
        self.fingerprint = people.register_key(self.stage, self.cast.researcher, self.secret)

    def add(self, dataset: str, files: list[Path], *, observability: str, **more: Any) -> None:
        """Add a dataset as its owner does; `more` as `people.add_dataset` has it."""
        people.add_dataset(self.stage, self.cast.operator, dataset, files, observability=observability, **more)

    def submit(self, workflow: str, params: dict[str, Any], *, token: str = "", engine: str = "snakemake") -> str:
        """Submit a run and return its id."""
        with self.stage.client(token or self.cast.researcher) as client:
            return send(client, workflow, PROJECT, params, engine=engine)

    def ended(self, run: str, *, token: str = "") -> str:
        """Wait for the end of a run and return its state."""
        end = time.monotonic() + self.patience
        with self.stage.client(token or self.cast.researcher) as client:
            while (state := client.get(f"{WES}/runs/{run}/status")["state"]) not in TERMINAL:
                assert time.monotonic() < end, f"the run is still {state}\n{self.what_happened()}"
                time.sleep(0.2)
        return str(state)

    def frequencies(self, dataset: str = "hapmap", **params: Any) -> str:
        """Run the cohort's workflow to its end."""
        run = self.submit("cohort-frequencies/1.0.0", {"inputs": {"calls": dataset}, **params})
        assert self.ended(run) == "COMPLETE", self.engine_log(run)
        return run

    def calling(self) -> str:
        """Run one person's calling to its end."""
        run = self.submit("variant-calling/1.0.0", {"inputs": bare.CALLING_INPUTS})
        assert self.ended(run) == "COMPLETE", self.engine_log(run)
        return run

    def calling_nf(self) -> str:
        """Run one person's calling by Nextflow to its end."""
        run = self.submit("variant-calling-nf/1.0.0", {"inputs": bare.CALLING_INPUTS}, engine="nextflow")
        assert self.ended(run) == "COMPLETE", self.engine_log(run)
        return run

    def sizes(self, run: str) -> dict[str, int]:
        """Return what a run's tasks left, in bytes by path; of what is compressed with a date inside, 0."""
        engine = open_database(self.stage.settings.database)
        with reading(engine) as session:
            objects = {
                path: file.object for path, file in files_of(session, run).items() if file.task and file.object
            }
            sizes = {row.id: row.size for row in stored_objects(session, list(objects.values()))}
        engine.dispose()
        return {path: 0 if path.endswith(DATED) else sizes[one] for path, one in objects.items()}

    def held(self, run: str) -> dict[str, Any]:
        """Wait until the airlock has judged a run's outputs; return them by path."""
        end = time.monotonic() + self.patience
        with self.stage.client(self.cast.researcher) as client:
            while not (held := client.get(f"{AIRLOCK}/outputs", run=run))["settled"]:
                assert time.monotonic() < end, held
                time.sleep(0.2)
        return {file["path"]: file for file in held["files"]}

    def requested(self, run: str) -> str:
        """Draft a release request for all outputs of a run and submit it; return its id."""
        self.held(run)
        with self.stage.client(self.cast.researcher) as client:
            request = client.post(f"{AIRLOCK}/requests", {"run": run, "purpose": "For a test."})["id"]
            self.wait_for(request, "READY")
            client.post(f"{AIRLOCK}/requests/{request}:submit", {"key": self.fingerprint})
        return str(request)

    def vote(self, request: str, token: str, vote: str = "yes") -> None:
        """Look at each file and vote, as a steward."""
        with self.stage.client(token) as steward:
            files = steward.get(f"{AIRLOCK}/reviews/{request}")["files"]
            blocked = {file["path"]: file["findings"] for file in files if file["verdict"] == "block"}
            assert vote != "yes" or not blocked, blocked
            for file in files:
                steward.get(f"{AIRLOCK}/reviews/{request}/files/{file['id']}/view")
            reason = {} if vote == "yes" else {"reason": "unclear"}
            steward.post(
                f"{AIRLOCK}/reviews/{request}:vote",
                {"votes": [{"file": file["id"], "vote": vote, **reason} for file in files]},
            )

    def approved(self, request: str) -> None:
        """Have both stewards vote yes, and the request released."""
        self.vote(request, self.cast.first_steward)
        self.vote(request, self.cast.second_steward)
        with self.stage.client(self.cast.first_steward) as steward:
            steward.post(f"{AIRLOCK}/reviews/{request}:consolidate", {"outcome": "approve"})
        self.wait_for(request, "RELEASED")

    def wait_for(self, request: str, state: str) -> None:
        """Wait until a request is in `state`."""
        end = time.monotonic() + self.patience
        with self.stage.client(self.cast.researcher) as client:
            while (now := client.get(f"{AIRLOCK}/requests/{request}")["state"]) != state:
                assert time.monotonic() < end, f"the request is {now}, not {state}"
                time.sleep(0.2)

    def downloaded(self, request: str, folder: Path) -> dict[str, Path]:
        """Download and decrypt what was released; return the files by name."""
        words = ("release", "download", request, "--out", str(folder), "--key", str(self.secret))
        self.stage.run(*words, token=self.cast.researcher)
        return {path.name: path for path in folder.rglob("*") if path.is_file()}

    def what_happened(self) -> str:
        """Return the last lines of every log and what the tasks are at, for a failing test's message."""
        logs = [f"== {log.name}\n{log.read_text()[-1500:]}" for log in sorted((self.stage.home / "logs").iterdir())]
        query = "select run, id, state, attempts, started, ended from tasks where state not in ('COMPLETE')"
        with contextlib.closing(
            sqlite3.connect(f"file:{self.stage.home}/database/strongroom.db?mode=ro", uri=True)
        ) as base:
            rows = (
                base.execute(query).fetchall()
                + base.execute("select id, state, lease_owner, lease_until from runs").fetchall()
            )
        return "\n".join([*logs, *map(str, rows)])

    def engine_log(self, run: str) -> str:
        """Return what the engine printed, for a failing test's message."""
        log = self.stage.home / "runs" / run / "engine.log"
        return log.read_text()[-3000:] if log.exists() else "no engine log"
