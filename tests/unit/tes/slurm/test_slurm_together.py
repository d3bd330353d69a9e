"""Many callers, one question: each gets the answer to one that was put after it asked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tes.backends.slurm.together import Together


def test_who_asks_alone_is_answered_anew_each_time() -> None:
    numbers = count(1)
    together = Together(lambda: next(numbers))
    assert [together.ask(), together.ask()] == [1, 2]


def test_many_who_ask_at_once_share_one_question_that_is_put_after_they_asked() -> None:
    numbers, begun, go_on = count(1), threading.Event(), threading.Event()

    def question() -> int:
        number = next(numbers)
        if number == 1:
            begun.set()
            assert go_on.wait(10)
        return number

    together = Together(question)
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(together.ask)
        assert begun.wait(10)
        others = [pool.submit(together.ask) for _ in range(20)]
        while together._turn._waiters.__len__() < 20:  # type: ignore[attr-defined]
            pass
        go_on.set()
        assert first.result(10) == 1
        assert {other.result(10) for other in others} == {2}


def test_an_error_is_everybodys_and_the_next_question_is_put_all_the_same() -> None:
    answers = iter([ValueError("silent"), 7])

    def question() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    together = Together(question)
    with pytest.raises(ValueError, match="silent"):
        together.ask()
    assert together.ask() == 7
