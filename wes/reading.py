"""The walls in which an engine reads a workflow that nobody vetted yet: no network, no socket, little time."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox import bubblewrap, seccomp
from sandbox.plan import memory, words_to_read
from strongroom.errors import StrongroomError
from strongroom.folders import listing
from strongroom.settings import Settings
from wes.engines import limited, walls_round

MOST_BYTES = 8 << 20
SECONDS = 60  # of a processor
PATIENCE = 180  # seconds; a busy host gives a reading few of them
MEMORY = 2 << 30
MOST_SAID = 1 << 20


class NotRead(StrongroomError):
    """Reading ended without an answer: a finding about the workflow."""


class NotReadable(NotRead):
    """The engine ended without an answer; `detail` is what it said, hostile text for the screen of who asked."""

    def __init__(self, *, detail: str) -> None:
        super().__init__("The engine could not read this workflow.", detail=detail)


@contextmanager
def copied(settings: Settings, folder: Path) -> Iterator[Path]:
    """Copy a workflow's plain files to where a user without rights can read them; links are refused."""
    with tempfile.TemporaryDirectory(prefix="strongroom-vet-") as place:
        top = Path(place)
        top.chmod(0o755)
        for row in listing(folder):
            copy = top / "workflow" / str(row["path"])
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / str(row["path"]), copy)
            copy.chmod(0o644)
        (top / "work").mkdir()
        if os.geteuid() == 0:
            os.chown(top / "work", settings.uids.services, settings.uids.group)
        yield top


def read_inside(
    settings: Settings,
    top: Path,
    command: list[str],
    *,
    environment: dict[str, str],
    engine: Sequence[tuple[Path, str]] | None = None,
) -> bytes:
    """Return what `command` printed inside the walls: hostile text of at most MOST_BYTES + 1 bytes.

    `engine` is what it sees of an engine; Snakemake's own, if nothing is said.
    """
    filter_fd = memory(seccomp.program())
    seen = engine or [(settings.wes.snakemake, "/opt/engine"), (settings.wes.plugins, "/opt/plugins")]
    words = walls_round(top / "work", [*seen, (top / "workflow", "/run/workflow")], environment)
    words += ["--seccomp", str(filter_fd)]
    options_fd = words_to_read(words)
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained:
        try:
            reading = subprocess.Popen(
                [
                    *limited(*_limits()),
                    str(bubblewrap.find_bubblewrap().path),
                    "--args",
                    str(options_fd),
                    "--",
                    *command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=complained,
                env={},
                pass_fds=(filter_fd, options_fd),
                start_new_session=True,
                **_nobody(settings),
            )
        finally:
            os.close(filter_fd)
            os.close(options_fd)
        if _ended(reading):
            complained.seek(0)
            raise NotReadable(detail=complained.read(MOST_SAID).decode(errors="replace")[-4000:])
        printed.seek(0)
        return printed.read(MOST_BYTES + 1)


def _ended(reading: "subprocess.Popen[bytes]") -> int:
    """Return the exit code; who takes too long is killed with the whole group: its half-built walls would stay."""
    with reading:
        try:
            return reading.wait(PATIENCE)
        except BaseException as error:
            os.killpg(reading.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise NotRead("The workflow could not be read in time; split it.", detail="too long") from error
            raise


def _limits() -> tuple[str, ...]:
    return (f"--as={MEMORY}", f"--cpu={SECONDS}", f"--fsize={2 * MOST_BYTES}", "--nofile=1024")


def _nobody(settings: Settings) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": settings.uids.services, "group": settings.uids.group, "extra_groups": []}
