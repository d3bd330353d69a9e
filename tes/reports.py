"""Decides what is believed of how an attempt ended."""

import base64
from collections.abc import Mapping
from typing import Any

from sandbox.signing import check_signed
from tes.tasks import Cause

Report = dict[str, Any]


def report(cause: Cause, reason: str | None = None, exit_code: int | None = None) -> Report:
    """Return a report that is ours, not the sandbox's."""
    return {"cause": cause.value, "exit_code": exit_code, "reason": reason}


def own_words(result: Mapping[str, Any], signing_key: str | None) -> Report:
    """Return the report in a result signed with the claim's key (T22); before a claim there is only failure.

    `signing_key` is the claim's, in base64, or None when there was no claim; raises `NotSigned`.
    """
    if signing_key is None:
        return report(Cause.SYSTEM, str(result.get("reason"))[:500])
    words = check_signed(result, base64.b64decode(signing_key))
    del words["type"]
    return words
