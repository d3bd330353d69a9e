"""Shows requests and outputs as one person may see them: votes once both are in, values never in coarse mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm

from airlock import answers, figures, fixing, ingress, links, output_schemas, rules, schemas, shown_review
from airlock.checks.fixes import words_of
from airlock.intake_files import Verdict
from airlock.moves import asked, asker
from airlock.observability import own_verdict, shown_state, shown_verdict, visible
from airlock.promises import files_kept
from airlock.release_requests import (
    AFTER_REVIEW,
    IN_REVIEW,
    OPEN_TO_VOTES,
    OWNERS,
    REASONS,
    Owner,
    Reason,
    RequestState,
    Vote,
)
from airlock.review_store import stops_in_force
from airlock.rules import Asked, Asker
from airlock.store import (
    Delivery,
    FileVote,
    IntakeFile,
    IntakeRun,
    Release,
    ReleasedFile,
    ReleaseRequest,
    RequestFile,
    deliveries_of,
    files_of,
    files_of_run,
    released_files,
    votes_of,
)
from airlock.submission import scanned
from strongroom.errors import NotFound
from strongroom.outside import parse_place
from strongroom.projects import Role, projects_of

S = RequestState
MOST_LINES = 500


@dataclass(frozen=True)
class _Eyes:
    """Who looks: a steward sees findings and, when both reviews are in, votes; a requester sees what T5 allows."""

    person: str
    steward: bool
    coarse: bool
    votes_open: bool
    reviewed: bool


def outputs(session: orm.Session, run: str, person: str) -> output_schemas.Outputs:
    """Return what the airlock holds of a run, to the run's own person and to the project's stewards."""
    held = session.get(IntakeRun, run)
    if held is None:
        raise NotFound("The airlock holds nothing of such a run.")
    who = asker(session, person, held.project)
    steward = who.steward and not who.ever_researcher
    if not steward:
        rules.check_may_request(who, held.person)
    coarse = held.coarse and not steward
    files = files_of_run(session, run)
    paths = {file.id: file.path for file in files}
    return output_schemas.Outputs(
        run=run,
        project=held.project,
        observability="coarse" if held.coarse else "open",
        settled=all(scanned(file).settled for file in files),
        left_inside=None if coarse else held.left_inside,
        files=[_output(file, paths, coarse=coarse, fixable=not steward) for file in files],
    )


def own_requests(session: orm.Session, person: str) -> schemas.Lines:
    """Return a person's own requests, newest first."""
    return _lines(session, sa.select(ReleaseRequest).where(ReleaseRequest.requester == person))


def queue_of(session: orm.Session, person: str) -> schemas.Lines:
    """Return the requests that wait for this steward's eyes, in all projects, oldest change first."""
    projects = projects_of(session, person, Role.STEWARD)
    query = sa.select(ReleaseRequest).where(
        ReleaseRequest.project.in_(projects), ReleaseRequest.state.in_([s.value for s in IN_REVIEW])
    )
    return _lines(session, query, may_review_by=person)


def released(session: orm.Session, person: str) -> schemas.Lines:
    """Return releases of the person's own requests and of the projects that they are steward of."""
    projects = projects_of(session, person, Role.STEWARD)
    query = sa.select(ReleaseRequest).where(
        sa.or_(ReleaseRequest.requester == person, ReleaseRequest.project.in_(projects)),
        ReleaseRequest.state.in_([S.RELEASED.value, S.EXPIRED.value, S.REVOKED.value]),
    )
    return _lines(session, query)


