"""Points the black-box suite at a server, as anyone would, and reads its table."""

import re
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).parent / "blackbox"
_ROW = re.compile(r"^(failed|passed|not asked) +((?:WES|TES)-\d\d) +(?:MUST|SHOULD) ", re.MULTILINE)


def asked(*words: str, folder: Path) -> tuple[dict[str, str], str]:
    """Run the suite; return what became of each clause, and all that was printed."""
    command = [sys.executable, "-P", "-m", "pytest", str(SUITE), "-q", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=560, check=False, cwd=folder)
    clauses = {identifier: how for how, identifier in _ROW.findall(done.stdout)}
    assert done.returncode == ("failed" in clauses.values()), done.stdout[-6000:] + done.stderr[-2000:]
    return clauses, done.stdout
