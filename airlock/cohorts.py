"""Remembers whose data is behind each release, so that no combination of cohorts singles out a few (T7)."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import blocks
from airlock.checks.codes import Code
from airlock.combinations import examine, is_independent
from airlock.contract import Contract
from airlock.intake_files import Verdict
from airlock.policy import Policy
from airlock.store import Digest, Id, IntakeFile, IntakeRun, Name, RunPath
from strongroom.database import Base

MOST_LISTS = 64  # of a run: each is read in a jail of its own (T30)
_WARN_FROM = 3, 4  # of the budget


class Cohort(Base):
    """One list of members that a run's contract promises: names under the broker's key, once a jail has read it."""

    __tablename__ = "airlock_cohorts"

    id: orm.Mapped[str] = orm.mapped_column(Id, primary_key=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_runs.run"), index=True)
    path: orm.Mapped[str] = orm.mapped_column(RunPath)
    source: orm.Mapped[str | None] = orm.mapped_column(Id)  # sealed to the run's key; None: there is no such file
    was_read: orm.Mapped[bool]
    members: orm.Mapped[bytes | None]  # sorted; None: they are not known
    sha256: orm.Mapped[str | None] = orm.mapped_column(Digest)


class ReleasedCohort(Base):
    """That results about a cohort left, for one dataset that they come from; without a cohort nobody knows whose."""

    __tablename__ = "released_cohorts"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    dataset: orm.Mapped[str] = orm.mapped_column(Name, index=True)
    run: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("airlock_runs.run"), index=True)
    request: orm.Mapped[str] = orm.mapped_column(sa.ForeignKey("releases.request"))
    cohort: orm.Mapped[str | None] = orm.mapped_column(sa.ForeignKey("airlock_cohorts.id"))
    adds: orm.Mapped[bool]  # to the rank of the dataset's cohorts: the earlier ones do not make it up


@dataclass(frozen=True)
class Judged:
    """What earlier releases say of a run's cohorts; true as long as `newest` is the newest released one."""

    findings: tuple[dict[str, Any], ...]
    against: tuple[str, ...]  # the requests by which the cohorts of a combination left
    newest: int
    adds: Mapping[tuple[str, str | None], bool]  # dataset and cohort


@dataclass(frozen=True)
class _Earlier:
    """The released cohorts of other runs."""

    known: Mapping[str, bytes]  # by digest
    requests: Mapping[str, str]  # by digest, the first that released it
    basis: Mapping[str, Mapping[str, bytes]]  # by dataset, those that add to its rank
    unknown: Mapping[str, frozenset[str]]  # by dataset, runs whose cohort nobody knows

    @property
    def unknown_runs(self) -> list[str]:
        """Return the runs of whatever dataset whose cohort nobody knows."""
        return sorted(frozenset().union(*self.unknown.values()))


def promised(run: str, contract: Contract, lists: Mapping[str, str | None]) -> list[Cohort]:
    """Return a row for each list of members that a run wrote (path -> object), and for each that it did not write.

    One that is there without an object is no list: of one among several too, whose members nobody knows then. Of
    more than are read nobody knows any.
    """
    if len(lists) > MOST_LISTS:
        lists = {min(lists): None}
    rules = [rule for rule in contract.rules if rule.members]
    missing = {rule.match: None for rule in rules if not any(rule.fits(path) for path in lists)}
    return [
        Cohort(id=uuid.uuid4().hex, run=run, path=path, source=source, was_read=source is None)
        for path, source in {**lists, **missing}.items()
    ]


def cohorts_of(session: orm.Session, run: str) -> list[Cohort]:
    """Return the cohorts of a run, by path."""
    return list(session.scalars(sa.select(Cohort).where(Cohort.run == run).order_by(Cohort.path)))


def newest(session: orm.Session, lineage: Sequence[str]) -> int:
    """Return the number of the newest released cohort of these datasets."""
    return session.scalar(sa.select(sa.func.max(ReleasedCohort.id)).where(ReleasedCohort.dataset.in_(lineage))) or 0


