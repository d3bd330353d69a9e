"""Makes the environment of rivals that the services must not have: `.venvs/bench`, from its own lock."""

import os
import subprocess
from pathlib import Path

from strongroom.settings import SOURCE

FOLDER = SOURCE / ".venvs" / "bench"
LOCK = Path(__file__).parent / "requirements.lock"


def python() -> str:
    """Return its Python; the first call makes it (needs Debian's libfuse3-dev, pkg-config and gcc)."""
    program, made = FOLDER / "bin" / "python", FOLDER / "made"
    if not made.exists() or made.stat().st_mtime < LOCK.stat().st_mtime:
        uv = SOURCE / ".venvs" / "uv" / "bin" / "uv"
        environment = {**os.environ, "UV_NO_PROGRESS": "1"}
        for words in (
            ["venv", "-q", "--clear", "--python", "/usr/bin/python3.11", str(FOLDER)],
            ["pip", "sync", "-q", "--python", str(program), "--require-hashes", str(LOCK)],
        ):
            subprocess.run([str(uv), *words], check=True, env=environment, timeout=600)
        made.touch()
    return str(program)