def request(session: orm.Session, row: ReleaseRequest, person: str, *, secret: bytes | None) -> schemas.ShownRequest:
    """Return a request to its requester or to a steward who may decide on it."""
    who, what = asker(session, person, row.project), asked(session, row)
    rules.check_may_read(who, what)
    mine = person == row.requester
    eyes = _Eyes(
        person=person,
        steward=not mine,
        coarse=row.coarse,
        votes_open=what.state not in OPEN_TO_VOTES,
        reviewed=what.state in AFTER_REVIEW,
    )
    made = session.get(Release, row.id)
    reviewers, recused = shown_review.reviewers_for(session, row, person)
    left = {file.file: file for file in released_files(session, row.id)}
    votes = _votes(session, row)
    places = deliveries_of(session, row.id)
    return schemas.ShownRequest(
        id=row.id,
        parent=row.parent,
        run=row.run,
        project=row.project,
        requester=row.requester,
        purpose=row.purpose,
        state=row.state,
        turn=row.turn,
        recipient_fingerprint=row.recipient_fingerprint,
        trouble=row.trouble,
        created=_moment(row.created),
        changed=_moment(row.changed),
        expires=_moment(made.expires) if made else None,
        may=_may(who, what),
        promise=_promise(session, row, eyes),
        files=[
            _file(
                session,
                file,
                eyes=eyes,
                votes=votes,
                left=left.get(file.file),
                link=_link(row, file, made, secret if mine else None),
                place=places.get(file.file),
            )
            for file in files_of(session, row.id, with_split_off=True, with_supporting=True)
        ],
        groups=shown_review.groups_for(session, row),
        comments=shown_review.comments_for(session, row, person),
        reviewers=reviewers,
        recused=recused,
        stopped=bool(stops_in_force(session)),
        dataset=ingress.brought_into(session, row),
        place=figures.place_of(session, row),
    )


def _promise(session: orm.Session, row: ReleaseRequest, eyes: _Eyes) -> str | None:
    """Return how much of its contract the request kept; in coarse mode stewards alone may know (T5)."""
    files = files_of(session, row.id)
    if ingress.brought_into(session, row) is not None:
        return None  # no contract speaks of what is brought in
    if not files or any(file.verdict is None for file in files) or (eyes.coarse and not eyes.steward):
        return None
    return str(files_kept({file.path: [f["code"] for f in file.findings] for file in files}))


def told_findings(findings: list[dict[str, object]], *, coarse: bool, steward: bool = False) -> list[schemas.Finding]:
    """Return stored findings with their words: all for stewards, else what a requester may read (T5)."""
    shown = findings if steward else visible(findings, coarse=coarse)
    return [schemas.Finding.model_validate(answers.told(dict(f))) for f in shown]


def _output(file: IntakeFile, paths: Mapping[str, str], *, coarse: bool, fixable: bool) -> output_schemas.Output:
    told = told_findings(file.findings, coarse=coarse) if scanned(file).settled else []
    # T5: in coarse mode fixes are offered for each table, so that an offer says nothing of what was found.
    fixes = fixing.offered(file) if fixable and (coarse or told) else []
    return output_schemas.Output(
        id=file.id,
        path=file.path,
        state=shown_state(scanned(file), coarse=coarse).value,
        verdict=shown_verdict(scanned(file), coarse=coarse).value,
        findings=told,
        size=None if coarse else file.size,
        policy_version=file.policy_version,
        fixed_from=paths[file.fixed_from] if file.fixed_from else None,
        fixes=words_of(file.fixes),
        may_fix=[
            output_schemas.OfferedFix(kind=one.kind, column=one.column, bands=list(one.bands), words=str(one))
            for one in fixes
        ],
    )


def _file(
    session: orm.Session,
    file: RequestFile,
    *,
    eyes: _Eyes,
    votes: list[FileVote],
    left: ReleasedFile | None,
    link: str | None,
    place: Delivery | None,
) -> schemas.ShownFile:
    # T5: before release a requester of coarse data sees nothing that values change, not even a size or digest.
    coarse = eyes.coarse and not eyes.steward and left is None
    findings = told_findings(file.findings, coarse=coarse, steward=eyes.steward)
    source = session.get_one(IntakeFile, file.file)
    cast = [v for v in votes if v.file == file.file]
    own = next((Vote(v.vote) for v in cast if v.steward == eyes.person), None)
    return schemas.ShownFile(
        id=file.file,
        path=file.path,
        verdict=_verdict(file, source, coarse=coarse, steward=eyes.steward),
        findings=shown_review.with_earlier(session, file.file, findings, eyes.person) if eyes.steward else findings,
        size=None if coarse else file.size,
        body_sha256=None if coarse else file.body_sha256,
        split_off=file.split_off,
        reasons=_reasons(cast) if eyes.reviewed else [],
        votes=[_vote(v) for v in cast] if eyes.steward and eyes.votes_open else [],
        my_vote=own if eyes.steward else None,
        sha256=left.sha256 if left else None,
        downloads=left.downloads if left else None,
        link=link,
        deliver_to=parse_place(place.url, "outputs").shown if place is not None else None,
        deliver_to_sha256=place.url_sha256 if place is not None else None,
        delivery=place.state if place is not None else None,
        supporting=file.supporting,
        group=file.group,
        lifted=file.lifted_by is not None and not coarse,  # T5: a lift tells that there was a block
        votes_kept=eyes.steward and any(v.kept_from is not None for v in cast),
        fixed_from=session.get_one(IntakeFile, source.fixed_from).path if source.fixed_from else None,
        fixes=words_of(source.fixes),
    )


