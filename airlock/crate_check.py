"""Verifies a release's crate without a server: bag, head, proofs, record, votes, digests and metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from airlock.bag import BadBag, read_bag
from airlock.crate import EVENTS, FORMAT, HEAD, METADATA, RECORD, WORKFLOW, Story, metadata, workflow_facts
from airlock.rules import REVIEWERS
from strongroom.audit import Event
from strongroom.audit_heads import HEAD_TYPE, Head, stated_head
from strongroom.canonical import canonical, digest
from strongroom.dsse import BadEnvelope, key_id, signers
from strongroom.merkle import is_included, leaf_hash

FILES = frozenset({METADATA, WORKFLOW, HEAD, EVENTS, RECORD})


class BadCrate(BadBag):
    """The crate does not prove what it says; the sentence names where."""


@dataclass(frozen=True)
class Verified:
    """What a crate proves; `reviewers` is empty for a clean crate, which shows no other person's acts."""

    request: str
    project: str
    entries: int
    root: str
    events: int
    files: dict[str, str]  # path -> SHA-256 of the plain bytes
    bodies: dict[str, str]  # path -> SHA-256 of the sealed body, which is what was reviewed
    reviewers: dict[str, list[str]]  # path -> stewards whose yes is proved
    called_back: bool


def verify_crate(raw: bytes, public_key: Ed25519PublicKey) -> Verified:
    """Return what the crate proves under the signer's key; raise `BadBag` or `BadCrate`, which names what differs."""
    name, payload = read_bag(raw)
    _check_files(payload)
    head = _head(payload[HEAD], public_key)
    events = _events(payload[EVENTS], head)
    record = _json(payload[RECORD], RECORD)
    made = _made(events, record)
    if name != f"release-{made['subject']}":
        raise BadCrate("The crate's folder does not bear the name of its release.")
    _check_states(events)
    files = {file["file"]: file for file in record["files"]}
    if not events_of(events, Event.VOTE_CAST):
        reviewers = {}
    else:
        reviewers = {file["path"]: _reviewers(file, events, made, record) for file in files.values()}
    for file in files.values():
        _check_checked(file, events, made)
    story = Story(record, events, head.size, head.root)
    for path, told in rendered(story).items():
        if payload[path] != told:
            raise BadCrate(f"{path} was changed: it tells another story than the proven events.")
    return Verified(
        request=made["subject"],
        project=str(made["project"]),
        entries=head.size,
        root=head.root,
        events=len(events),
        files={file["path"]: file["sha256"] for file in files.values()},
        bodies={file["path"]: file["body_sha256"] for file in files.values()},
        reviewers=reviewers,
        called_back=story.withdrawn,
    )


