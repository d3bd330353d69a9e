"""Answers many callers with one question."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Round(Generic[T]):
    """One question: its number, and what came of it."""

    number: int
    answer: T | None = None
    error: Exception | None = None


class Together(Generic[T]):
    """Puts `question` for everybody who asks while another is on its way, once that is answered."""

    def __init__(self, question: Callable[[], T]) -> None:
        self._question = question
        self._turn = threading.Condition()
        self._asking = False
        self._begun = 0
        self._last: _Round[T] = _Round(0)

    def ask(self) -> T:
        """Return, or raise, what comes of a question that is put after this call."""
        with self._turn:
            wanted = self._begun + 1
            while self._last.number < wanted and self._asking:
                self._turn.wait()
            if self._last.number >= wanted:
                return _told(self._last)
            self._asking, self._begun = True, self._begun + 1
            now: _Round[T] = _Round(self._begun)
        try:
            now.answer = self._question()
        except Exception as error:
            now.error = error
        with self._turn:
            self._asking, self._last = False, now
            self._turn.notify_all()
        return _told(now)


def _told(last: _Round[T]) -> T:
    if last.error is not None:
        raise last.error
    return last.answer  # type: ignore[return-value]
