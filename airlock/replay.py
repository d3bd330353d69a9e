"""Says what the files of an earlier request would have got under other thresholds; nothing of it is kept."""

from dataclasses import dataclass, replace

from sqlalchemy import orm

from airlock import answers as said_of
from airlock import cohorts, history, inspections, rules, site_growth, taking
from airlock.answers import Answer
from airlock.inspections import Inspection
from airlock.intake_files import Verdict, worst
from airlock.moves import append, asked, asker
from airlock.policy import Policy
from airlock.store import IntakeFile, IntakeRun, ReleaseRequest, files_of
from strongroom.audit import Entry, Event
from strongroom.settings import Settings


@dataclass(frozen=True)
class Question:
    """One file to inspect again, with what it got when it was asked for."""

    file: str
    path: str
    before: str
    inspection: Inspection


@dataclass(frozen=True)
class Replayed:
    """One file under both policies; `codes` are the findings of the new one."""

    path: str
    before: str
    after: str
    codes: tuple[str, ...]


def questions(session: orm.Session, row: ReleaseRequest, steward: str, policy: Policy) -> list[Question]:
    """Return what to inspect, for a steward who may decide on the request; each reading is an audit event (A3)."""
    rules.check_steward(asker(session, steward, row.project), asked(session, row))
    found, entries = [], []
    for file in files_of(session, row.id):
        source = session.get_one(IntakeFile, file.file)
        if source.clean is None or file.verdict is None:
            continue
        inspection = replace(taking.inspection_of(session, source), policy=policy.as_json())
        found.append(Question(file.file, file.path, file.verdict, inspection))
        facts = {"request": row.id, "object": source.clean, "body_sha256": source.body_sha256}
        entries.append(Entry(Event.FILE_VIEWED, steward, file.file, row.project, facts | {"turn": row.turn}))
    append(session, *entries)
    return found


def answer(question: Question, settings: Settings) -> Answer:
    """Inspect one clean copy once more, behind walls of its own."""
    return inspections.inspect(question.inspection, settings)


def judged(
    session: orm.Session, row: ReleaseRequest, answers: list[tuple[Question, Answer]], policy: Policy
) -> list[Replayed]:
    """Return both verdicts of each file; the history is asked as it is today, without the request's own release."""
    lineage = session.get_one(IntakeRun, row.run).lineage
    files = {question.file: session.get_one(IntakeFile, question.file) for question, _ in answers}
    of_persons = cohorts.judge(session, row.run, policy, files.values()).findings
    replayed = []
    for question, said in answers:
        cells = said_of.counts(said)
        near = history.near_ones(session, lineage, cells, least=policy.min_count, but=row.id)
        grown = site_growth.findings(session, lineage, said_of.sketch(said), most=policy.max_sites)
        about = of_persons if files[question.file].is_about_persons else ()
        told = [*history.findings(near, cells), *about, *grown]
        told += taking.left_out(session, files[question.file], question.inspection)
        after = worst([said.verdict, *(Verdict(f["severity"]) for f in told)])
        codes = sorted({*(f.code.value for f in said.findings), *(f["code"] for f in told)})
        replayed.append(Replayed(question.path, question.before, after.value, tuple(codes)))
    return replayed
