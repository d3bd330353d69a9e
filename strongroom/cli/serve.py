"""`strongroom serve`: a small parent that keeps the processes of the embedded default alive (decision 3)."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx
import typer

from strongroom.cli import home, reach
from strongroom.errors import Unavailable
from strongroom.settings import Settings, load, python

PROCESSES = {"broker": "broker", "signer": "signer", "dispatcher": "root", "worker": "services", "api": "services"}
PATIENCE = 60.0
LONGEST_WAIT = 10.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Child:
    """One process that is kept alive."""

    name: str
    owner: str
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started: float = 0.0
    not_before: float = field(default=0.0)


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML); else the embedded default.")] = None,
) -> None:
    """Run Strongroom: everything on one address, state in one folder."""
    if config is not None:
        os.environ["STRONGROOM_CONFIG"] = str(config.absolute())
    settings = load()
    os.environ["STRONGROOM_HOME"] = str(settings.home)
    home.prepare(settings)
    if os.geteuid() == 0:
        reach.open_ways(home.needed_paths(settings))
    else:
        typer.echo("Not root: all processes share one user; `strongroom doctor` says what that weakens.", err=True)
    _keep_alive(settings)


def _keep_alive(settings: Settings) -> None:
    children = [Child(name, owner) for name, owner in PROCESSES.items()]
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    told = False
    while not stopping:
        for child in children:
            _look_after(child, settings)
        if not told and _is_ready(settings):
            typer.echo(f"Strongroom is ready on {settings.base_url}")
            sys.stdout.flush()
            told = True
        time.sleep(0.1)
    _stop(children)


def _look_after(child: Child, settings: Settings) -> None:
    if child.process is not None and child.process.poll() is None:
        return
    moment = time.monotonic()
    if child.process is not None:
        short = moment - child.started < LONGEST_WAIT
        child.failures = child.failures + 1 if short else 1
        child.not_before = moment + min(0.2 * 2**child.failures, LONGEST_WAIT)
        typer.echo(f"{child.name} ended ({child.process.returncode}); it is started again.", err=True)
        child.process = None
    if moment >= child.not_before:
        child.process, child.started = _start(child, settings), moment


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _start(child: Child, settings: Settings) -> subprocess.Popen[bytes]:
    root = os.geteuid() == 0
    uid = home.uid_of(settings, child.owner) if root else None
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    # For whom started us: tracebacks name files, and nobody else needs them.
    with open(settings.home / "logs" / f"{child.name}.log", "ab", opener=_for_its_owner) as log:
        return subprocess.Popen(
            [python(), "-P", "-m", "strongroom.cli.process", child.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**_plain_environment(), "STRONGROOM_HOME": str(settings.home)},
            user=uid if uid else None,
            group=settings.uids.group if root else None,
            extra_groups=[] if root else None,
            umask=0o007,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )


def _plain_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith("STRONGROOM_")}
    kept.pop("STRONGROOM_TOKEN", None)
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **kept}


def _is_ready(settings: Settings) -> bool:
    try:
        return httpx.get(f"{settings.base_url}/readyz", timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until_ready(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server that we started answers; raise `Unavailable` when it ended or the time is up."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Unavailable("Strongroom did not start; the logs in its home say why.")
        if _is_ready(settings):
            return
        time.sleep(0.1)
    raise Unavailable("Strongroom did not get ready in time; the logs in its home say why.")


def _stop(children: list[Child]) -> None:
    living = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in living:
        process.terminate()
    end = time.monotonic() + 10
    for process in living:
        try:
            process.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
