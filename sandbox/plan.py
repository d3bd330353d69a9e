"""Writes down, step by step, what a first process does before it becomes a program: walls are such plans."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PROGRAM = Path(__file__).with_name("first")  # compiled from first.c, which says what its steps do
FAILED = 98  # its exit code when a step fails
_FIRST, _MOST = 64, 12  # descriptors that it is given get these numbers
Step = Sequence[object]


class WallsError(Exception):
    """This node cannot put up these walls; the sentence says what the operator can do."""


class Plan:
    """Steps in their order, and the descriptors that they speak of."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.descriptors: list[int] = []
        self._own: list[int] = []

    def give(self, fd: int) -> int:
        """Send this descriptor along; return its number in the first process."""
        if len(self.descriptors) == _MOST:
            raise ValueError("A first process takes no more descriptors.")
        self.descriptors.append(fd)
        return _FIRST + len(self.descriptors) - 1

    def take(self, fd: int) -> int:
        """Send a descriptor along that nobody else needs; `close` closes it here."""
        self._own.append(fd)
        return self.give(fd)

    def close(self) -> None:
        """Close what was taken; call it when the plan was told."""
        for fd in self._own:
            os.close(fd)
        self._own = []

    def add(self, *steps: Step) -> None:
        """Add steps, each a name and what it needs."""
        self.steps += steps

    def become(self, program: str, command: Sequence[str], *, keep: Iterable[int] = ()) -> None:
        """Add the last steps: keep the streams and these descriptors only, and become `program`."""
        self.add(shut(), *(("keep", fd) for fd in keep))
        variables = [f"{name}={value}" for name, value in environment().items()]
        self.add(("exec", program, len(variables), *variables, *command))

    def words(self) -> int:
        """Return a descriptor to read the steps from, as a first process does."""
        return words_to_read(str(word) for step in self.steps for word in step)


def find_first() -> Path:
    """Return the program that takes the steps; raises `WallsError` where nobody compiled it."""
    if not PROGRAM.exists():
        raise WallsError(
            "sandbox/first is not there: `make setup` compiles it, and a wheel built after that holds it."
        )
    return PROGRAM


def shut() -> Step:
    """Return the step that lets no descriptor but the streams survive, wherever it came from."""
    return ("shut",)


def environment() -> Mapping[str, str]:
    """Return all that the program finds in its environment: nothing."""
    return {}


def words_to_read(words: Iterable[str]) -> int:
    """Return a descriptor of words, each with a NUL behind it: steps, or bubblewrap's options.

    Raises `WallsError` for a word that would become two.
    """
    told = [os.fsencode(word) for word in words]
    if any(b"\0" in word for word in told):
        raise WallsError("A word of this task holds a NUL, which no program can be told.")
    return memory(b"".join(word + b"\0" for word in told))


def memory(content: bytes) -> int:
    """Return a descriptor to read `content` from."""
    fd = os.memfd_create("walls")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
