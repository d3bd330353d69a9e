"""Speaks with SLURM through its own commands."""

import os
import pwd
import re
import secrets
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tes.backends.slurm.client import (
    Job,
    JobState,
    SlurmRefused,
    refusal,
    status,
    unavailable,
    wanted,
)

PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_SUBMITTED: Final = re.compile(r"([1-9]\d{0,9})(;[\w.-]+)?\n?")
_REFUSED: Final = re.compile(r"^sbatch: error: Batch job submission failed: (.+)$", re.MULTILINE)
# sbatch itself refuses some wishes that it knows the cluster cannot fulfil, with these words of its own.
_REFUSED_BY_SBATCH: Final = re.compile(r"^sbatch: error: ((?:Invalid|Memory) .*specification.*)$", re.MULTILINE)
_QUEUE: Final = {"JobID": 20, "State": 20, "Reason": 80, "exit_code": 12, "NodeList": 60, "UserName": 40, "Name": 80}
_ACCOUNTS: Final = "jobid,state,reason,exitcode,nodelist,user,jobname"
_FOREVER: Final = "1970-01-02"  # sacct looks at today alone unless it is told


@dataclass(frozen=True)
class Cli:
    """A `SlurmClient` that runs sbatch, squeue, sacct and scancel; `seconds` is how long each may take."""

    conf: Path | None = None
    path: str = PATH
    seconds: float = 30.0

    def submit(self, job: Job) -> int:
        """Hand the script to sbatch on its standard input: no file, and nothing of it in the process list."""
        done = self._run(_sbatch(job), as_user=job.user, script=job.script)
        if done.returncode:
            found = _REFUSED.search(done.stderr) or _REFUSED_BY_SBATCH.search(done.stderr)
            raise refusal(found.group(1)) if found else unavailable(done.stderr)
        taken = _SUBMITTED.fullmatch(done.stdout)
        if taken is None:
            raise unavailable(done.stdout)
        return int(taken.group(1))

    def find(self, users: Mapping[str, str], *, since: datetime) -> list[JobState]:
        """Ask slurmctld, and accounting about the names that it knows nothing of."""
        found = wanted(self._queue(_names(users)), users) if users else []
        left = {name: user for name, user in users.items() if name not in {job.name for job in found}}
        start = f"--starttime=uts{int(since.timestamp())}"
        return found + (wanted(self._accounts([*_names(left), start]), left) if left else [])

    def states(self, ids: Collection[int]) -> dict[int, JobState]:
        """Ask slurmctld about all of them at once, and accounting about all that it has forgotten."""
        found = {job.id: job for job in self._queue([_list("jobs", ids)])} if ids else {}
        forgotten = set(ids) - set(found)
        if forgotten:
            found |= {job.id: job for job in self._accounts([_list("jobs", forgotten), f"--starttime={_FOREVER}"])}
        return {job_id: job for job_id, job in found.items() if job_id in ids}

    def cancel(self, job_id: int, *, user: str) -> None:
        """Run scancel as the job's user: an id that has become another user's job is safe."""
        done = self._run(["scancel", "--quiet", str(job_id)], as_user=user)
        if done.returncode and "denied" in done.stderr:
            raise SlurmRefused("SLURM does not let this user cancel that job.", detail=done.stderr[:500])
        if done.returncode and "Invalid job id" not in done.stderr and "already complet" not in done.stderr:
            raise unavailable(done.stderr)

    def ping(self) -> None:
        """Ask `scontrol ping`."""
        done = self._run(["scontrol", "ping"])
        if done.returncode or " is UP" not in done.stdout:
            raise unavailable(done.stdout + done.stderr)

    def version(self) -> str:
        """Return the MAJOR.MINOR of the commands that are installed here."""
        done = self._run(["sinfo", "--version"])
        found = re.search(r"\b(\d+)\.(\d+)\.\d+", done.stdout)
        if done.returncode or found is None:
            raise unavailable(done.stdout + done.stderr)
        return f"{int(found.group(1))}.{int(found.group(2))}"

    def _queue(self, which: list[str]) -> Iterator[JobState]:
        mark = _mark()
        fields = ",".join(f"{field}:{width}{mark}" for field, width in _QUEUE.items())
        done = self._run(["squeue", "--noheader", "--all", "--states=all", f"--Format={fields}", *which])
        if done.returncode and "Invalid job id specified" in done.stderr:
            return  # so says squeue of one job that slurmctld has forgotten; of many it says nothing
        if done.returncode:
            raise unavailable(done.stderr)
        for job_id, state, reason, raw, nodes, user, name in _rows(done.stdout, mark, len(_QUEUE)):
            if job_id.isdecimal() and raw.isdecimal():
                code, signal = status(int(raw))
                yield JobState(int(job_id), name, state, reason, code, signal, nodes, user)

    def _accounts(self, which: list[str]) -> Iterator[JobState]:
        mark = _mark()
        shape = ["--allocations", "--allusers", "--noheader", "--parsable", f"--delimiter={mark}"]
        done = self._run(["sacct", *shape, f"--format={_ACCOUNTS}", *which])
        if done.returncode and "accounting storage is disabled" in done.stderr:
            return
        if done.returncode:
            raise unavailable(done.stderr)
        for job_id, state, reason, raw, nodes, user, name in _rows(done.stdout, mark, 7):
            code, _, signal = raw.partition(":")
            if job_id.isdecimal() and code.isdecimal() and signal.isdecimal() and state:
                word = state.split()[0]  # "CANCELLED by 1000"
                yield JobState(int(job_id), name, word, reason, int(code), int(signal), nodes, user)

    def _run(
        self, argv: list[str], *, as_user: str | None = None, script: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        env = {"PATH": self.path, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        if self.conf is not None:
            env["SLURM_CONF"] = str(self.conf)
        try:
            return subprocess.run(
                argv,
                input=script or "",
                env=env,
                cwd="/",
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self.seconds,
                check=False,
                **_become(as_user),
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise unavailable(f"{argv[0]}: {type(error).__name__}") from error


def _sbatch(job: Job) -> list[str]:
    wishes = {
        "partition": job.options.partition,
        "account": job.options.account,
        "qos": job.options.qos,
        "constraint": job.options.constraint,
        "gres": job.options.gres,
        "time": job.options.minutes,
        "comment": job.comment or None,
    }
    return [
        "sbatch",
        "--parsable",
        f"--job-name={job.name}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={job.cpus}",
        f"--mem={job.memory_mb}M",
        "--no-requeue",  # another attempt has another key: it is ours to start
        "--dependency=singleton",  # a second copy, submitted because an answer was lost, waits for the first
        "--input=/dev/null",
        "--output=/dev/null",
        "--error=/dev/null",
        "--chdir=/",  # a folder that is missing on the node would silently become /tmp
        # Ours is PATH and SLURM_CONF alone. NONE and NIL would make slurmd run the user's login shell for more.
        "--export=ALL",
        *(f"--{name}={value}" for name, value in wishes.items() if value is not None),
    ]


def _become(user: str | None) -> dict[str, Any]:
    """Return how a command runs as `user`: root changes the process itself, so that munge's word is the kernel's.

    `sbatch --uid` needs root too, leaves the command the rest of root's rights, and scancel has nothing like it.
    """
    if user is None:
        return {}
    try:
        who = pwd.getpwnam(user)
    except KeyError as error:
        raise SlurmRefused("This host does not know the user that the job is for; ask the operator.") from error
    if who.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise SlurmRefused("Only root may submit for other users; ask the operator.")
    if who.pw_uid == 0:
        raise SlurmRefused("Tasks do not run as root.")
    groups = os.getgrouplist(user, who.pw_gid)
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": groups, "umask": 0o077}


def _names(users: Mapping[str, str]) -> list[str]:
    return [f"--name={','.join(sorted(users))}", f"--user={','.join(sorted(set(users.values())))}"]


def _list(option: str, ids: Collection[int]) -> str:
    return f"--{option}={','.join(map(str, sorted(ids)))}"


def _mark() -> str:
    """Return a delimiter for one call: SLURM lets people name their jobs in lines that look like other jobs' rows."""
    return f"@{secrets.token_hex(8)}@"


def _rows(text: str, mark: str, count: int) -> Iterator[list[str]]:
    for line in text.split("\n"):
        fields = line.split(mark)
        if len(fields) == count + 1 and not fields[-1]:
            yield [field.strip() for field in fields[:-1]]
