"""Which driver is chosen, and that pyslurm is used only where it fits."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tes.backends.slurm.cli import Cli
from tes.backends.slurm.client import JobState, SlurmUnavailable
from tes.backends.slurm.probe import open_client
from tes.backends.slurm.pyslurm import PySlurm


@pytest.fixture
def commands(tmp_path: Path) -> str:
    """A folder with commands that only say their version, and that slurmctld knows nothing."""
    for name, body in {
        "sinfo": "echo slurm 24.11.5",
        "sbatch": "exit 1",
        "squeue": "exit 0",
        "sacct": "exit 0",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


class Jobs(dict[int, SimpleNamespace]):
    """Stands for pyslurm.Jobs, whose `load` asks slurmctld."""

    @staticmethod
    def load() -> "Jobs":
        one = {"id": 7, "name": "tes-7-1", "state": "FAILED", "state_reason": "NonZeroExitCode", "exit_code": 3}
        return Jobs({7: SimpleNamespace(**one, exit_code_signal=None, allocated_nodes="n1", user_name="alice")})


class RPCError(Exception):
    """Stands for pyslurm.RPCError."""


@pytest.fixture
def pyslurm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of that name: the real one is compiled against one version of SLURM, and is not to be had for ours."""
    module = ModuleType("pyslurm")
    vars(module).update(__version__="24.11.0", Jobs=Jobs, RPCError=RPCError)
    monkeypatch.setitem(sys.modules, "pyslurm", module)
    return module


def test_without_an_address_the_commands_are_used(commands: str) -> None:
    client = open_client("probe", rest_url=None, rest_user="alice", tokens=None, conf=None, path=commands)
    assert client == Cli(None, commands)


def test_a_silent_slurmrestd_leaves_the_commands(commands: str, tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    assert isinstance(
        open_client("probe", rest_url=url, rest_user="alice", tokens=None, conf=None, path=commands), Cli
    )
    with pytest.raises(SlurmUnavailable):
        open_client("rest", rest_url=url, rest_user="alice", tokens=None, conf=None, path=commands)


def test_with_neither_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SlurmUnavailable, match=r"start slurmrestd .* or install SLURM's commands"):
        open_client("probe", rest_url=None, rest_user="alice", tokens=None, conf=None, path=str(tmp_path))
    with pytest.raises(SlurmUnavailable, match="address"):
        open_client("rest", rest_url=None, rest_user="alice", tokens=None, conf=None)


def test_pyslurm_reads_states_and_the_commands_what_is_forgotten(commands: str, pyslurm: ModuleType) -> None:
    client = open_client("pyslurm", rest_url=None, rest_user="alice", tokens=None, conf=None, path=commands)
    assert isinstance(client, PySlurm)
    assert client.states([7, 8]) == {7: JobState(7, "tes-7-1", "FAILED", "NonZeroExitCode", 3, 0, "n1", "alice")}


def test_a_slurmctld_that_pyslurm_cannot_ask_is_no_answer(
    commands: str, pyslurm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> None:
        raise RPCError("Unable to contact slurm controller")

    client = PySlurm(Cli(None, commands))
    monkeypatch.setattr(Jobs, "load", staticmethod(silent))
    with pytest.raises(SlurmUnavailable):
        client.states([7])


def test_a_pyslurm_of_another_slurm_is_refused_with_its_cure(commands: str, pyslurm: ModuleType) -> None:
    vars(pyslurm)["__version__"] = "25.11.2"
    with pytest.raises(SlurmUnavailable, match=r"pyslurm 25\.11 is not for SLURM 24\.11: install pyslurm 24\.11\.\*"):
        PySlurm(Cli(None, commands))


def test_a_missing_pyslurm_says_what_to_install(commands: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyslurm", None)
    with pytest.raises(SlurmUnavailable, match=r"install pyslurm 24\.11\.\*"):
        PySlurm(Cli(None, commands))
