"""Threads are kept for what comes next, and nothing ever waits for one that is busy."""

import threading
import weakref
from queue import SimpleQueue

import pytest

from strongroom.threads import Threads


class Caught:
    """Remembers in which threads it was called, and when."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.done = threading.Event()

    def call(self) -> None:
        self.threads.append(threading.get_ident())
        self.done.set()


def test_what_comes_after_has_the_thread_of_what_came_before() -> None:
    threads, first, second = Threads(), Caught(), Caught()
    threads.run(first.call)
    assert first.done.wait(10)
    _until_free(threads, 1)
    threads.run(second.call)
    assert second.done.wait(10)
    assert first.threads == second.threads


def test_nothing_waits_for_a_thread_that_is_busy() -> None:
    threads, all_here = Threads(kept=1), threading.Barrier(51)
    for _ in range(50):
        threads.run(all_here.wait, 20)
    all_here.wait(20)  # it would break if one of them waited for another's end


def test_no_more_threads_stay_than_are_kept() -> None:
    before, threads, all_here = threading.active_count(), Threads(kept=2), threading.Barrier(9)
    for _ in range(8):
        threads.run(all_here.wait, 20)
    all_here.wait(20)
    _until_free(threads, 2)
    for _ in range(1000):
        if threading.active_count() <= before + 2:
            break
        threading.Event().wait(0.01)
    assert threading.active_count() <= before + 2


def test_what_fails_is_told_and_ends_its_own_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told, threads, caught = SimpleQueue[threading.ExceptHookArgs](), Threads(), Caught()
    monkeypatch.setattr(threading, "excepthook", told.put)
    threads.run(divmod, 1, 0)
    assert told.get(timeout=10).exc_type is ZeroDivisionError
    threads.run(caught.call)
    assert caught.done.wait(10)
    _until_free(threads, 1)


def test_a_thread_that_waits_holds_nothing_of_what_it_did() -> None:
    threads, caught = Threads(), Caught()
    threads.run(caught.call)
    assert caught.done.wait(10)
    _until_free(threads, 1)
    known = weakref.ref(caught)
    del caught
    assert known() is None


def _until_free(threads: Threads, wanted: int) -> None:
    for _ in range(1000):
        if threads._free == wanted:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{threads._free} threads wait, not {wanted}")