def judge(session: orm.Session, run: str, policy: Policy, files: Iterable[IntakeFile]) -> Judged:
    """Return what a run's cohorts say together with those that were released of the same data, of any project.

    Nothing if none of `files` is about persons.
    """
    lineage = session.get_one(IntakeRun, run).lineage
    seen = newest(session, lineage)
    if not any(file.is_about_persons for file in files):
        return Judged((), (), seen, {})
    own = cohorts_of(session, run)
    earlier = _earlier(session, lineage, run)
    fresh = {c.sha256: c.members for c in own if c.members is not None and c.sha256 not in earlier.known}
    known = bool(own) and all(c.members is not None for c in own)
    found, against = [], tuple[str, ...]()
    if lineage:
        combined, against = _combined(list(fresh.values()), earlier, least=policy.min_count)
        found += combined
        found += _unknown(known, earlier, block=bool(policy.block_unknown_members))
    adds: dict[tuple[str, str | None], bool] = {}
    for dataset in lineage:
        adds |= _adding(dataset, own, earlier) if known else {(dataset, None): True}
        found += _budget(dataset, earlier, sum(adds[key] for key in adds if key[0] == dataset), policy.max_cohorts)
    return Judged(tuple(found), against, seen, adds)


def remember(session: orm.Session, run: str, judged: Judged, *, request: str) -> None:
    """Write down whose data is behind a release, in its transaction; a second one of a run adds nothing."""
    there = set(session.scalars(sa.select(ReleasedCohort.dataset).where(ReleasedCohort.run == run)))
    session.add_all(
        ReleasedCohort(dataset=dataset, run=run, request=request, cohort=cohort, adds=adds)
        for (dataset, cohort), adds in judged.adds.items()
        if dataset not in there
    )


def _earlier(session: orm.Session, lineage: Sequence[str], run: str) -> _Earlier:
    rows = session.execute(
        sa.select(ReleasedCohort, Cohort.sha256, Cohort.members)
        .outerjoin(Cohort, Cohort.id == ReleasedCohort.cohort)
        .where(ReleasedCohort.dataset.in_(lineage), ReleasedCohort.run != run)
        .order_by(ReleasedCohort.id)
    )
    known: dict[str, bytes] = {}
    requests: dict[str, str] = {}
    basis: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
    unknown: defaultdict[str, set[str]] = defaultdict(set)
    for row, sha256, members in rows:
        if members is None or sha256 is None:
            unknown[row.dataset].add(row.run)
            continue
        known[sha256] = members
        requests.setdefault(sha256, row.request)
        if row.adds:
            basis[row.dataset][sha256] = members
    return _Earlier(known, requests, basis, {dataset: frozenset(runs) for dataset, runs in unknown.items()})


def _combined(fresh: list[bytes], earlier: _Earlier, *, least: int) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    known, complete = list(earlier.known), True
    for at, members in enumerate(fresh):
        examined = examine(members, [*earlier.known.values(), *fresh[:at]], least=least)
        if examined.combination:
            others = [number - 1 for number, _ in examined.combination if 0 < number <= len(known)]
            against = tuple(dict.fromkeys(earlier.requests[known[number]] for number in others))
            # One combination is told of perhaps several: who lifts it lifts all with these cohorts, and no other.
            return [_finding(Code.COHORT_DIFFERENCE, Verdict.BLOCK, *sorted(known))], against
        complete = complete and examined.complete
    return [] if complete else [_finding(Code.COHORTS_NOT_EXAMINED, Verdict.WARN)], ()


def _unknown(known: bool, earlier: _Earlier, *, block: bool) -> list[dict[str, Any]]:
    # T7: whose members nobody knows counts as differing by one from every other.
    alone = not earlier.known and not earlier.unknown
    if alone or (known and not earlier.unknown):
        return []
    others = earlier.unknown_runs if known else [*earlier.known, *earlier.unknown_runs]
    return [_finding(Code.UNKNOWN_MEMBERS, Verdict.BLOCK if block else Verdict.WARN, *others)]


def _adding(dataset: str, own: Sequence[Cohort], earlier: _Earlier) -> dict[tuple[str, str | None], bool]:
    basis = dict(earlier.basis.get(dataset, {}))
    adds: dict[tuple[str, str | None], bool] = {}
    for cohort in own:
        assert cohort.members is not None
        assert cohort.sha256 is not None
        adds[dataset, cohort.id] = cohort.sha256 not in basis and is_independent(cohort.members, list(basis.values()))
        if adds[dataset, cohort.id]:
            basis[cohort.sha256] = cohort.members
    return adds


def _budget(dataset: str, earlier: _Earlier, added: int, most: int) -> list[dict[str, Any]]:
    rank = len(earlier.basis.get(dataset, {})) + len(earlier.unknown.get(dataset, ())) + added
    if added and rank > most:
        return [_finding(Code.COHORT_BUDGET, Verdict.BLOCK, dataset, rank)]
    part, whole = _WARN_FROM
    return [_finding(Code.COHORT_BUDGET, Verdict.WARN)] if added and rank * whole > most * part else []


def _finding(code: Code, severity: Verdict, *against: str | int) -> dict[str, Any]:
    return blocks.finding(code, severity, [(one,) for one in against])
