"""Gives an approved request back whose results conflict with each other or with what left since (O7, T7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import orm

from airlock import blocks, cohorts, conflicts, history, site_growth
from airlock.checks.cells import Cells
from airlock.checks.codes import Code
from airlock.checks.sites import Sketch
from airlock.cohorts import Judged
from airlock.history import Near
from airlock.intake_files import Verdict, worst
from airlock.moves import SYSTEM, append, find, move
from airlock.policy import parse_policy
from airlock.release_requests import RequestState
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest, RequestFile, files_of
from strongroom.database import transaction
from strongroom.errors import Conflict
from strongroom.queue import Context

# T5: what it conflicts with is for stewards alone, so this says the same of a count, a cohort and a budget.
SENTENCE = (
    "Results of the same data were released since the review, or these tell more together than each alone; "
    "submit it once more, for stewards to see them anew."
)
REASON = "released-since-review"
S = RequestState


@dataclass(frozen=True)
class Earlier:
    """What is held against earlier releases once more: counts and places by file, and the cohorts of the run.

    `together` is what the files of the request say of each other, by file.
    """

    counts: dict[str, Cells]
    sites: dict[str, Sketch]
    cohorts: Judged
    together: Mapping[str, list[dict[str, Any]]]


class AnotherIsReleased(Conflict):
    """Something of the same data is being released at this moment; it is judged again in a moment."""


class NearEarlierRelease(Conflict):
    """A result conflicts with one that was released since its review."""


def check_history(session: orm.Session, row: ReleaseRequest, earlier: Earlier) -> None:
    """Raise unless stewards saw all that releases since the scan say of these counts, places and persons (O7, T7).

    A block that a senior lifted covers what it conflicted with then: its cell, and the releases or the figure.
    """
    lineage = session.get_one(IntakeRun, row.run).lineage
    if cohorts.newest(session, lineage) != earlier.cohorts.newest:
        raise AnotherIsReleased("Something of the same data is being released at this moment; this one follows.")
    for file in files_of(session, row.id):
        _, told = _told(session, file, lineage, earlier)
        if blocks.new_ones(told, file.findings):
            raise NearEarlierRelease(SENTENCE)


def give_back(context: Context, request: str, earlier: Earlier) -> None:
    """Write down what came to conflict, for stewards to see, and return the request; safe to repeat.

    No vote goes on counting for a file that is blocked by now: its next turn is reviewed anew, and a senior may lift.
    """
    with transaction(context.engine) as session:
        row = find(session, request)
        if row.state != S.RELEASING.value:
            return
        lineage = session.get_one(IntakeRun, row.run).lineage
        for file in files_of(session, row.id):
            near, told = _told(session, file, lineage, earlier)
            source = session.get_one(IntakeFile, file.file)
            fresh = {f["code"] for f in told}
            kept = [f for f in file.findings if f["code"] not in fresh or _is_of_its_check(f)]
            file.findings = source.findings = [*kept, *told]
            verdict = worst(Verdict(f["severity"]) for f in file.findings)
            file.verdict = source.verdict = worst([Verdict(file.verdict or Verdict.BLOCK), verdict]).value
            conflicts.remember(session, source, conflicts.of(source, near, earlier.cohorts.against))
        row.next_try, row.trouble = None, SENTENCE
        append(session, move(row, S.RETURNED, actor=SYSTEM, reason=REASON))


def _told(
    session: orm.Session, file: RequestFile, lineage: list[str], earlier: Earlier
) -> tuple[list[Near], list[dict[str, Any]]]:
    policy = parse_policy(session.get_one(IntakeFile, file.file).policy)
    cells = earlier.counts.get(file.file)
    near = history.near_ones(session, lineage, cells, least=policy.min_count)
    own = site_growth.together(earlier.sites.values()) if file.file in earlier.sites else None  # they leave at once
    grown = site_growth.findings(session, lineage, own, most=policy.max_sites)
    beside = [f for f in earlier.together.get(file.file, ()) if not _was_told(f, file.findings)]
    return near, [*history.findings(near, cells), *earlier.cohorts.findings, *grown, *beside]


def _was_told(found: Mapping[str, Any], findings: list[dict[str, Any]]) -> bool:
    """Say whether the file's own check found the same at its place, and was held against its whole run."""
    if any(one["code"] == Code.TABLES_NOT_COMPARED.value for one in findings):
        return False
    same = [one for one in findings if _is_of_its_check(one) and one["place"] == found["place"]]
    return any(one["severity"] == found["severity"] for one in same)


def _is_of_its_check(one: Mapping[str, Any]) -> bool:
    return one["code"] == Code.LINKED_TABLES.value and not blocks.is_marked(one)
