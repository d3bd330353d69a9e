"""Decides what is believed of how an attempt ended."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import structlog

from sandbox.fields import Fields, SpecError
from sandbox.signing import check_signed
from tes.results import LONGEST_REASON, Declared, parse_result
from tes.tasks import Cause

Report = dict[str, Any]
UNLIKE = "What came of this attempt is not what its task declared, so nothing of it is taken; tell the operator."
log = structlog.get_logger()


def report(cause: Cause, reason: str | None = None, exit_code: int | None = None) -> Report:
    """Return a report that is ours, not the sandbox's."""
    return {"cause": cause.value, "exit_code": exit_code, "reason": reason}


def own_words(result: Mapping[str, Any], signing_key: str | None, *, spec: bytes) -> Report:
    """Return the report in a result signed with the claim's key (T22); before a claim there is only failure.

    `signing_key` is the claim's, in base64, or None when there was no claim; raises `NotSigned`. Signed words that
    are no result of the attempt whose `spec` this is end it as a failure of the system.
    """
    if signing_key is None:
        return report(Cause.SYSTEM, _reason(result))
    words = check_signed(result, base64.b64decode(signing_key))
    try:
        return parse_result(words, Declared.by(spec))
    except SpecError as error:
        # T22: a node says what it likes with the key that it claimed with; a foreign path would be followed (T19).
        log.error("result.refused", attempt=json.loads(spec).get("attempt"), detail=str(error), alarm=True)
        return report(Cause.SYSTEM, UNLIKE)


def _reason(result: Mapping[str, Any]) -> str | None:
    try:
        return Fields(dict(result), "result").text("reason")[:LONGEST_REASON]
    except SpecError:
        return None
