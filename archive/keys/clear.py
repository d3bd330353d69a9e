"""Gives a run's engine the header of a file that its owner marked as clear (the broker's verb `clear`, T17)."""

from sqlalchemy import orm

from archive import decisions
from archive.facts import Decision, ObjectFacts
from archive.keys.desk import ACTOR, Desk
from archive.keys.orders import object_id
from archive.keys.outputs import parse_bytes
from archive.keys.rights import KeysRefused, Standing, Vetted, check_reads, check_vetted
from archive.keys.standing import dataset_facts, is_open, stored_objects
from strongroom import projects
from strongroom.audit import Entry, Event, append
from strongroom.database import now, reading, transaction
from strongroom.doors import Message
from strongroom.errors import BadRequest

PUBLIC_KEY = 32


def clear(desk: Desk, message: Message) -> Message:
    """Return a header for the asker's one-time key, and the signed facts that prove the body whole.

    The recipient is the asker's word: what it opens is what the dataset's owner and the vetters let out of the walls.
    """
    if set(message) != {"verb", "run", "object", "public_key"}:
        raise BadRequest("clear: send the run, the object and a one-time key, and nothing else.")
    run, identifier = object_id(message["run"], "run"), object_id(message["object"], "object")
    recipient = parse_bytes(message, "public_key", most=PUBLIC_KEY)
    with reading(desk.engine) as session:
        rows = stored_objects(session, [identifier])
        decision = decisions.decision_of(session, run)
    if not rows or decision is None:
        raise KeysRefused("There is no such file or run.")
    one = desk.believed(rows[0])
    vetted = desk.trust.vetted(dict(decision.envelope))
    check_vetted(vetted, decision, signatures=desk.settings.vetting.signatures)
    with transaction(desk.engine) as session:
        _check(session, decision, one.facts, vetted)
        header = desk.rewrapped(one, recipient)
        said = {"object": identifier, "file": one.facts.clear, "dataset": one.facts.owner, "size": one.facts.size}
        append(session, Entry(Event.KEYS_CLEARED, ACTOR, run, decision.project, said))
    facts = one.facts
    return {
        "header": header,
        "size": facts.size,
        "segments": facts.segments,
        "body_length": facts.body_length,
        "body_sha256": facts.body_sha256,
    }


def _check(session: orm.Session, decision: Decision, facts: ObjectFacts, vetted: Vetted) -> None:
    """Ask every rule on what the tables say at this moment; a revocation that was committed before is obeyed."""
    project = decision.project
    standing = Standing(
        decision=decisions.decision_of(session, decision.run),
        project_open=is_open(session, project),
        roles=projects.roles_of(session, decision.person, project),
        ever_researcher=False,
        datasets=dataset_facts(session, {*decision.datasets, *facts.ancestors}, project=project),
    )
    check_reads(standing, facts, vetted, now())
