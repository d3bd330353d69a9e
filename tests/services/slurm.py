"""Runs a real SLURM on this host from its own files: two nodes with agents, accounting, slurmrestd, in one folder."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).resolve().parent
JOINER = HERE.parents[1] / ".venvs" / "joiner" / "joiner"  # `make setup` builds it
# slurmdbd listens at the address of its host's name, whatever this host's may be.
ON_LOOPBACK = "hostname localhost && exec setpriv --reuid=slurm --regid=slurm --clear-groups slurmdbd -D"
# SLURM runs jobs as users that have a name: these are made on this host when they are missing, and stay.
USERS = ("strongroom-job1", "strongroom-job2")
PATIENCE = 60.0  # for one daemon, on a busy machine
SAVED_WITHIN = 7.0  # slurmctld writes what has changed after 5 s at the latest


class NoSlurm(Exception):
    """The cluster cannot be started or steered; says which part, and what it wrote last."""


@dataclass(frozen=True)
class Daemon:
    """One process of the cluster: what is run, by whom, and how to see that it answers."""

    argv: list[str]
    answers: Callable[[], bool]
    user: str = "root"
    env: dict[str, str] = field(default_factory=dict)


class Slurm:
    """A cluster of `nodes` nodes, `cpus` cores each (more than the host has: jobs of tests sleep)."""

    def __init__(self, *, nodes: int = 2, cpus: int = 32) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="strongroom-slurm-"))
        self.conf = self.home / "slurm.conf"
        self.rest_socket = self.home / "rest" / "socket"
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.agent = self.home / "agent"  # on each node its agent's folder lies here
        self.joiner = self.home / "joiner"
        self._cpus = cpus
        self._ports = _free_ports(3 + nodes)
        self.rest_url = f"http://127.0.0.1:{self._ports[2]}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._daemons: dict[str, Daemon] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every daemon, and return when jobs can be submitted by all doors."""
        try:
            for user in USERS:
                _make_user(user)
            self._write_files()
            self._daemons = self._all_daemons()
            self.restart("munged")
            self._make_database()
            self.restart("slurmdbd")
            self.run("sacctmgr", "-i", "add", "cluster", "tests")
            self.run("sacctmgr", "-i", "add", "account", "science")
            self.run("sacctmgr", "-i", "add", "user", ",".join(USERS), "account=science")
            for name in ("slurmctld", *(f"slurmd-{node}" for node in self.nodes)):
                self.restart(name)
            self._wait("nodes that are idle", self._all_idle)
            self.restart("slurmrestd")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End what `start` and the cluster's jobs left running, by pid, and remove the folder."""
        for name in reversed(self._running):
            self._running[name].terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._running[name].wait(10)
            self.kill(name)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)

    def kill(self, name: str) -> None:
        """Kill -9 one daemon: slurmctld, slurmd-n1, slurmdbd, slurmrestd, munged, mariadbd."""
        self._running[name].kill()
        self._running[name].wait()

    def restart(self, name: str, *more: str) -> None:
        """Start one daemon, again or for the first time, until it answers; with -c, slurmctld forgets all."""
        daemon = self._daemons[name]
        who = pwd.getpwnam(daemon.user)
        with (self.home / "log" / f"{name}.out").open("ab") as out:
            self._running[name] = subprocess.Popen(
                [*daemon.argv, *more],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**self.env(), **daemon.env},
                cwd="/",
                user=who.pw_uid,
                group=who.pw_gid,
                extra_groups=[],
                start_new_session=True,
            )
        self._wait(name, daemon.answers)

    def start_agent(self, node: str, door: str) -> None:
        """Start the node's agent, which asks the dispatcher at `door`, HOST:PORT; its papers lie in `papers_of`."""
        folder = self.home / "nodes" / node
        said = {"door": door, "papers": self.papers_of(node), "run": self.agent, "spool": self.spool_of(node)}
        (folder / "agent.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in said.items()))
        self._daemons[f"agent-{node}"] = Daemon(
            self._on(node, [sys.executable, "-P", "-m", "sandbox.agent", str(folder / "agent.toml")]),
            lambda: _connects(folder / "run" / "join.sock"),
            env={"PYTHONPATH": str(HERE.parents[1])},  # the code that is tested, wherever the environment has its own
        )
        self.restart(f"agent-{node}")

    def stop_agents(self) -> None:
        """End every node's agent, and what it runs with it."""
        for name in [name for name in self._running if name.startswith("agent-")]:
            self.kill(name)

    def papers_of(self, node: str) -> Path:
        """Return the folder of ca.pem, node.pem and node.key."""
        return self.home / "nodes" / node / "papers"

    def spool_of(self, node: str) -> Path:
        """Return the folder of results that were not told yet."""
        return self.home / "nodes" / node / "results"

    def pid(self, name: str) -> int:
        """Return the process of one daemon."""
        return self._running[name].pid

    def said(self, name: str) -> str:
        """Return what a daemon wrote on its standard error."""
        return (self.home / "log" / f"{name}.out").read_text()

    def _on(self, node: str, argv: list[str]) -> list[str]:
        """Return the command that runs `argv` where the node's own folder lies at the place that all nodes share."""
        mount = 'mount --bind "$0" "$1" && shift && exec "$@"'
        own = str(self.home / "nodes" / node / "run")
        return ["unshare", "--mount", "sh", "-c", mount, own, str(self.agent), *argv]

    def settle(self) -> None:
        """Wait until slurmctld's memory is on disk: killed before, it forgets seconds of it and does them again."""
        state, before = self.home / "ctld" / "job_state", time.time()
        # What is written within the next second may have been gathered before.
        while time.time() < before + SAVED_WITHIN and state.stat().st_mtime < before + 1:
            time.sleep(0.1)

    def env(self) -> dict[str, str]:
        """Return the environment in which SLURM's own commands speak to this cluster."""
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": str(self.conf)}

    def run(self, *argv: str, timeout: float = 30) -> str:
        """Run one of SLURM's commands as root and return what it prints."""
        done = subprocess.run(argv, env=self.env(), capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise NoSlurm(f"{argv}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def token(self, user: str, seconds: int) -> str:
        """Return a JWT with which slurmrestd takes its bearer for `user`."""
        said = self.run("scontrol", "token", f"username={user}", f"lifespan={seconds}")
        return said.strip().removeprefix("SLURM_JWT=")

    def _write_files(self) -> None:
        self.home.chmod(0o755)
        self.agent.mkdir()
        for node in self.nodes:
            (self.home / "nodes" / node / "run").mkdir(parents=True)
        shutil.copy(JOINER, self.joiner)
        owners = {
            "munge": "root",
            "database": "slurm",
            "ctld": "slurm",
            "log": "slurm",
            "run": "slurm",
            "rest": "nobody",
        }
        for name, owner in owners.items():
            (self.home / name).mkdir()
            shutil.chown(self.home / name, owner)
        _write(self.home / "munge" / "key", secrets.token_bytes(128), owner="root", mode=0o400)
        _write(self.home / "ctld" / "jwt.key", secrets.token_bytes(64), owner="slurm", mode=0o600)
        _write(self.home / "gres.conf", b"Name=token Count=4\n", owner="slurm", mode=0o644)
        _write(self.home / "slurmdbd.conf", self._filled("slurmdbd.conf.in"), owner="slurm", mode=0o600)
        _write(self.conf, self._filled("slurm.conf.in") + self._nodes().encode(), owner="slurm", mode=0o644)

    def _filled(self, template: str) -> bytes:
        text = (HERE / template).read_text()
        values = {"HOME": self.home, "CTLD_PORT": self._ports[0], "DBD_PORT": self._ports[1]}
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        return text.encode()

    def _nodes(self) -> str:
        lines = []
        for node, port in zip(self.nodes, self._ports[3:], strict=True):
            (self.home / "spool" / node).mkdir(parents=True)
            where = f"NodeHostname={socket.gethostname().partition('.')[0]} NodeAddr=127.0.0.1 Port={port}"
            lines.append(f"NodeName={node} {where} CPUs={self._cpus} RealMemory=8000 Feature={node} Gres=token:4")
        every = ",".join(self.nodes)
        lines.append(f"PartitionName=main Nodes={every} Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=64")
        lines.append(f"PartitionName=urgent Nodes={every} MaxTime=INFINITE State=UP DefMemPerCPU=64 PriorityTier=10")
        lines.append(f"PartitionName=down Nodes={every} MaxTime=INFINITE State=DOWN DefMemPerCPU=64")
        return "\n".join([*lines, ""])

    def _all_daemons(self) -> dict[str, Daemon]:
        munge, database = self.home / "munge", self.home / "database"
        ctld, dbd, rest = self._ports[:3]
        return {
            "munged": Daemon(
                [
                    "munged",
                    "--foreground",
                    "--force",
                    f"--key-file={munge}/key",
                    f"--socket={munge}/socket",
                    f"--pid-file={munge}/pid",
                    f"--log-file={munge}/log",
                    f"--seed-file={munge}/seed",
                ],
                (munge / "socket").is_socket,
            ),
            "mariadbd": Daemon(
                [
                    "mariadbd",
                    "--no-defaults",
                    f"--datadir={database}/data",
                    "--skip-networking",
                    f"--socket={database}/socket",
                    f"--pid-file={database}/pid",
                    "--innodb-buffer-pool-size=64M",
                    "--innodb-lock-wait-timeout=900",
                    "--innodb-flush-log-at-trx-commit=2",
                ],
                lambda: _connects(database / "socket"),
                user="slurm",
            ),
            "slurmdbd": Daemon(
                ["unshare", "--uts", "sh", "-c", ON_LOOPBACK],
                lambda: _connects(dbd),
                env={"MYSQL_UNIX_PORT": f"{database}/socket"},
            ),
            "slurmctld": Daemon(["slurmctld", "-D"], lambda: _connects(ctld)),
            **{
                f"slurmd-{node}": Daemon(self._on(node, ["slurmd", "-D", "-N", node]), lambda: True)
                for node in self.nodes
            },
            "slurmrestd": Daemon(
                [
                    "slurmrestd",
                    "-s",
                    "v0.0.38,dbv0.0.38",
                    "-a",
                    "rest_auth/jwt",
                    f"unix:{self.rest_socket}",
                    f"127.0.0.1:{rest}",
                ],
                lambda: _connects(rest) and _connects(self.rest_socket),
                user="nobody",
                env={"SLURM_JWT": "daemon"},
            ),
        }

    def _make_database(self) -> None:
        data = f"--datadir={self.home}/database/data"
        by = ("--user=slurm", "--auth-root-authentication-method=socket", "--skip-test-db")
        self.run("mariadb-install-db", "--no-defaults", data, *by)
        self.restart("mariadbd")
        # The data's owner, slurm, is its administrator already: by the socket, without a password.
        self.run(
            "mariadb", "--no-defaults", f"--socket={self.home}/database/socket", "-e", "create database slurm_acct"
        )

    def _all_idle(self) -> bool:
        with contextlib.suppress(NoSlurm):
            return self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split() == ["idle"] * len(self.nodes)
        return False

    def _wait(self, what: str, answers: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not answers():
            running = self._running.get(what)
            if time.monotonic() > end or (running is not None and running.poll() is not None):
                log = self.home / "log" / f"{what}.out"
                raise NoSlurm(f"No {what}: {log.read_text()[-2000:] if log.exists() else ''}")
            time.sleep(0.02)

    def processes(self) -> Iterator[int]:
        """Yield the pids of this cluster's processes: all carry the path of its configuration."""
        mark = f"SLURM_CONF={self.conf}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        yield int(entry.name)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


def _connects(where: Path | int) -> bool:
    family, address = (
        (socket.AF_UNIX, str(where)) if isinstance(where, Path) else (socket.AF_INET, ("127.0.0.1", where))
    )
    with socket.socket(family) as sock:
        return sock.connect_ex(address) == 0


def _write(path: Path, body: bytes, *, owner: str, mode: int) -> None:
    path.touch(mode=0o600)
    path.write_bytes(body)
    shutil.chown(path, owner)
    path.chmod(mode)


def _make_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
        )
