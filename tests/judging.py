"""Judges text as a file without a promise, as `strongroom check` does, without the walls."""

from pathlib import Path

from airlock.checks.codes import Code
from airlock.checks.findings import Severity
from airlock.checks.jail import inspect
from airlock.checks.thresholds import Policy


def judged(folder: Path, name: str, content: str | bytes) -> dict[Code, Severity]:
    """Return the worst that each finding's code is said with."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    worst: dict[Code, Severity] = {}
    for finding in inspect(path, None, Policy(version=1)).findings:
        worst[finding.code] = max(finding.severity, worst.get(finding.code, Severity.PASS))
    return worst
