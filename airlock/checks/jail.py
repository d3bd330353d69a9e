"""Answers one request inside the walls: reads request.json, writes answer.json and the clean copy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, assert_never, cast, get_args

from . import brought
from .answer import Answer, failed
from .brought import BroughtRefused, Declared, parse_brought
from .findings import Code, found
from .fixes import Fix, FixRefused, parse_fixes
from .inspection import inspect, repack
from .members import read_members
from .people import People, PeopleRefused, parse_people
from .promise import Promise, PromiseRefused, parse_promise
from .thresholds import Policy, PolicyRefused, parse_policy
from .view import FIRST_ROWS, MOST_ROWS, Rows, view, view_brought

__all__ = ["Request", "answer_to", "inspect", "main", "parse_request", "repack", "view"]

WORK = Path("/run/work")
_MAX_REQUEST = 1 << 20
_MAX_SUPPORTING = 20
_REFUSED = (PromiseRefused, BroughtRefused, PolicyRefused, PeopleRefused, FixRefused)
Kind = Literal["repack", "check", "view", "members"]


class RequestRefused(Exception):
    """The request is not of the shape that the airlock writes."""


@dataclass(frozen=True, slots=True)
class Request:
    """One order to the jail; `raw` is true only for `strongroom check`, which judges files as they are."""

    kind: Kind
    file: Path
    name: str
    rule: Promise | Declared | None
    policy: Policy
    supporting: Mapping[str, Path]
    raw: bool
    people: People
    fixes: tuple[Fix, ...] = ()
    rows: Rows = FIRST_ROWS
    page: int | None = None


def parse_request(content: bytes) -> Request:
    """Return the request; raises `RequestRefused` for anything unknown in it."""
    try:
        facts = json.loads(content)
        extra = set(facts) - {
            "kind",
            "file",
            "name",
            "rule",
            "policy",
            "supporting",
            "raw",
            "people",
            "fixes",
            "rows",
            "page",
        }
        rule = facts.get("rule")
        supporting = facts.get("supporting") or {}
        if extra or facts["kind"] not in get_args(Kind) or len(supporting) > _MAX_SUPPORTING:
            raise RequestRefused
        return Request(
            kind=cast(Kind, facts["kind"]),
            file=Path(facts["file"]),
            name=_name(facts["name"]),
            rule=_rule(rule),
            policy=parse_policy(facts["policy"]),
            supporting={_name(name): Path(path) for name, path in supporting.items()},
            raw=facts.get("raw", False) is True,
            people=parse_people(facts.get("people")),
            fixes=parse_fixes(facts.get("fixes") or ()),
            rows=_rows(facts.get("rows")),
            page=_page(facts.get("page")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, *_REFUSED) as broken:
        raise RequestRefused from broken


def _rule(raw: Any) -> Promise | Declared | None:
    if raw is None:
        return None
    return parse_brought(raw) if "brought" in raw else parse_promise(raw)


def _rows(raw: Any) -> Rows:
    if raw is None:
        return FIRST_ROWS
    first, most = raw
    if type(first) is not int or type(most) is not int or not 1 <= first <= 10**9 or not 1 <= most <= MOST_ROWS:
        raise RequestRefused
    return Rows(first, most)


def _page(raw: Any) -> Any:
    if raw is not None and (type(raw) is not int or not 1 <= raw <= 10**9):
        raise RequestRefused
    return raw


def _name(raw: Any) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= 1024:
        raise RequestRefused
    return raw


def decide(request: Request) -> tuple[bytes | None, Answer]:
    """Return the clean copy, if one was asked for and made, and the answer."""
    if isinstance(request.rule, Declared):
        return None, _decide_brought(request, request.rule)
    match request.kind:
        case "repack":
            return repack(request.file, request.name, request.rule, request.policy, fixes=request.fixes)
        case "check":
            # T13: with a rule, only our own copy may be judged; a raw file is judged for its owner alone.
            return None, inspect(
                request.file,
                request.rule,
                request.policy,
                name=request.name,
                supporting=request.supporting,
                people=request.people,
                must_be_clean=request.rule is not None and not request.raw,
            )
        case "view":
            return None, view(
                request.file, request.name, request.rule, request.policy, rows=request.rows, page=request.page
            )
        case "members":
            return None, read_members(request.file, request.policy, request.people)
        case _:
            assert_never(request.kind)


def _decide_brought(request: Request, declared: Declared) -> Answer:
    match request.kind:
        case "repack":
            return failed("repack", request.policy, found(Code.UNDECLARED))  # what comes in stays as it is
        case "check":
            return brought.inspect(request.file, request.name, declared, request.policy, people=request.people)
        case "view":
            return view_brought(request.file, request.name, declared, request.policy, page=request.page)
        case "members":
            return failed("members", request.policy, found(Code.UNDECLARED))  # no run wrote it
        case _:
            assert_never(request.kind)


def answer_to(work: Path) -> tuple[bytes | None, Answer]:
    """Answer the request in `work`; whatever goes wrong in a parser is an answer that blocks, never silence."""
    kind = "check"
    policy = Policy(version=0)
    try:
        with (work / "request.json").open("rb") as stream:
            request = parse_request(stream.read(_MAX_REQUEST))
        kind, policy = request.kind, request.policy
        return decide(request)
    except Exception:  # hostile bytes may break any parser; nothing of the error may leave (T27)
        return None, failed(kind, policy, found(Code.INSPECTION_FAILED))


def main(work: Path = WORK) -> None:
    """Answer the request in `work` by answer.json and, where one was asked for, the clean copy."""
    clean, answer = answer_to(work)
    if clean is not None:
        _write(work / "clean", clean)
    _write(work / "answer.json", answer.as_bytes())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        stream.write(content)
    part.replace(path)
