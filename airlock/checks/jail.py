"""Answers one request inside the walls: reads request.json, writes answer.json and the clean copy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never, cast

from .answer import Answer, failed
from .findings import Code, found
from .inspection import inspect, repack
from .promise import Promise, PromiseRefused, parse_promise
from .thresholds import Policy, PolicyRefused, parse_policy
from .view import view

__all__ = ["Request", "inspect", "main", "parse_request", "repack", "view"]

WORK = Path("/run/work")
_MAX_REQUEST = 1 << 20
_MAX_SUPPORTING = 20
Kind = Literal["repack", "check", "view"]


class RequestRefused(Exception):
    """The request is not of the shape that the airlock writes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One order to the jail; `raw` is true only for `strongroom check`, which judges files as they are."""

    kind: Kind
    file: Path
    name: str
    rule: Promise | None
    policy: Policy
    supporting: Mapping[str, Path]
    raw: bool


def parse_request(content: bytes) -> Request:
    """Return the request; raises `RequestRefused` for anything unknown in it."""
    try:
        facts = json.loads(content)
        extra = set(facts) - {"kind", "file", "name", "rule", "policy", "supporting", "raw"}
        rule = facts.get("rule")
        supporting = facts.get("supporting") or {}
        if extra or facts["kind"] not in ("repack", "check", "view") or len(supporting) > _MAX_SUPPORTING:
            raise RequestRefused
        return Request(
            kind=cast(Kind, facts["kind"]),
            file=Path(facts["file"]),
            name=_name(facts["name"]),
            rule=None if rule is None else parse_promise(rule),
            policy=parse_policy(facts["policy"]),
            supporting={_name(name): Path(path) for name, path in supporting.items()},
            raw=facts.get("raw", False) is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError, PromiseRefused, PolicyRefused) as broken:
        raise RequestRefused from broken


def _name(raw: Any) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= 1024:
        raise RequestRefused
    return raw


def decide(request: Request) -> tuple[bytes | None, Answer]:
    """Return the clean copy, if one was asked for and made, and the answer."""
    match request.kind:
        case "repack":
            return repack(request.file, request.name, request.rule, request.policy)
        case "check":
            # T13: with a rule, only our own copy may be judged; a raw file is judged for its owner alone.
            return None, inspect(
                request.file,
                request.rule,
                request.policy,
                name=request.name,
                supporting=request.supporting,
                must_be_clean=request.rule is not None and not request.raw,
            )
        case "view":
            return None, view(request.file, request.name, request.rule, request.policy)
        case _:
            assert_never(request.kind)


def main(work: Path = WORK) -> None:
    """Answer the request in `work`; whatever goes wrong in a parser is an answer that blocks, never silence."""
    kind = "check"
    policy = Policy(version=0)
    clean: bytes | None = None
    try:
        with (work / "request.json").open("rb") as stream:
            request = parse_request(stream.read(_MAX_REQUEST))
        kind, policy = request.kind, request.policy
        clean, answer = decide(request)
    except Exception:  # hostile bytes may break any parser; nothing of the error may leave (T27)
        clean, answer = None, failed(kind, policy, found(Code.INSPECTION_FAILED))
    if clean is not None:
        _write(work / "clean", clean)
    _write(work / "answer.json", answer.as_bytes())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        stream.write(content)
    part.replace(path)
