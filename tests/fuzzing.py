"""Damages the files that the airlock must judge and has the checks judge them, for as long as asked: `make fuzz`."""

import argparse
import multiprocessing
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from airlock.checks.inspection import inspect
from airlock.checks.view import view
from airlock.policy import FLOOR

CASES = Path(__file__).parent / "airlock-cases"
LARGEST = 256 << 10  # of a seed: more files rather than longer ones
PATIENCE = 60.0  # seconds for one file
MEMORY = 3 << 30
SHOWN_EVERY = 30.0
TELLING = (b"\xff\xff\xff\xff", bytes(8), b"\x7f\xff\xff\xff", b"\xef\xbb\xbf", b"\r\n\r\n", b'"' * 9, b"99999999999")
Damage = Callable[[bytearray, random.Random], None]


def flip(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 16)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def leave_out(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    del content[at : at + chance.randint(1, 64)]


def repeat(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    content[at:at] = content[at : at + chance.randint(1, 256)] * chance.randint(1, 200)


def overwrite(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content))
    content[at : at + 8] = chance.choice(TELLING)


DAMAGES: tuple[Damage, ...] = (flip, cut, leave_out, repeat, overwrite)


@dataclass
class Seen:
    """What came of all files so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    bad: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return it in words."""
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.verdicts.items()))
        return f"{self.verdicts.total()} files ({told}), slowest {self.slowest[0]:.1f} s {self.slowest[1]}"


def damaged(seeds: list[Path], chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield damaged files without end: the name of one, with its bytes, now and then within another's."""
    while True:
        seed = chance.choice(seeds)
        content = bytearray(seed.read_bytes())
        for _ in range(chance.randint(1, 4)):
            if content:
                chance.choice(DAMAGES)(content, chance)
        if chance.random() < 0.1:
            content += chance.choice(seeds).read_bytes()
        yield seed.name, bytes(content[: 2 * LARGEST])


def judge_for_ever(line: Connection) -> None:
    """Judge each file whose path comes, and say how; what is raised is said too."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while True:
        path, name = line.recv()
        try:
            answer = inspect(path, None, FLOOR, name=name)
            answer.as_bytes()
            view(path, name, None, FLOOR).as_bytes()
            line.send((answer.verdict.name.lower(), ""))
        except Exception:
            line.send(("raised", traceback.format_exc(limit=-3)))


class Judge:
    """A process that judges, started again when it died or was too slow."""

    def __init__(self) -> None:
        self._line, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=judge_for_ever, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, path: Path, name: str) -> tuple[str, str]:
        """Return the verdict, or `died`, `slow` or `raised`, with what was said."""
        try:
            self._line.send((path, name))
            if not self._line.poll(PATIENCE):
                return "slow", ""
            verdict, said = self._line.recv()
        except (EOFError, OSError):
            self._process.join()
            return "died", f"exit code {self._process.exitcode}"
        return str(verdict), str(said)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join()


def main() -> None:
    """Fuzz; a file that was not judged is kept, and the exit code is 1."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=600)
    asked.add_argument("--seed", type=int, default=int(time.time()))
    asked.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    told = asked.parse_args()
    seeds = sorted(path for path in CASES.rglob("*") if path.is_file() and 0 < path.stat().st_size <= LARGEST)
    sys.stderr.write(f"{len(seeds)} seeds, --seed {told.seed}, {told.seconds:.0f} s\n")
    seen, judge, shown = Seen(), Judge(), time.monotonic()
    end = time.monotonic() + told.seconds
    with TemporaryDirectory() as folder:
        for name, content in damaged(seeds, random.Random(told.seed)):
            if time.monotonic() > end:
                break
            path = Path(folder) / name
            path.write_bytes(content)
            begun = time.monotonic()
            verdict, said = judge.ask(path, name)
            seen.verdicts[verdict] += 1
            seen.slowest = max(seen.slowest, (time.monotonic() - begun, name))
            if verdict in ("died", "slow", "raised"):
                told.keep.mkdir(exist_ok=True)
                (told.keep / f"{len(seen.bad)}-{name}").write_bytes(content)
                seen.bad.append(f"{name} {verdict}: {said}")
                sys.stderr.write(f"{seen.bad[-1]}\n")
            if verdict in ("died", "slow"):
                judge.end()
                judge = Judge()
            if time.monotonic() - shown > SHOWN_EVERY:
                shown = time.monotonic()
                sys.stderr.write(f"{seen.line()}\n")
    judge.end()
    sys.stdout.write(f"{seen.line()}\n")
    sys.exit(1 if seen.bad else 0)


if __name__ == "__main__":
    main()
