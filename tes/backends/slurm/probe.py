"""Chooses how this site's SLURM is spoken to, by trying rather than by its version."""

import shutil
from pathlib import Path
from typing import Literal, assert_never

import structlog

from tes.backends.slurm.cli import PATH, Cli
from tes.backends.slurm.client import SlurmClient, SlurmUnavailable

Driver = Literal["probe", "rest", "cli", "pyslurm"]
log = structlog.get_logger()


def open_client(
    driver: Driver, *, rest_url: str | None, rest_user: str, tokens: Path | None, conf: Path | None, path: str = PATH
) -> SlurmClient:
    """Return the driver asked for; `probe` is slurmrestd if its address is given and answers, else the commands."""
    match driver:
        case "rest":
            return _rest(rest_url, rest_user, tokens)
        case "cli":
            return _cli(conf, path)
        case "pyslurm":
            from tes.backends.slurm.pyslurm import PySlurm

            return PySlurm(_cli(conf, path))
        case "probe":
            if rest_url is None:
                return _cli(conf, path)
            try:
                return _rest(rest_url, rest_user, tokens)
            except SlurmUnavailable as error:
                log.warning("slurm.rest_silent", detail=error.detail)
                return _cli(conf, path)
        case _:
            assert_never(driver)


def _rest(url: str | None, user: str, tokens: Path | None) -> SlurmClient:
    from tes.backends.slurm.rest import Rest

    if url is None:
        raise SlurmUnavailable("slurmrestd cannot be asked: its address is not set.")
    rest = Rest(url, user=user, tokens=tokens)
    try:
        rest.ping()
    except SlurmUnavailable:
        rest.close()
        raise
    return rest


def _cli(conf: Path | None, path: str) -> Cli:
    if shutil.which("sbatch", path=path) is None:
        raise SlurmUnavailable(
            "SLURM cannot be reached: start slurmrestd and set its address and tokens, or install SLURM's commands."
        )
    return Cli(conf, path)
