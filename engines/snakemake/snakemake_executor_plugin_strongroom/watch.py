"""Waits for the end of all tasks of a run in one long-poll."""

import threading
from collections.abc import Callable
from typing import Any

from snakemake_executor_plugin_strongroom.gateway import Gateway

# TES 1.1: the states that a task does not leave.
FINAL = frozenset({"COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED", "PREEMPTED"})
WAIT_SECONDS = 30.0


class Watch:
    """A thread that polls while tasks are out and rests while none is."""

    def __init__(
        self, path: str, *, ended: Callable[[Any, str, int | None], None], lost: Callable[[Exception], None]
    ) -> None:
        self._gateway = Gateway(path)
        self._ended = ended
        self._lost = lost
        self._changed = threading.Condition()
        self._followed: dict[str, Any] = {}
        # A quick task can end before its job is followed.
        self._early: dict[str, tuple[str, int | None]] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="gateway-watch", daemon=True)
        self._thread.start()

    def follow(self, external: str, job: object) -> None:
        with self._changed:
            early = self._early.pop(external, None)
            if early is None:
                self._followed[external] = job
                self._changed.notify()
        if early is not None:
            self._ended(job, *early)

    def stop(self) -> list[str]:
        """Stop polling; the ids of the tasks that were still out."""
        with self._changed:
            self._stopped = True
            still_out = list(self._followed)
            self._followed.clear()
            self._changed.notify()
        self._gateway.interrupt()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        return still_out

    def _run(self) -> None:
        since = 0
        while self._tasks_are_out():
            try:
                since, tasks = self._gateway.changes(since=since, wait=WAIT_SECONDS)
                for task in tasks:
                    if task["state"] in FINAL:
                        self._tell(task["id"], task["state"], task.get("exit_code"))
            except Exception as error:
                # Whatever went wrong, a run that nobody watches would wait for ever.
                if not self._stopped:
                    self._lost(error)
                break
        self._gateway.close()

    def _tasks_are_out(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._followed)
            return not self._stopped

    def _tell(self, external: str, state: str, exit_code: int | None) -> None:
        with self._changed:
            job = self._followed.pop(external, None)
            if job is None:
                if not self._stopped:
                    self._early[external] = (state, exit_code)
                return
        self._ended(job, state, exit_code)