def rendered(story: Story) -> dict[str, bytes]:
    """Return the files of a crate that are nothing but its story."""
    told = json.dumps(metadata(story), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
    return {METADATA: told, WORKFLOW: canonical(workflow_facts(story))}


def events_of(events: list[dict[str, Any]], kind: Event) -> list[dict[str, Any]]:
    """Return the events of one kind."""
    return [event for event in events if event["event"] == kind.value]


def _check_files(payload: Mapping[str, bytes]) -> None:
    for path in sorted(FILES - payload.keys()):
        raise BadCrate(f"{path} is missing from the crate.")
    for path in sorted(payload.keys() - FILES):
        raise BadCrate(f"{path} is no part of a release's crate.")


def _head(raw: bytes, public_key: Ed25519PublicKey) -> Head:
    envelope = _json(raw, HEAD)
    try:
        if not signers(envelope, HEAD_TYPE, {key_id(public_key): public_key}):
            raise BadCrate(f"{HEAD} is not signed by the key that was given.")
        return stated_head(envelope)
    except BadEnvelope as error:
        raise BadCrate(f"{HEAD} was changed: it is no signed head.") from error


def _events(raw: bytes, head: Head) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, line in enumerate(raw.splitlines(), start=1):
        where = f"{EVENTS}, line {number}"
        try:
            match json.loads(line):
                case {"seq": int(seq), "salt": str(salt), "body": str(body), "path": list(path)}:
                    leaf = leaf_hash(bytes.fromhex(salt) + body.encode())
                    good = is_included(leaf, seq, head.size, proof=path, root=head.root)
                    event = json.loads(body)
                case _:
                    raise ValueError
        except (ValueError, TypeError, RecursionError) as error:
            raise BadCrate(f"{where} was changed: it is no entry of a log.") from error
        if not good or len(bytes.fromhex(salt)) != 16 or event.get("seq") != seq:
            raise BadCrate(f"Entry {seq} ({where}) was changed: its proof does not lead to the signed head.")
        if found and found[-1]["seq"] >= seq:
            raise BadCrate(f"Entry {seq} ({where}) was repeated or reordered.")
        found.append(event)
    return found


def _made(events: list[dict[str, Any]], record: Mapping[str, Any]) -> dict[str, Any]:
    all_made = events_of(events, Event.RELEASE_MADE)
    if len(all_made) != 1:
        raise BadCrate("The crate does not prove exactly one release.")
    made = all_made[0]
    if made["facts"].get("record") != digest(record):
        raise BadCrate(f"{RECORD} was changed: the log's entry {made['seq']} froze another one.")
    if record.get("format") != FORMAT:
        raise BadCrate("This crate is of another format; use the Strongroom that wrote it.")
    logged = {f["file"]: (f["object"], f["body_sha256"], f["sha256"]) for f in made["facts"]["files"]}
    told = {f["file"]: (f["object"], f["body_sha256"], f["sha256"]) for f in record["files"]}
    for file in sorted(logged.keys() | told.keys()):
        if logged.get(file) != told.get(file):
            raise BadCrate(f"File {file}: {RECORD} and the log's entry {made['seq']} differ.")
    return made


def _check_states(events: list[dict[str, Any]]) -> None:
    if not events_of(events, Event.VOTE_CAST):
        return  # a clean crate shows only some of the steps
    before = None
    for event in events_of(events, Event.REQUEST_STATE):
        if before is not None and event["facts"].get("from") != before:
            raise BadCrate(f"A step before entry {event['seq']} was left out: it goes on from another state.")
        before = event["facts"].get("state")


def _reviewers(
    file: Mapping[str, Any], events: list[dict[str, Any]], made: Mapping[str, Any], record: Mapping[str, Any]
) -> list[str]:
    turn = made["facts"]["turn"]
    # Votes of an earlier turn on the same bytes go on counting where the submission of this turn says so.
    kept = {
        seq
        for said in events_of(events, Event.REQUEST_STATE)
        if (said["subject"], said["facts"].get("state"), said["facts"].get("turn"))
        == (made["subject"], "SUBMITTED", turn)
        for seq in said["facts"].get("kept", {}).get("votes", {}).get(file["object"], ())
    }
    votes = [
        vote
        for vote in events_of(events, Event.VOTE_CAST)
        if vote["subject"] == made["subject"]
        and vote["seq"] < made["seq"]
        and vote["facts"]["file"] == file["file"]
        and (vote["facts"]["turn"] == turn or vote["seq"] in kept)
    ]
    for vote in votes:
        if vote["facts"]["body_sha256"] != file["body_sha256"] or vote["facts"]["object"] != file["object"]:
            raise BadCrate(f"{file['path']}: entry {vote['seq']} is a vote on other bytes than those released.")
    yes = sorted({v["actor"] for v in votes if v["facts"]["vote"] == "yes"} - {record["requester"]})
    if len(yes) < REVIEWERS:
        raise BadCrate(f"{file['path']}: the crate proves {len(yes)} of {REVIEWERS} stewards' votes for it.")
    return yes


def _check_checked(file: Mapping[str, Any], events: list[dict[str, Any]], made: Mapping[str, Any]) -> None:
    checks = [
        event
        for event in events_of(events, Event.FILE_CHECKED)
        if event["subject"] == file["file"] and event["seq"] < made["seq"]
    ]
    if not checks or checks[-1]["facts"]["body_sha256"] != file["body_sha256"]:
        raise BadCrate(f"{file['path']}: the crate does not prove that the released bytes were checked.")
    if checks[-1]["facts"]["verdict"] != file["verdict"] or file["verdict"] == "block":
        raise BadCrate(f"{file['path']}: entry {checks[-1]['seq']} says another verdict, or blocks it.")


def _json(raw: bytes, path: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
        same = isinstance(found, dict) and canonical(found) == raw
    except (ValueError, RecursionError) as error:
        raise BadCrate(f"{path} was changed: it is not JSON.") from error
    if not same:
        raise BadCrate(f"{path} was changed: it is not in canonical form.")
    return dict(found)
