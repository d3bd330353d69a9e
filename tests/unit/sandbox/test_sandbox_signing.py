"""What an attempt signs counts as it was said, by nobody else, and for nothing else (T22)."""

from typing import Any

import pytest

from sandbox.signing import AttemptKey, NotSigned, check_signed

WORDS = {"type": "result", "cause": "exited", "exit_code": 0, "cpu_seconds": 0.1, "outputs": [{"object": "a"}]}


def test_t22_own_words_come_back_as_they_were() -> None:
    own = AttemptKey()
    assert check_signed(own.signed(WORDS), own.public_key) == WORDS


@pytest.mark.parametrize(
    "change",
    [
        {"exit_code": 1},
        {"outputs": [{"object": "b"}]},
        {"more": None},
        {"signature": ""},
        {"signature": None},
        {"signature": "A" * 88},
        {"cpu_seconds": float("nan")},
    ],
)
def test_t22_a_changed_message_counts_for_nothing(change: dict[str, Any]) -> None:
    own = AttemptKey()
    with pytest.raises(NotSigned):
        check_signed({**own.signed(WORDS), **change}, own.public_key)


def test_t22_another_key_or_none_counts_for_nothing() -> None:
    own = AttemptKey()
    for message, key in ((own.signed(WORDS), AttemptKey().public_key), (WORDS, own.public_key), (WORDS, b"short")):
        with pytest.raises(NotSigned):
            check_signed(message, key)
