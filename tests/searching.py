"""Finds the files that hold some bytes, wherever they are."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def files_with(words: Sequence[bytes], *folders: str | Path) -> list[str]:
    """Return the plain files below these folders that hold one of the words, sorted.

    Other file systems that are mounted there are left out: one of them may be endless, as /proc is.
    """
    # The words are handed over in memory, or the command line of grep itself would show them.
    memory = os.memfd_create("words")
    os.write(memory, b"\n".join(words))
    search = ["grep", "-lsaF", "-f", f"/proc/self/fd/{memory}"]
    try:
        with subprocess.Popen(["find", *folders, "-xdev", "-type", "f", "-print0"], stdout=subprocess.PIPE) as named:
            done = subprocess.run(
                ["xargs", "-0", "-r", *search],
                stdin=named.stdout,
                capture_output=True,
                pass_fds=[memory],
                check=False,
            )
    finally:
        os.close(memory)
    assert done.returncode in (0, 123), done.stderr  # 123: grep found nothing, or a file was gone when it came
    return sorted(set(done.stdout.decode().splitlines()))
