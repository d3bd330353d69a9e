"""Runs every check over one file, or writes its clean copy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .answer import Answer, failed
from .cells import cells_of
from .disclosure.every import CHECKS
from .findings import Code, Finding, Refused, Severity, found
from .fixes import Fix, fixed, promise_after
from .formats import opening, second, table, writing
from .people import NOBODY, People
from .promise import Promise, Promised
from .sites import sketch_of
from .subject import Bundle, Check, Model, Picture, Prose, Sites, Subject, Table
from .thresholds import Policy

# A check that floods is cut; what it said so far already blocks or warns.
_MAX_PER_CHECK = 100_000
_MAX_FINDINGS = 200_000


def inspect(
    path: Path,
    rule: Promise | None,
    policy: Policy,
    *,
    name: str | None = None,
    supporting: Mapping[str, Path] | None = None,
    people: People = NOBODY,
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
            people=people,
        )
    except Refused as refused:
        return failed("check", policy, refused.finding)
    findings: list[Finding] = []
    finished = judge(opened.subject, findings, member=None)
    if must_be_clean and (rule is None or not _is_clean(opened, rule, policy=policy)):
        findings.append(found(Code.NOT_OUR_COPY))
    elif must_be_clean and rule is not None and not second.agrees(opened.plain, opened.subject.model, rule.format):
        findings.append(found(Code.PARSERS_DISAGREE))
    model = opened.subject.model
    return Answer(
        "check",
        policy.version,
        opened.subject.format.value,
        tuple(findings),
        complete=finished,
        facts=facts(model, opened.stored),
        cells=cells_of(model, rule, policy) if must_be_clean else None,
        sites=sketch_of(model) if must_be_clean else None,
    )


def judge(
    subject: Subject, findings: list[Finding], *, member: int | None, checks: tuple[Check, ...] = CHECKS
) -> bool:
    """Add what every check sees in the subject and in all that is nested in it; say whether all of it was read."""
    for check in checks:
        before = len(findings)
        for finding in check(subject):
            place = finding.place if member is None else replace(finding.place, member=member)
            findings.append(replace(finding, place=place))
            if len(findings) - before >= _MAX_PER_CHECK:
                break
    if not isinstance(subject.model, Bundle):
        return True
    finished = subject.model.finished
    for number, one in enumerate(subject.model.members, start=1):
        if len(findings) >= _MAX_FINDINGS:
            return False
        finished = (
            judge(
                replace(one, people=subject.people),
                findings,
                member=number if member is None else member,
                checks=checks,
            )
            and finished
        )
    return finished


def repack(
    path: Path, name: str, rule: Promise | None, policy: Policy, *, fixes: Sequence[Fix] = ()
) -> tuple[bytes | None, Answer]:
    """Return our own copy of the file, fixed if asked, or None with the finding that says why there is none."""
    if rule is None:
        return None, failed("repack", policy, found(Code.UNDECLARED))
    try:
        opened = opening.open_subject(path, name, policy=policy, promise=rule)
        if opened.given_up:
            return None, failed("repack", policy, opened.given_up[0])
        subject = _fixed(opened.subject, rule, fixes, policy=policy) if fixes else opened.subject
        clean = writing.clean_copy(subject, promise_after(rule, fixes) if fixes else rule, policy=policy)
    except Refused as refused:
        return None, failed("repack", policy, refused.finding)
    if len(clean) > policy.max_bytes:
        return None, failed("repack", policy, found(Code.TOO_LARGE))
    numbers = {**facts(subject.model, opened.stored), "clean_bytes": len(clean)}
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
    elif isinstance(model, Bundle):
        numbers |= {"members": len(model.members)}
    return numbers


def _fixed(subject: Subject, rule: Promise, fixes: Sequence[Fix], *, policy: Policy) -> Subject:
    """Return the subject as its clean copy would be, then fixed: rules meet typed cells only."""
    if not isinstance(subject.model, Table):
        raise Refused(found(Code.CONTRACT_FORMAT, Severity.BLOCK))
    clean = table.write(subject.model, rule, policy=policy).decode()
    delimiter = "\t" if rule.format is Promised.TSV else ","
    model = table.read(clean, delimiter=delimiter, encoding="utf-8", policy=policy)
    return replace(subject, model=fixed(model, rule, fixes))


def _is_clean(opened: opening.Opened, rule: Promise, *, policy: Policy) -> bool:
    try:
        return writing.clean_copy(opened.subject, rule, policy=policy) == opened.stored
    except Refused:
        return False
