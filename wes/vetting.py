"""Decides whether a workflow version may run: its form, its digest, and the signatures of two vetters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom import dsse
from strongroom.errors import BadRequest, NotAllowed
from strongroom.vetters import signing

STATEMENT = "application/vnd.strongroom.workflow+json"
_NAME = r"[a-z][a-z0-9-]{0,63}"
_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+"
_PLAIN = re.compile(rf"({_NAME})/({_VERSION})")
_TRS = re.compile(rf"trs://([^/]{{1,255}})/({_NAME})/({_VERSION})")


# Authors in one line: between commas, semicolons, `and` and &; addresses in brackets.
_BETWEEN = re.compile(r"[,;&]|\band\b")
_IN_BRACKETS = re.compile(r"[<(][^<>()]{0,200}[>)]")


class NotVetted(NotAllowed):
    """Unknown, unvetted, unsigned, changed or revoked: all alike to who asks (decision 21)."""

    def __init__(self, *, detail: str) -> None:
        super().__init__(
            "Only vetted workflows may run here, named NAME/VERSION; `strongroom workflow list` shows them.",
            detail=detail,
        )


@dataclass(frozen=True)
class Statement:
    """What vetters sign: this folder, with these images, is this version."""

    workflow: str
    version: str
    digest: str
    images: Mapping[str, str]
    clear: tuple[Mapping[str, Any], ...] = ()  # files that its engine may read, for the broker (T17)

    def facts(self) -> dict[str, Any]:
        """Return the JSON that the envelope carries."""
        said: dict[str, Any] = {
            "workflow": self.workflow,
            "version": self.version,
            "digest": self.digest,
            "images": dict(self.images),
        }
        return said | ({"clear": [dict(one) for one in self.clear]} if self.clear else {})


def statement_of(facts: Mapping[str, Any]) -> Statement:
    """Return the statement that an envelope carries."""
    clear = tuple(facts.get("clear", ()))
    return Statement(facts["workflow"], facts["version"], facts["digest"], facts["images"], clear)


def is_author(author: str, vetter: str, person: str) -> bool:
    """Say whether a vetter, by name or as a person, is among those that a manifest calls its authors (T23)."""
    told = {one for part in _BETWEEN.split(author) for one in (part, *_IN_BRACKETS.findall(part))}
    wrote = {_IN_BRACKETS.sub("", one).strip().casefold() for one in told} | {
        one.strip("<>() ").casefold() for one in told
    }
    return bool({one.casefold() for one in (vetter, person) if one} & wrote)


def parse_url(url: str, *, hosts: frozenset[str]) -> tuple[str, str]:
    """Return name and version in a `workflow_url`; only NAME/VERSION or trs://OUR-HOST/NAME/VERSION is a form."""
    if found := _PLAIN.fullmatch(url):
        return found[1], found[2]
    found = _TRS.fullmatch(url)
    if found is None:
        raise BadRequest("workflow_url: NAME/VERSION or trs://HOST/NAME/VERSION of a vetted workflow; nothing else.")
    if found[1] not in hosts:
        raise NotVetted(detail="a foreign TRS host")
    return found[2], found[3]


def check_signed(
    envelope: dsse.Envelope,
    *,
    name: str,
    version: str,
    content_digest: str,
    vetters: Mapping[str, Ed25519PublicKey],
    owners: Mapping[str, str],
    signatures: int,
) -> Statement:
    """Return the statement in `envelope` if it is about exactly this content and enough vetters signed it."""
    try:
        signed_by = signing(dsse.signers(envelope, STATEMENT, vetters), owners)
        facts = dsse.facts_in(envelope)
        statement = statement_of(facts)
    except (NotAllowed, KeyError, TypeError, AttributeError) as error:
        raise NotVetted(detail="an envelope that cannot be read") from error
    if len(signed_by) < signatures:
        raise NotVetted(detail=f"{len(signed_by)} of {signatures} signatures")
    if (statement.workflow, statement.version) != (name, version):
        raise NotVetted(detail="signatures for another version")
    if statement.digest != content_digest:
        raise NotVetted(detail="content that is not what was signed")
    return statement
