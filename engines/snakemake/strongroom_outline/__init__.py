"""Says what a workflow's files hold, by Snakemake's own parser, without running a line of them."""
