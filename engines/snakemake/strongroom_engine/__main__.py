"""Runs Snakemake, whose words follow; its modules are not looked through for garbage, nor taken apart at the end."""

import atexit
import gc
import logging
import os
import sys

from strongroom_engine import records

code = 1


def leave() -> None:
    """End here, as the last of what was registered: to take some hundred modules apart takes a fifth of a second."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    atexit.register(leave)
    gc.disable()
    records.in_files()
    from snakemake.cli import main

    gc.freeze()
    gc.enable()
    sys.argv[0] = "snakemake"
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
