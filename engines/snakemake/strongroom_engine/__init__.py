"""Runs Snakemake as it is, from a quick start to a quick end."""
