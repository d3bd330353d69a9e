"""Signs the log's head and checks a whole log against its heads, so that a changed entry is named."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import orm

from strongroom.audit import NOTHING_BEFORE, AuditEvent, SignedHead, events, head
from strongroom.canonical import canonical
from strongroom.dsse import BadEnvelope, Envelope, facts_in, key_id, sign, signers
from strongroom.merkle import EMPTY_ROOT, Peaks, append_leaf, leaf_hash, root_of

HEAD_TYPE = "application/vnd.strongroom.log-head+json"
COLUMNS = ("event", "actor", "project", "subject", "time")


@dataclass(frozen=True)
class Logged:
    """One entry as it was found; `columns` are the copies that the database keeps beside the body."""

    seq: int
    body: bytes
    salt: bytes
    leaf: str
    columns: dict[str, Any] | None = None


@dataclass(frozen=True)
class Head:
    """How many entries a log has, with the root (hex) of their tree."""

    size: int
    root: str


@dataclass(frozen=True)
class Problem:
    """What is wrong, and at which entry where that can be told."""

    seq: int | None
    sentence: str


@dataclass(frozen=True)
class Report:
    """What a check of a log found; `signed` counts heads whose signature is good, `unchecked` those without a key."""

    entries: int
    root: str
    signed: int
    unchecked: int
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def sign_head(session: orm.Session, private_key: Ed25519PrivateKey) -> None:
    """Store the signer's statement about the log's head; an empty log or a head signed before changes nothing."""
    size, root = head(session)
    if size and session.get(SignedHead, size) is None:
        envelope = sign(HEAD_TYPE, {"size": size, "root": root}, private_key)
        session.add(SignedHead(size=size, envelope=envelope))


def logged(session: orm.Session) -> Iterator[Logged]:
    """Yield the entries of the database in the order of their numbers."""
    for row in events(session):
        yield Logged(row.seq, bytes(row.body), bytes(row.salt), row.leaf, _columns(row))


def signed_heads(session: orm.Session) -> list[Envelope]:
    """Return the heads that were signed, oldest first."""
    return list(session.scalars(sa.select(SignedHead.envelope).order_by(SignedHead.size)))


def check_log(
    entries: Iterable[Logged],
    heads: Sequence[Envelope],
    public_key: Ed25519PublicKey | None,
    *,
    last: Head | None = None,
) -> Report:
    """Check every leaf, `prev`, number and root; `last` is the head that the log claims for itself, if it has one."""
    believed, problems = _believed(heads, public_key)
    walk = _walk(entries, sizes={stated.size for stated in (*believed, *([last] if last else []))})
    good = max((stated.size for stated in believed if walk.roots.get(stated.size) == stated.root), default=0)
    bad = min((s for s in believed if walk.roots.get(s.size) != s.root), key=lambda s: s.size, default=None)
    problems = [*walk.problems, *problems]
    for stated, whose in ((bad, "signed"), (last, "log's own")):
        if stated is not None and stated.size > walk.end:
            problems.append(_cut_off(stated, walk))
        elif stated is not None and not walk.problems and walk.roots.get(stated.size) != stated.root:
            problems.append(_rewritten(stated, good=good, whose=whose))
    if last is not None and last.size < walk.end:
        problems.append(
            Problem(last.size, f"Entry {last.size} and later ones are not covered by the log's own head.")
        )
    signed = len(believed) if public_key is not None else 0
    return Report(walk.count, walk.root, signed, len(believed) - signed, tuple(dict.fromkeys(problems)))


def _believed(heads: Sequence[Envelope], public_key: Ed25519PublicKey | None) -> tuple[list[Head], list[Problem]]:
    found, problems = [], []
    for envelope in heads:
        try:
            stated = stated_head(envelope)
            trusted = {key_id(public_key): public_key} if public_key is not None else {}
            if trusted and not signers(envelope, HEAD_TYPE, trusted):
                raise BadEnvelope("It is not signed by the key that was given.")
            found.append(stated)
        except BadEnvelope as error:
            problems.append(Problem(None, f"A signed head cannot be believed. {error.sentence}"))
    return found, problems


def _rewritten(stated: Head, *, good: int, whose: str) -> Problem:
    where = f"entry {good}" if stated.size - good == 1 else f"one of the entries {good} to {stated.size - 1}"
    return Problem(good, f"The {whose} head of {stated.size} entries does not match: {where} was rewritten.")


def _cut_off(stated: Head, walk: "_Walk") -> Problem:
    gone = f"Entry {walk.end} was" if stated.size == walk.end + 1 else f"Entries {walk.end} to {stated.size - 1} were"
    return Problem(walk.end, f"{gone} removed: a head counts {stated.size} entries.")


@dataclass(frozen=True)
class _Walk:
    """What a walk over the entries saw; `end` is one more than the largest number, `count` how many there were."""

    count: int
    end: int
    root: str
    roots: dict[int, str]
    problems: tuple[Problem, ...]


def _walk(entries: Iterable[Logged], *, sizes: Collection[int]) -> _Walk:
    peaks: Peaks = []
    roots: dict[int, str] = {0: EMPTY_ROOT}
    leaves: dict[int, str] = {-1: NOTHING_BEFORE}
    problems: dict[int | None, Problem] = {}
    count, end = 0, 0
    for entry in entries:
        problem = _place(entry, end, seen=entry.seq in leaves) or _content(entry)
        problem = problem or _link(entry, leaves.get(entry.seq - 1))
        if problem is not None and (problem.seq not in problems or entry.seq < end):
            problems[problem.seq] = problem  # what was missed and then turns up was moved
        # The leaf that is kept, not the recomputed one, goes on: one changed entry is then one problem, not many.
        peaks = append_leaf(peaks, entry.leaf)
        leaves[entry.seq] = entry.leaf
        count, end = count + 1, max(end, entry.seq + 1)
        if count in sizes:
            roots[count] = root_of(peaks)
    return _Walk(count, end, root_of(peaks), roots, tuple(problems.values()))


def _place(entry: Logged, expected: int, *, seen: bool) -> Problem | None:
    if entry.seq > expected:
        gone = f"Entry {expected} was" if entry.seq == expected + 1 else f"Entries {expected} to {entry.seq - 1} were"
        return Problem(expected, f"{gone} removed or moved: entry {entry.seq} stands in that place.")
    if entry.seq < expected:
        how = "repeated" if seen else "reordered"
        return Problem(entry.seq, f"Entry {entry.seq} was {how}: it comes after entry {expected - 1}.")
    return None


def _content(entry: Logged) -> Problem | None:
    if len(entry.salt) != 16 or leaf_hash(entry.salt + entry.body) != entry.leaf:
        return Problem(entry.seq, f"Entry {entry.seq} was changed: its content does not match its leaf.")
    facts = _facts(entry.body)
    if facts is None:
        return Problem(entry.seq, f"Entry {entry.seq} was changed: its content is not in canonical form.")
    if facts.get("seq") != entry.seq:
        return Problem(entry.seq, f"Entry {entry.seq} was reordered: it was written as entry {facts.get('seq')}.")
    for name, value in (entry.columns or {}).items():
        if facts.get(name) != value:
            return Problem(entry.seq, f"Entry {entry.seq} was changed: the copy of its {name} is another one.")
    return None


def _link(entry: Logged, before: str | None) -> Problem | None:
    facts = _facts(entry.body)
    if before is None or facts is None or facts.get("prev") == before:
        return None
    if entry.seq == 0:
        return Problem(0, "Entry 0 was changed: it does not begin the chain.")
    return Problem(entry.seq - 1, f"Entry {entry.seq - 1} was changed: entry {entry.seq} came after another one.")


def _facts(body: bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(body)
        same = isinstance(facts, dict) and canonical(facts) == body
    except (ValueError, RecursionError):
        return None
    return facts if same else None


def stated_head(envelope: Envelope) -> Head:
    """Return the head that an envelope states, without asking who signed it."""
    facts = facts_in(envelope)
    match facts:
        case {"size": int(size), "root": str(root)}:
            return Head(size, root)
        case _:
            raise BadEnvelope("it does not say a size and a root")


def _columns(row: AuditEvent) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in COLUMNS}
    return {**values, "time": row.time.astimezone(UTC).isoformat()}
