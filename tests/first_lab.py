"""Starts the program that executors come from, with a plan of a test's own."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.plan import Plan
from sandbox.processes import FirstProcess


@dataclass(frozen=True)
class Became:
    """How a first process ended, and what was written to the stream that its complaints go to."""

    code: int
    said: str


def python(code: str) -> list[str]:
    """Return the command of a program without this environment's own start-up files."""
    return [sys.executable, "-I", "-S", "-c", code]


def become(command: list[str], prepare: Callable[[Plan], None] = lambda plan: None) -> Became:
    """Have a first process take the steps that `prepare` adds, and become a command."""
    plan = Plan()
    with tempfile.TemporaryFile() as said:
        stderr = plan.give(said.fileno())
        plan.add(("complain", stderr), ("place", stderr, 2))
        prepare(plan)
        plan.become(command[0], command)
        code = told(plan)
        said.seek(0)
        return Became(code, said.read().decode())


def told(plan: Plan) -> int:
    """Tell a first process its plan; return its exit code, or minus the signal that ended it."""
    first = FirstProcess()
    first.tell(plan)
    plan.close()
    _, status = os.waitpid(first.pid, 0)
    first.close()
    return os.waitstatus_to_exitcode(status)
