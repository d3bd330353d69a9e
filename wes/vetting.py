"""Decides whether a workflow version may run: its form, its digest, and the signatures of two vetters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom import dsse
from strongroom.errors import BadRequest, NotAllowed

STATEMENT = "application/vnd.strongroom.workflow+json"
_NAME = r"[a-z][a-z0-9-]{0,63}"
_VERSION = r"[0-9]+\.[0-9]+\.[0-9]+"
_PLAIN = re.compile(rf"({_NAME})/({_VERSION})")
_TRS = re.compile(rf"trs://([^/]{{1,255}})/({_NAME})/({_VERSION})")


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

    def facts(self) -> dict[str, Any]:
        """Return the JSON that the envelope carries."""
        return {
            "workflow": self.workflow,
            "version": self.version,
            "digest": self.digest,
            "images": dict(self.images),
        }


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
    signatures: int,
) -> Statement:
    """Return the statement in `envelope` if it is about exactly this content and enough vetters signed it."""
    try:
        signed_by = dsse.signers(envelope, STATEMENT, vetters)
        facts = dsse.facts_in(envelope)
        statement = Statement(facts["workflow"], facts["version"], facts["digest"], facts["images"])
    except (NotAllowed, KeyError, TypeError, AttributeError) as error:
        raise NotVetted(detail="an envelope that cannot be read") from error
    if len(signed_by) < signatures:
        raise NotVetted(detail=f"{len(signed_by)} of {signatures} signatures")
    if (statement.workflow, statement.version) != (name, version):
        raise NotVetted(detail="signatures for another version")
    if statement.digest != content_digest:
        raise NotVetted(detail="content that is not what was signed")
    return statement
