"""What the dispatcher believes of a result: the words of whoever claimed, and a failure before any claim."""

import base64

import pytest

from sandbox.signing import AttemptKey, NotSigned
from tes.reports import own_words

RESULT = {"type": "result", "cause": "exited", "exit_code": 0, "reason": None, "outputs": []}


def test_t22_a_result_counts_if_the_claims_key_signed_it() -> None:
    own = AttemptKey()
    key = base64.b64encode(own.public_key).decode()
    assert own_words(own.signed(RESULT), key, spec=b"{}") == {k: v for k, v in RESULT.items() if k != "type"}
    for forged in (RESULT, AttemptKey().signed(RESULT), {**own.signed(RESULT), "exit_code": 1}):
        with pytest.raises(NotSigned):
            own_words(forged, key, spec=b"{}")


def test_without_a_claim_nothing_but_a_failure_is_believed() -> None:
    believed = own_words({**RESULT, "reason": "The spec is not JSON."}, None, spec=b"{}")
    assert believed == {"cause": "system", "exit_code": None, "reason": "The spec is not JSON."}
    for reason in (None, 3, ["a"], "nothing\0", "\ud800"):
        assert own_words({**RESULT, "reason": reason}, None, spec=b"{}") == {**believed, "reason": None}