def _verdict(file: RequestFile, source: IntakeFile, *, coarse: bool, steward: bool) -> str:
    if not coarse and file.verdict is not None:
        return file.verdict if steward else own_verdict(Verdict(file.verdict), file.findings).value
    return shown_verdict(scanned(source), coarse=coarse).value


def _votes(session: orm.Session, row: ReleaseRequest) -> list[FileVote]:
    votes = votes_of(session, row.id, row.turn)
    if votes or row.parent is None or row.turn != 1:
        return votes
    # A child that was split off shows why its files were refused in the review of its parent.
    parent = session.get_one(ReleaseRequest, row.parent)
    return votes_of(session, parent.id, parent.turn)


def _vote(vote: FileVote) -> schemas.ShownVote:
    return schemas.ShownVote(
        steward=vote.steward, vote=Vote(vote.vote), reason=Reason(vote.reason) if vote.reason else None
    )


def _reasons(votes: list[FileVote]) -> list[schemas.ShownReason]:
    # T14: the sentences of a closed list, in its order, without names.
    given = {vote.reason for vote in votes}
    return [schemas.ShownReason(reason=r, sentence=REASONS[r]) for r in Reason if r.value in given]


def _link(row: ReleaseRequest, file: RequestFile, made: Release | None, secret: bytes | None) -> str | None:
    if made is None or secret is None or row.state != S.RELEASED.value or file.split_off or file.supporting:
        return None
    expires = int(made.expires.timestamp())
    signature = links.sign(secret, request=row.id, file=file.file, expires=expires)
    return f"/api/airlock/v1/releases/{row.id}/files/{file.file}?expires={expires}&signature={signature}"


def _may(who: Asker, what: Asked) -> list[str]:
    return sorted(to.value for to in RequestState if rules.may_step(who, what, to))


def _lines(
    session: orm.Session, query: sa.Select[ReleaseRequest], *, may_review_by: str | None = None
) -> schemas.Lines:
    rows = session.scalars(query.order_by(ReleaseRequest.changed.desc()).limit(MOST_LINES)).all()
    if may_review_by is not None:
        rows = [r for r in rows if rules.may_review(asker(session, may_review_by, r.project), asked(session, r))]
    return schemas.Lines(
        requests=[
            schemas.RequestLine(
                id=row.id,
                run=row.run,
                project=row.project,
                requester=row.requester,
                state=row.state,
                turn=row.turn,
                files=len(files_of(session, row.id)),
                created=_moment(row.created),
                changed=_moment(row.changed),
                turn_of=_turn_of(row),
                dataset=ingress.brought_into(session, row),
                **(_for_steward(session, row, may_review_by) if may_review_by is not None else {}),
            )
            for row in rows
        ]
    )


def _turn_of(row: ReleaseRequest) -> str | None:
    owners = {owner for (state, _), owner in OWNERS.items() if state.value == row.state}
    # Who can only take it back, or let it expire, is not the one it waits for.
    for owner in (Owner.STEWARD, Owner.REQUESTER, Owner.SYSTEM):
        if owner in owners and row.state != S.RELEASED.value:
            waits = owner is not Owner.STEWARD or row.state in {s.value for s in IN_REVIEW}
            if waits:
                return owner.value
    return None


def _for_steward(session: orm.Session, row: ReleaseRequest, steward: str) -> dict[str, Any]:
    files = files_of(session, row.id)
    verdicts = [v for v in ("block", "warn", "pass") if any(f.verdict == v for f in files)]
    mine = [v for v in votes_of(session, row.id, row.turn) if v.steward == steward]
    return {
        "bytes": sum(file.size or 0 for file in files),
        "worst": verdicts[0] if verdicts else None,
        "my_votes": len(mine),
    }


def _moment(time: datetime) -> str:
    # T4: times to the minute, for everybody alike.
    return time.replace(second=0, microsecond=0).isoformat()
