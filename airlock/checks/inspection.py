"""Runs every check over one file, or writes its clean copy."""

from collections.abc import Mapping
from pathlib import Path

from .answer import Answer, failed
from .disclosure.every import CHECKS
from .findings import Code, Finding, Refused, found
from .formats import opening, writing
from .promise import Promise
from .subject import Model, Picture, Prose, Sites, Table
from .thresholds import Policy

# A check that floods is cut; what it said so far already blocks or warns.
_MAX_PER_CHECK = 100_000


def inspect(
    path: Path,
    rule: Promise | None,
    policy: Policy,
    *,
    name: str | None = None,
    supporting: Mapping[str, Path] | None = None,
    must_be_clean: bool = False,
) -> Answer:
    """Judge one file; with `must_be_clean` its bytes must also be the very copy that we would write (T13)."""
    try:
        opened = opening.open_subject(
            path,
            name or path.name,
            policy=policy,
            promise=rule,
            supporting=supporting,
        )
    except Refused as refused:
        return failed("check", policy, refused.finding)
    findings: list[Finding] = list(opened.given_up)
    for check in CHECKS:
        before = len(findings)
        for finding in check(opened.subject):
            findings.append(finding)
            if len(findings) - before >= _MAX_PER_CHECK:
                break
    if must_be_clean and (rule is None or not _is_clean(opened, rule, policy=policy)):
        findings.append(found(Code.NOT_OUR_COPY))
    return Answer(
        "check",
        policy.version,
        opened.subject.format.value,
        tuple(findings),
        complete=not opened.given_up,
        facts=facts(opened.subject.model, opened.stored),
    )


def repack(path: Path, name: str, rule: Promise | None, policy: Policy) -> tuple[bytes | None, Answer]:
    """Return our own copy of the file, or None with the finding that says why there is none."""
    if rule is None:
        return None, failed("repack", policy, found(Code.UNDECLARED))
    try:
        opened = opening.open_subject(path, name, policy=policy, promise=rule)
        if opened.given_up:
            return None, failed("repack", policy, opened.given_up[0])
        clean = writing.clean_copy(opened.subject, rule, policy=policy)
    except Refused as refused:
        return None, failed("repack", policy, refused.finding)
    if len(clean) > policy.max_bytes:
        return None, failed("repack", policy, found(Code.TOO_LARGE))
    numbers = {**facts(opened.subject.model, opened.stored), "clean_bytes": len(clean)}
    return clean, Answer("repack", policy.version, opened.subject.format.value, (), facts=numbers, clean=True)


def facts(model: Model, stored: bytes) -> dict[str, int]:
    """Return the few numbers that describe a file without a word from it."""
    numbers = {"bytes": len(stored)}
    if isinstance(model, Table):
        numbers |= {"rows": len(model.rows), "columns": len(model.header)}
    elif isinstance(model, Sites):
        numbers |= {"sites": len(model.sites)}
    elif isinstance(model, Picture):
        numbers |= {"width": model.width, "height": model.height}
    elif isinstance(model, Prose):
        numbers |= {"lines": len(model.lines)}
    return numbers


def _is_clean(opened: opening.Opened, rule: Promise, *, policy: Policy) -> bool:
    try:
        return writing.clean_copy(opened.subject, rule, policy=policy) == opened.stored
    except Refused:
        return False
