"""Decides what is a result: words that hold nothing but what the spec of their attempt declared (T19, T22)."""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from sandbox.collect import DEEPEST, LARGEST_ANSWER, is_taken
from sandbox.fields import MOST_ENTRIES, Fields, SpecError
from sandbox.patterns import has_wildcards, matches
from sandbox.results import LOGS, Cause
from sandbox.spec import Output
from sandbox.telling import Telling, lines_of, parse_telling

LONGEST_REASON: Final = 2000
_LATEST: Final = 253_402_300_799.0  # the last second that a date can name
_LARGEST: Final = 1 << 50
_MOST_SECONDS: Final = 1e12
_CAUSES: Final = get_args(Cause)  # not ours: only we know that an attempt is lost
_STREAMS: Final = ("stdout", "stderr")
_OBJECT: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Declared:
    """What a spec lets its attempt leave and tell."""

    files: frozenset[str]
    folders: frozenset[str]
    patterns: tuple[Output, ...]
    tells: Mapping[str, Telling]
    inputs: frozenset[str]  # decision 16: never a path that is an input
    executors: int
    has_answer: bool
    most_files: int

    @classmethod
    def by(cls, spec: bytes) -> "Declared":
        """Return what a spec of ours declares; what does not stand there is not declared."""
        said = json.loads(spec)
        outputs = said.get("outputs", [])
        plain = [one for one in outputs if not one.get("wildcards")]
        return cls(
            files=frozenset(one["path"] for one in plain if one["type"] == "FILE"),
            folders=frozenset(one["path"] for one in plain if one["type"] == "DIRECTORY"),
            patterns=tuple(Output(o["path"], o["type"], wildcards=True) for o in outputs if o.get("wildcards")),
            tells={one["path"]: parse_telling(Fields(one["tells"], "tells")) for one in plain if "tells" in one},
            inputs=frozenset(one["path"] for one in said.get("inputs", [])),
            executors=len(said.get("executors", [])),
            has_answer=said.get("answer") is not None,
            most_files=said.get("limits", {}).get("output_files", MOST_ENTRIES),
        )

    @property
    def named(self) -> frozenset[str]:
        """The paths as they were declared."""
        return self.files | self.folders | {one.path for one in self.patterns}

    @property
    def logs(self) -> Mapping[str, str]:
        """The role of each path under which something printed may come."""
        return {f"{LOGS}/{role}.{number}": role for role in _STREAMS for number in range(self.executors)}

    def has(self, path: str) -> bool:
        """Say whether a plain path is one of the declared outputs, or lies in one as `collect` takes them."""
        if path in self.inputs:
            return False
        parts = path.split("/")
        below = (parts[n:] for n in range(2, len(parts)) if "/".join(parts[:n]) in self.folders)
        return (
            path in self.files
            or any(_are_taken(names) for names in below)
            or any(_fits(parts, one) for one in self.patterns)
        )


def parse_result(words: Mapping[str, Any], declared: Declared) -> dict[str, Any]:
    """Return the fields of a result, all of them as they must be; raises `SpecError`."""
    said = Fields(dict(words), "result")
    said.choice("type", ("result",))
    found: dict[str, Any] = {"cause": said.choice("cause", _CAUSES)}
    for name, read in _FIELDS.items():
        if said.has(name):
            found[name] = read(said, declared)
    said.end()
    return found


def _exit_code(said: Fields, _: Declared) -> int | None:
    return said.optional("exit_code", lambda name: said.integer(name, high=255))


def _reason(said: Fields, _: Declared) -> str | None:
    reason = said.optional("reason", said.text)
    if reason is not None and len(reason) > LONGEST_REASON:
        raise SpecError("result.reason: too long.")
    return reason


def _executors(said: Fields, declared: Declared) -> list[dict[str, Any]]:
    told = said.objects("executors")
    if len(told) > declared.executors:
        raise SpecError("result.executors: more than the task has.")
    return [_executor(one, declared) for one in told]


def _executor(said: Fields, declared: Declared) -> dict[str, Any]:
    start, end = (said.amount(name, high=_LATEST) for name in ("start", "end"))
    found = {"exit_code": _exit_code(said, declared), "start": start, "end": end}
    said.end()
    return found


def _outputs(said: Fields, declared: Declared) -> list[dict[str, Any]]:
    told = said.objects("outputs")
    if len(told) > declared.most_files + 2 * declared.executors:
        raise SpecError("result.outputs: more than the task may leave.")
    logs = declared.logs
    found = [_output(one, declared, logs) for one in told]
    for names in ([(one["role"], one["path"]) for one in found], [one["object"] for one in found]):
        if len(set(names)) != len(names):
            raise SpecError("result.outputs: one stands there twice.")
    return found


def _output(said: Fields, declared: Declared, logs: Mapping[str, str]) -> dict[str, Any]:
    path, role = said.task_path("path"), said.choice("role", ("output", *_STREAMS))
    if not declared.has(path) if role == "output" else logs.get(path) != role:
        raise SpecError("result.outputs: a path that was not declared.")
    found = {
        "path": path,
        "object": said.matching("object", _OBJECT),
        "size": said.integer("size", high=_LARGEST),
        "role": role,
    }
    if said.has("told"):
        telling = declared.tells.get(path) if role == "output" else None
        found["told"] = said.optional("told", lambda name: _lines(said.texts(name), telling))
    said.end()
    return found


def _lines(lines: list[str], telling: Telling | None) -> list[str]:
    # T17: looked at here too, or a node could tell its engine anything in clear.
    raw = "".join(f"{line}\n" for line in lines).encode()
    if telling is None or lines_of(raw, telling) != lines:
        raise SpecError("result.outputs: lines that no output was to tell.")
    return lines


def _missing(said: Fields, declared: Declared) -> list[str]:
    paths = said.texts("missing")
    if len(set(paths)) != len(paths) or not declared.named.issuperset(paths):
        raise SpecError("result.missing: paths of declared outputs, each once.")
    return paths


def _answer(said: Fields, declared: Declared) -> str | None:
    answer = said.optional("answer", said.base64)
    if answer is None:
        return None
    if not declared.has_answer or len(answer) > LARGEST_ANSWER:
        raise SpecError("result.answer: nobody asked, or it is too long.")
    return base64.b64encode(answer).decode()


def _peak(said: Fields, _: Declared) -> int | None:
    return said.optional("peak_memory_bytes", lambda name: said.integer(name, high=1 << 62))


def _cpu_seconds(said: Fields, _: Declared) -> float:
    return said.amount("cpu_seconds", high=_MOST_SECONDS)


_FIELDS: Final[Mapping[str, Callable[[Fields, Declared], Any]]] = {
    "exit_code": _exit_code,
    "reason": _reason,
    "executors": _executors,
    "outputs": _outputs,
    "missing": _missing,
    "answer": _answer,
    "peak_memory_bytes": _peak,
    "cpu_seconds": _cpu_seconds,
}


def _are_taken(names: Collection[str]) -> bool:
    """Say whether `collect` takes what lies so below a declared folder."""
    return 0 < len(names) <= DEEPEST and all(map(is_taken, names))


def _fits(parts: list[str], declared: Output) -> bool:
    pattern = declared.path.split("/")
    names, below = parts[: len(pattern)], parts[len(pattern) :]
    if len(names) < len(pattern) or not (_are_taken(below) if declared.type == "DIRECTORY" else not below):
        return False
    return all(
        (is_taken(name) and matches(name, part)) if has_wildcards(part) else name == part
        for name, part in zip(names, pattern, strict=True)
    )
