"""Takes comments on a request, and says who may read which (T14)."""

import uuid
from dataclasses import dataclass

from sqlalchemy import orm

from airlock import rules
from airlock.moves import append, asked, asker
from airlock.release_requests import IN_REVIEW, OPEN_TO_VOTES, Audience, Remark, RequestState
from airlock.review_store import Comment, comments_of
from airlock.store import ReleaseRequest, files_of
from airlock.wording import check_wording
from strongroom.audit import Entry, Event
from strongroom.database import joined_in, now
from strongroom.errors import BadRequest, Conflict, NotAllowed, NotFound

MOST_COMMENTS = 200  # T30
S = RequestState


@dataclass(frozen=True)
class Words:
    """What somebody says: a remark of the closed list, text, or both; of one file, or of the whole request."""

    audience: Audience
    remark: Remark | None
    text: str | None
    file: str | None


def say(session: orm.Session, row: ReleaseRequest, person: str, words: Words) -> Comment:
    """Keep a comment of a steward who reviews, or of the requester; free text to a requester waits for the other."""
    who, what = asker(session, person, row.project), asked(session, row)
    if person == row.requester:
        rules.check_requester(who, what)
        if words.audience is not Audience.STEWARDS or words.text is None or words.remark is not None:
            raise BadRequest("A requester's comment is text for the stewards.")
    elif what.state in IN_REVIEW:
        rules.check_drawn(who, what)
    else:
        rules.check_steward(who, what)
        raise Conflict("This request is not in review.")
    if words.remark is None and words.text is None:
        raise BadRequest("Say a remark, or write text.")
    if words.text is not None:
        check_wording(words.text)
    if words.file is not None and words.file not in {
        file.file for file in files_of(session, row.id, with_split_off=True, with_supporting=True)
    }:
        raise NotFound("There is no such file in this request.")
    if len(comments_of(session, row.id)) >= MOST_COMMENTS:
        raise Conflict("There are too many comments on this request; withdraw it and ask anew.")
    made = Comment(
        id=uuid.uuid4().hex,
        request=row.id,
        turn=row.turn,
        file=words.file,
        author=person,
        audience=words.audience.value,
        remark=words.remark.value if words.remark else None,
        text=words.text,
        time=now(),
    )
    session.add(made)
    session.flush()
    append(session, _entry(Event.COMMENT_MADE, row, made, person))
    return made


def confirm(session: orm.Session, row: ReleaseRequest, steward: str, comment: str) -> Comment:
    """Let another steward's words reach the requester: one steward is not enough for words either (T14)."""
    rules.check_may_view(asker(session, steward, row.project), asked(session, row))
    made = session.get(Comment, comment)
    if made is None or made.request != row.id or made.audience != Audience.REQUESTER.value or made.text is None:
        raise NotFound("There is no comment here that waits for you.")
    if RequestState(row.state) in OPEN_TO_VOTES or made.turn != row.turn:
        raise Conflict("Words are confirmed once both reviews of this turn are in.")
    if joined_in(session).are_same(made.author, steward):
        raise NotAllowed("Another steward confirms your words.")
    if made.confirmed_by is None:
        made.confirmed_by = steward
        append(session, _entry(Event.COMMENT_CONFIRMED, row, made, steward))
    return made


def readable(row: ReleaseRequest, comment: Comment, reader: str) -> bool:
    """Say whether a person, who may read the request, may read this comment of it."""
    if comment.author == reader:
        return True
    if reader != row.requester:
        # While reviews are blind, a steward does not read what the other thinks.
        blind = comment.turn == row.turn and RequestState(row.state) in OPEN_TO_VOTES
        return comment.author == row.requester or not blind
    if comment.audience != Audience.REQUESTER.value:
        return False
    return comment.turn < row.turn or RequestState(row.state) not in IN_REVIEW


def text_for(row: ReleaseRequest, comment: Comment, reader: str) -> str | None:
    """Return the free text that this reader may see: a requester sees a steward's only once another confirmed it."""
    if reader == row.requester and comment.author != reader and comment.confirmed_by is None:
        return None
    return comment.text


def tells_the_requester(session: orm.Session, row: ReleaseRequest) -> bool:
    """Say whether this turn has a comment that its requester will read."""
    return any(
        one.turn == row.turn
        and one.audience == Audience.REQUESTER.value
        and (one.remark is not None or one.confirmed_by is not None)
        for one in comments_of(session, row.id)
    )


def _entry(event: Event, row: ReleaseRequest, made: Comment, actor: str) -> Entry:
    facts = {"turn": row.turn, "comment": made.id, "file": made.file, "for": made.audience, "remark": made.remark}
    return Entry(event, actor, row.id, row.project, facts)
