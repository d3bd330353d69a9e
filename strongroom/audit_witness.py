"""Shows signed heads to a witness outside this home, a file or a URL, before a release counts (T15)."""

import fcntl
import json
import os
from pathlib import Path

import httpx
from sqlalchemy import orm

from strongroom.audit_heads import stated_head
from strongroom.audit_proofs import LogDiffers, consistency, newest_head
from strongroom.dsse import BadEnvelope, Envelope
from strongroom.errors import BadRequest, StrongroomError

SECONDS = 15.0


class WitnessFails(StrongroomError):
    """The witness cannot be told; nothing is released until it can."""


def show(session: orm.Session, witness: str, *, covering: int) -> None:
    """Show the newest signed head, which must cover entry `covering` and go on from the head shown last.

    A witness is a file, or an https URL that answers GET with the line it was told last (404: none yet) and takes
    the next one by POST; what it answered is held to our log, so that it need not be trusted with it.
    """
    newest = newest_head(session, covering=covering)
    try:
        if "://" in witness:
            _show_far(session, witness, newest)
        else:
            _show_file(session, Path(witness), newest)
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise WitnessFails("The witness of the log cannot be told; ask the operator.", detail=str(error)) from error


def _show_file(session: orm.Session, file: Path, newest: Envelope) -> None:
    with open(file, "a+", encoding="utf-8") as lines:
        fcntl.flock(lines, fcntl.LOCK_EX)
        lines.seek(0)
        before = _heads(lines.read())
        if (line := _next_line(session, before[-1] if before else None, newest)) is not None:
            lines.write(line)
            lines.flush()
            os.fsync(lines.fileno())


def _show_far(session: orm.Session, url: str, newest: Envelope) -> None:
    if not url.startswith("https://") and not url.startswith("http://127.0.0.1:"):
        raise WitnessFails("audit.witness is a file, or begins with https://.")
    with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
        told = client.get(url)
        before = [] if told.status_code == httpx.codes.NOT_FOUND else _heads(told.raise_for_status().text)
        if (line := _next_line(session, before[-1] if before else None, newest)) is not None:
            client.post(url, content=line, headers={"Content-Type": "application/json"}).raise_for_status()


def _next_line(session: orm.Session, last: Envelope | None, newest: Envelope) -> str | None:
    """Return what a witness is told after `last`, with the proof that the log only grew; None if it knows it."""
    if last is not None and stated_head(last).size > stated_head(newest).size:
        raise LogDiffers("The log is shorter than its witness saw it; nothing is released.")
    proof = consistency(session, last, newest) if last is not None else []
    if last is not None and stated_head(last) == stated_head(newest):
        return None
    return json.dumps({"head": newest, "consistency": proof}) + "\n"


def witnessed(file: Path) -> list[Envelope]:
    """Return the heads that a witness was shown, oldest first; who signed them is for the caller to ask."""
    try:
        return _heads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read.") from error


def _heads(text: str) -> list[Envelope]:
    found: list[Envelope] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            match json.loads(line):
                case {"head": dict(envelope)}:
                    stated_head(envelope)
                    found.append(envelope)
                case _:
                    raise ValueError
        except (ValueError, RecursionError, BadEnvelope) as error:
            raise BadRequest(f"Line {number} of the witness is no head of a log.") from error
    return found
