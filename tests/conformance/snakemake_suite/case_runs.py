"""Runs a workflow of the suite as a researcher's run of a vetted workflow, and compares what it left."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from site_of_tests import Site
from sorting import text_of
from suite import VERSION, Case

from archive.keys.kek import Kek
from archive.keys.keyring import Keyring
from archive.keys.purposes import KeyName, Purpose
from archive.keys.standing import stored_objects
from demo import people
from demo.people import PROJECT
from sandbox.crypt4gh import body_length_of, open_header
from strongroom.cli.run import send
from strongroom.database import open_database, reading
from wes.rules import MOST_CONTENT
from wes.store import files_of

SEGMENT = 65_536 + 28
PLAIN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+=,-]*/)*[A-Za-z0-9_][A-Za-z0-9._+=,-]*")


@dataclass(frozen=True)
class Outcome:
    """What became of a case: nothing to say if the suite would be content."""

    case: Case
    differs: str | None
    log: str = ""


class Suite:
    """One Strongroom whose only use is to run the suite's workflows."""

    def __init__(self, home: Path) -> None:
        # The suite asks for up to five cores and 40 GB a job, and uses next to nothing.
        self.site = Site(
            home, STRONGROOM_TES__CORES="5", STRONGROOM_TES__MEMORY_GB="64", STRONGROOM_TES__TASK_MEMORY_GB="0.2",
            STRONGROOM_WES__PERSON_RUNS_OPEN="200",  # all cases wait at once
        )  # fmt: skip

    def open(self) -> None:
        """Start it with one image and one researcher; no data, for the suite brings its own."""
        self.site.stage.import_image("genomics", people.genomics_image())
        self.site.stage.import_image("checks", people.checks_image(), checks=True)
        self.site.stage.start()
        self.site.cast = people.cast(self.site.stage)

    def submit(self, case: Case, folder: Path) -> str:
        """Vet a case's own folder, unchanged but for a manifest, and submit it; return the run's id."""
        url = self.site.stage.vet(_with_manifest(case, folder), "vera", "viktor")
        with self.site.stage.client(self.site.cast.researcher) as client:
            return send(client, url, PROJECT, {}, options=_options(case))

    def outcome(self, case: Case, run: str) -> Outcome:
        """Wait for a run's end and compare."""
        state = self.site.ended(run)
        log = self.site.engine_log(run)
        if state != ("EXECUTOR_ERROR" if case.fails else "COMPLETE"):
            return Outcome(case, f"it ended as {state}", log)
        refused = re.search(r"not a file of this run|Instead, |executors\[0\]", log)
        if case.fails and refused:
            return Outcome(case, "it failed for a reason of ours", log)
        if not case.compares:
            return Outcome(case, None)
        return Outcome(case, "; ".join(self._differences(case, run)) or None, log)

    def _differences(self, case: Case, run: str) -> Iterator[str]:
        found = self._files(run)
        expected = case.folder / "expected-results"
        for path in sorted(p.relative_to(expected).as_posix() for p in expected.rglob("*") if p.is_file()):
            if path.rpartition("/")[2].startswith(".git") or path.endswith("_WIN"):
                continue  # as the suite itself
            content = found.get(path)
            if content is None:
                yield f"{path} is missing"
            elif case.asked.get("check_md5", True) and content.strip() != (expected / path).read_bytes().strip():
                yield f"{path} has other content"

    def _files(self, run: str) -> dict[str, bytes]:
        """Return what a run has at its end, opened as only the broker could."""
        settings = self.site.stage.settings
        engine = open_database(settings.database)
        keyring = Keyring(engine, Kek((settings.home / "broker" / "kek").read_bytes()))
        secret = keyring.current(KeyName(Purpose.RUN, run)).secret
        with reading(engine) as session:
            files = {path: row.object for path, row in files_of(session, run).items()}
            objects = {row.id: row for row in stored_objects(session, [one for one in files.values() if one])}
        engine.dispose()
        given = self.site.stage.home / "runs" / run / "work"
        found = {p.relative_to(given).as_posix(): b"" for p in given.rglob("*") if p.is_file()}
        for path in list(found):
            # Files of the vetted folder lie in the engine's tree with their content; touch() outputs are empty.
            found[path] = (given / path).read_bytes()
        return found | {path: self._opened(objects[one], secret) for path, one in files.items() if one}

    def _opened(self, row: Any, secret: bytes) -> bytes:
        key = ChaCha20Poly1305(open_header(row.header, secret))
        body = (self.site.stage.home / "objects" / row.id[:2] / row.id).read_bytes()[: body_length_of(row.size)]
        parts = [body[start : start + SEGMENT] for start in range(0, len(body), SEGMENT)]
        return b"".join(key.decrypt(part[:12], part[12:], None) for part in parts)


def _options(case: Case) -> dict[str, str]:
    """Return the engine parameters that a case asks for, as WES has them."""
    given = {word: value for word, value in case.asked.items() if word in ("retries", "until", "forceall")}
    said = {
        word: ",".join(map(str, value)) if isinstance(value, list | tuple | set) else str(value).lower()
        for word, value in given.items()
    }
    return said | _asked_in_words(str(case.asked.get("shellcmd", "")))


def _asked_in_words(command: str) -> dict[str, str]:
    found = re.search(r"--until (\w+)", command)
    retries = re.search(r"--retries (\d)", command)
    return ({"until": found[1]} if found else {}) | ({"retries": retries[1]} if retries else {})


def _with_manifest(case: Case, folder: Path) -> Path:
    shutil.copytree(case.folder, folder, ignore=shutil.ignore_patterns("expected-results"), symlinks=False)
    named = hashlib.sha256(case.name.encode()).hexdigest()[:8]
    config = case.asked.get("config") or {}
    properties = {name: {"enum": [value], "default": value} for name, value in config.items()}
    said = {
        "name": f"case-{named}",
        "version": "1.0.0",
        "title": case.name,
        "engine": {"name": "snakemake", "version": VERSION},
        "entry": case.snakefile,
        "images": ["genomics"],
        "targets": list(case.targets) or "full",
        "until": [rule for rule in _options(case).get("until", "").split(",") if rule],
        "work": [path for path in _texts(folder) if PLAIN.fullmatch(path)],
        "names": _names(case),
        "parameters": {"type": "object", "additionalProperties": False, "properties": properties},
        "outputs": [{"release": "inside"}],
        "commands": "free",
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(said))
    return folder


def _texts(folder: Path) -> Iterator[str]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with suppress(ValueError):
            if len(path.read_bytes().decode()) <= MOST_CONTENT:
                yield path.relative_to(folder).as_posix()


def _names(case: Case) -> list[dict[str, Any]]:
    """Grant names to every rule with a directory: the suite's workflows were not written for grants."""
    rules = re.split(r"(?m)^(?:rule|checkpoint)\s+", text_of(case))[1:]
    named = [(re.match(r"\w+", one), one) for one in rules]
    granted = dict.fromkeys(found[0] for found, one in named if found and "directory(" in one)
    return [{"rule": rule, "characters": "A-Za-z0-9._/-", "longest": 40, "most": 50} for rule in granted]
