"""How the answers of SLURM's commands are read, where a real cluster does not give them on demand."""

import os
import pwd
import stat
import textwrap
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tes.backends.slurm.cli import PATH, Cli
from tes.backends.slurm.client import Job, JobState, SlurmRefused, SlurmUnavailable

ME = pwd.getpwuid(os.geteuid()).pw_name
JOB = Job(name="tes-1-1", user=ME, script="#!/bin/sh\n", cpus=1, memory_mb=1)
# Gives the delimiter that the driver asked for to the rows that a command is to print.
MARKED = r"""mark=$(printf '%s\n' "$@" | grep -oE '@[0-9a-f]{16}@' | head -n 1); sed "s/|/$mark/g" "$0.rows" """


def commands(tmp_path: Path, **bodies: str) -> Cli:
    """Return a driver whose commands are these scripts."""
    for name, body in bodies.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{textwrap.dedent(body)}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return Cli(path=f"{tmp_path}:{PATH}", seconds=20)


@pytest.mark.parametrize("printed", ["", "x", "12 34", "12\n13", "-1", "0", "Submitted batch job 12", "1" * 11])
def test_an_id_that_is_none_leaves_the_answer_unknown(tmp_path: Path, printed: str) -> None:
    with pytest.raises(SlurmUnavailable):
        commands(tmp_path, sbatch=f"echo '{printed}'").submit(JOB)


@pytest.mark.parametrize("printed", ["12", "12;cluster-2"])
def test_an_id_is_read(tmp_path: Path, printed: str) -> None:
    assert commands(tmp_path, sbatch=f"echo '{printed}'").submit(JOB) == 12


@pytest.mark.parametrize(
    "said",
    [
        "Batch job submission failed: Socket timed out on send/recv operation",
        "Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "Batch job submission failed: Slurm temporarily unable to accept job, sleeping and retrying",
        "Batch job submission failed: Required node not available (down, drained or reserved)",
        "Batch job submission failed: Zero Bytes were transmitted or received",
        "Batch job submission failed: Protocol authentication error",
        "Batch job submission failed: Unspecified error",
        "fatal: Unable to process configuration file",
        "",
    ],
)
def test_what_is_no_answer_of_slurmctld_is_no_refusal(tmp_path: Path, said: str) -> None:
    # toil 5459, nextflow 970, snakemake 1789: the job may be in all the same.
    with pytest.raises(SlurmUnavailable):
        commands(tmp_path, sbatch=f"echo 'sbatch: error: {said}' >&2; exit 1").submit(JOB)


def test_a_refusal_is_told_in_slurms_words_and_no_more(tmp_path: Path) -> None:
    said = "sbatch: error: Batch job submission failed: Invalid account\\033[2J" + "x" * 300
    with pytest.raises(SlurmRefused) as refused:
        commands(tmp_path, sbatch=f"printf '{said}\\n' >&2; exit 1").submit(JOB)
    assert refused.value.sentence.startswith("SLURM does not take this job: Invalid account[2Jxxx")
    assert len(refused.value.sentence) < 250


def test_a_command_that_hangs_or_is_missing_is_no_answer(tmp_path: Path) -> None:
    hangs = commands(tmp_path, squeue="exec sleep 60")
    with pytest.raises(SlurmUnavailable):
        Cli(path=hangs.path, seconds=0.2).states([1])
    with pytest.raises(SlurmUnavailable):
        Cli(path=str(tmp_path / "nowhere")).states([1])


def test_rows_without_the_delimiter_of_the_call_are_none(tmp_path: Path) -> None:
    rows = (
        "1  |RUNNING |None |0 |n1 |alice |tes-1-1 |\n"
        "2  |FAILED  |NonZeroExitCode |768 |n2 |alice |tes-2-1 |\n"
        "3  |RUNNING |None |0 |n1 |mallory |x\n"
        "1@0000000000000000@COMPLETED@0000000000000000@None@0000000000000000@0@0000000000000000@@@@\n"
        "1 COMPLETED None 0 n1 alice tes-1-1\n"
        "y |\n"
        "4_[1-9] |PENDING |None |0 | |alice |array |\n"
        "5 |PENDING |None |x | |alice |odd |\n"
    )
    (tmp_path / "squeue.rows").write_text(rows)
    driver = commands(tmp_path, squeue=MARKED, sacct="exit 0")
    assert driver.states([1, 2, 3, 4, 5]) == {
        1: JobState(1, "tes-1-1", "RUNNING", "None", 0, 0, "n1", "alice"),
        2: JobState(2, "tes-2-1", "FAILED", "NonZeroExitCode", 3, 0, "n2", "alice"),
    }


def test_accounting_is_asked_about_what_slurmctld_has_forgotten_alone(tmp_path: Path) -> None:
    (tmp_path / "squeue.rows").write_text("1 |RUNNING |None |0 |n1 |alice |tes-1-1 |\n")
    (tmp_path / "sacct.rows").write_text("2|CANCELLED by 0|None|0:15|n1|alice|tes-2-1|\n")
    asked = tmp_path / "asked"
    driver = commands(tmp_path, squeue=MARKED, sacct=f'echo "$@" > {asked}\n{MARKED}')
    found = driver.states([1, 2, 3])
    assert {job_id: job.state for job_id, job in found.items()} == {1: "RUNNING", 2: "CANCELLED"}
    assert "--jobs=2,3 " in asked.read_text()


def test_a_site_without_accounting_is_asked_through_slurmctld_alone(tmp_path: Path) -> None:
    said = "echo 'Slurm accounting storage is disabled' >&2; exit 1"
    driver = commands(tmp_path, squeue="exit 0", sacct=said)
    assert driver.states([1]) == {}
    assert driver.find({"tes-1-1": ME}, since=datetime.now(UTC)) == []


def test_accounting_that_does_not_answer_is_no_empty_answer(tmp_path: Path) -> None:
    driver = commands(tmp_path, squeue="exit 0", sacct="echo 'sacct: error: Problem talking' >&2; exit 1")
    with pytest.raises(SlurmUnavailable):
        driver.find({"tes-1-1": ME}, since=datetime.now(UTC))


def test_sbatch_gets_the_script_and_our_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "elsewhere")
    monkeypatch.setenv("SECRET", "x")
    seen = tmp_path / "seen"
    commands(tmp_path, sbatch=f"(env; cat) > {seen}; echo 1").submit(JOB)
    lines = seen.read_text().splitlines()
    assert lines[-1] == "#!/bin/sh"
    assert {line.partition("=")[0] for line in lines[:-1]} <= {"PATH", "LC_ALL", "TZ", "PWD", "SHLVL", "_", "OLDPWD"}


def test_a_job_for_root_or_for_nobody_known_is_refused(tmp_path: Path) -> None:
    driver = commands(tmp_path, sbatch="echo 1")
    with pytest.raises(SlurmRefused):
        driver.submit(Job(name="tes-1-1", user="nobody-of-that-name", script="#!/bin/sh\n", cpus=1, memory_mb=1))


def test_the_version_is_read(tmp_path: Path) -> None:
    assert commands(tmp_path, sinfo="echo 'slurm-wlm 22.05.8'").version() == "22.5"
    assert commands(tmp_path, sinfo="echo 'slurm 24.11.5'").version() == "24.11"
    with pytest.raises(SlurmUnavailable):
        commands(tmp_path, sinfo="echo slurm").version()
