"""Speaks with a site's SLURM: one contract, a driver for its commands and one for slurmrestd."""
