"""Asks the signer for the work order of an attempt that was claimed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from sandbox.spec import spec_digest
from strongroom.doors import ask
from strongroom.errors import StrongroomError
from tes.backends import Launch

log = structlog.get_logger()
FIELDS = ("spec_sha256", "public_key", "signing_key")


def order(signer: Path, launch: Launch, claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the claimant is answered: an order over its spec's digest and its keys (T22), or a refusal."""
    if claim.get("spec_sha256") != spec_digest(launch.spec):
        # T22: what runs there is not what was decided here.
        log.error("claim.other_spec", attempt=launch.attempt, alarm=True)
        return {"type": "refused", "reason": "This claim is not for the spec of its attempt."}
    asked = {"verb": "order", **launch.order, "attempt": launch.attempt, **{name: claim.get(name) for name in FIELDS}}
    try:
        return {"type": "order", "order": ask(signer, asked)["order"]}
    except StrongroomError as error:
        return {"type": "refused", "reason": error.sentence}
