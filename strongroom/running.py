"""The settings of runs: their engines, and what a project and a person may have of them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

_SOURCE = Path(__file__).resolve().parent.parent


class Wes(BaseModel):
    """How runs are supervised."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs_at_once: int = Field(4, description="Engines that run at the same time.")
    project_runs_at_once: int = Field(
        0, ge=0, description="Of them, those of one project; 0 means all, while no other project waits."
    )
    person_runs_at_once: int = Field(
        0, ge=0, description="Of them, those of one person; 0 means all, while nobody else waits."
    )
    project_runs_open: int = Field(
        200, ge=1, description="Runs that a project may have waiting or at work; one more is refused (429)."
    )
    person_runs_open: int = Field(
        100, ge=1, description="Runs that a person may have waiting or at work; one more is refused (429)."
    )
    populations_a_day: int = Field(
        50,
        ge=1,
        description="Different sets of persons of a dataset that a project's runs may ask about in a day, where "
        "outputs may leave; beyond it the DAC decides.",
    )
    near_populations_a_day: int = Field(
        3,
        ge=0,
        description="Of them, those that differ by fewer than k persons from any that was asked about before.",
    )
    watchers: int = Field(
        8, ge=1, description="Streams of events (`strongroom run watch`) that a person may have open at once."
    )
    jobs: int = Field(0, description="Jobs an engine may have open; 0 means four times the cores.")
    engine_relaunches: int = Field(
        3, ge=0, description="How often a supervisor starts a run's engine again that somebody else killed."
    )
    engine_memory_gb: float = Field(
        2.0, description="Memory of an engine; one whose processes have more together is ended."
    )
    engine_processes: int = Field(512, ge=64, description="Processes and threads of an engine.")
    engine_disk_gb: float = Field(
        4.0, gt=0, description="What an engine may write to its work folder; one that has more there is ended."
    )
    run_seconds: int = Field(
        7 * 24 * 3600,
        description="Longest life of a run, from its submit or resume on; then it is ended with all its tasks.",
    )
    run_days: int = Field(
        90,
        ge=1,
        description="Days after its end, and after the end of every request for its outputs, until a run's key is "
        "destroyed and what it made is removed.",
    )
    snakemake: Path = Field(
        _SOURCE / ".venvs" / "engine-snakemake", description="The environment that Snakemake lives in."
    )
    nextflow: Path = Field(
        _SOURCE / ".venvs" / "engine-nextflow", description="Where Nextflow's jars are, ours among them."
    )
    plugins: Path = Field(_SOURCE / "engines" / "snakemake", description="Our plug-ins for Snakemake.")
