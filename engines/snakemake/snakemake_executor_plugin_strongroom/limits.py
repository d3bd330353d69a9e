"""Takes a limit that is none for none."""

from snakemake.settings.types import MaxJobsPerTimespan


def no_limit_over_no_time() -> None:
    """Have `--max-jobs-per-timespan N/0s` limit nothing: --jobs says how many tasks are out.

    There is no word to turn that limit off, and with one Snakemake looks for jobs again after each such span: after
    none at all, a core is busy with it for as long as a job waits for a place.
    """
    MaxJobsPerTimespan.__bool__ = lambda limit: limit.timespan > 0
