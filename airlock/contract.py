"""Reads what a workflow version promises to write: the `outputs` section of its manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from airlock.checks.promise import Promise, Promised
from airlock.columns import PLAIN_NAME, Wrong, check_fields, read_columns, read_names, read_number, read_templates
from airlock.policy import FLOOR, Policy
from strongroom.errors import BadRequest

CONTRACT_VERSION = 1
MAX_RULES = 100
MATCH = re.compile(r"(?:[A-Za-z0-9*][A-Za-z0-9._*-]*/)*[A-Za-z0-9*][A-Za-z0-9._*-]*")
ENGINE_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
UNITS = ("person", "allele", "site", "read", "group")
_ENDINGS = {
    Promised.TSV: (".tsv", ".tsv.gz"),
    Promised.CSV: (".csv", ".csv.gz"),
    Promised.VCF: (".vcf", ".vcf.gz"),
    Promised.PNG: (".png",),
    Promised.JSON: (".json",),
    Promised.LOG: (".log", ".txt"),
}
STREAMS = ("stdout", "stderr")
ENGINE = "engine"  # what the engine of the run printed: of no rule
ENGINE_LOG = "logs/engine.txt"
ALWAYS = frozenset({"match", "format", "release", "rule", "statbarn", "unit", "description"})
_TABLE = frozenset({"columns", "keys", "counts", "integers", "numbers", "max_rows"})
FIELDS = {
    Promised.TSV: ALWAYS | _TABLE,
    Promised.CSV: ALWAYS | _TABLE,
    Promised.VCF: ALWAYS | {"class", "min_ac", "max_sites", "info"},
    Promised.PNG: ALWAYS | {"needs"},
    Promised.JSON: ALWAYS | (_TABLE - {"max_rows"}),
    Promised.LOG: ALWAYS | {"stream", "max_rows", "lines"},
}


class ContractRefused(BadRequest):
    """The contract is not one that this version can hold a workflow to; `sentences` says all that is wrong."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(" ".join(sentences[:10]))
        self.sentences = sentences


class Release(StrEnum):
    """Where a file may go."""

    AIRLOCK = "airlock"
    INSIDE = "inside"


@dataclass(frozen=True)
class OutputRule:
    """One line of a contract; `rule` is the engine's rule that must have written the file last (T16).

    With `stream` it is about what the rule's tasks print there, or, without a rule, the engine; with `members` the
    file lists the persons whom all results of the run are about, after all filters (T7).
    """

    match: str
    release: Release
    rule: str = ""
    statbarn: str = ""
    promise: Promise | None = None
    stream: str = ""
    members: bool = False

    def fits(self, path: str) -> bool:
        """Return whether a path relative to the run falls under this rule; `*` stays within one folder."""
        if self.stream or not self.match:
            return not self.stream
        wanted, parts = self.match.split("/"), path.split("/")
        return len(wanted) == len(parts) and all(
            fnmatchcase(part, pattern) for part, pattern in zip(parts, wanted, strict=True)
        )

    def as_request(self) -> dict[str, Any]:
        """Return the `rule` of a request to the jail."""
        if self.promise is None:
            raise ValueError("what stays inside is never inspected for release")
        return self.promise.as_json()


@dataclass(frozen=True)
class Contract:
    """All rules in order; the first that fits decides, and what fits none was not promised."""

    rules: tuple[OutputRule, ...]
    version: int = CONTRACT_VERSION

    def rule_for(self, path: str) -> OutputRule | None:
        """Return the rule that decides about a path relative to the run, or None."""
        return next((rule for rule in self.rules if rule.fits(path)), None)

    def rule_for_stream(self, stream: str, *, rule: str) -> OutputRule | None:
        """Return the rule that decides about what tasks of an engine's rule print, or None: then it stays inside."""
        return next((one for one in self.rules if one.stream == stream and one.rule == rule), None)


def parse_contract(raw: object, policy: Policy = FLOOR) -> Contract:
    """Return the contract; raise `ContractRefused` with a sentence for each thing wrong or laxer than the policy."""
    rules, sentences = _read(raw, policy)
    if sentences:
        raise ContractRefused(tuple(sentences))
    return Contract(tuple(rules))


def lint(raw: object, policy: Policy = FLOOR) -> tuple[str, ...]:
    """Return a sentence for each thing wrong with the section; none means that it can be vetted."""
    return tuple(_read(raw, policy)[1])


def check_no_laxer(contract: Contract, policy: Policy) -> None:
    """Raise unless every promise is at least as strict as a project's policy."""
    sentences = []
    for rule in contract.rules:
        if rule.promise is not None:
            sentences += [f"outputs ({rule.match}): {text}" for text in _laxer(rule.promise, policy)]
    if sentences:
        raise ContractRefused(tuple(sentences))


def _read(raw: object, policy: Policy) -> tuple[list[OutputRule], list[str]]:
    if not isinstance(raw, list) or len(raw) > MAX_RULES:
        return [], [f"outputs is a list of at most {MAX_RULES} rules."]
    rules: list[OutputRule] = []
    sentences: list[str] = []
    for place, one in enumerate(raw, start=1):
        try:
            rule = _rule(one)
        except Wrong as wrong:
            sentences.append(f"outputs, rule {place}: {wrong}")
            continue
        rules.append(rule)
        if rule.promise is not None:
            sentences += [f"outputs, rule {place}: {text}" for text in _laxer(rule.promise, policy)]
    contract = Contract(tuple(rules))
    for place, rule in enumerate(rules, start=1):
        sentences += [f"outputs, rule {place}: {text}" for text in _needs_wrong(contract, rule)]
    return rules, sentences


def _rule(raw: object) -> OutputRule:
    if not isinstance(raw, Mapping):
        raise Wrong("a rule is an object with match, format, release and rule.")
    if raw.get("release") == Release.INSIDE:
        if "members" in raw:
            return _members(raw)
        check_fields(raw, ALWAYS)
        return OutputRule(_match(raw["match"]) if "match" in raw else "", Release.INSIDE)
    if raw.get("release") != Release.AIRLOCK:
        raise Wrong("release is airlock or inside.")
    try:
        promised = Promised(raw.get("format"))
    except ValueError:
        raise Wrong("format is tsv, csv, vcf, png, json or log; nothing else can leave.") from None
    check_fields(raw, FIELDS[promised])
    stream = raw.get("stream", "")
    if stream and (stream not in (*STREAMS, ENGINE) or "match" in raw):
        raise Wrong("stream is engine, or a rule's stdout or stderr, in place of match.")
    if stream == ENGINE and "rule" in raw:
        raise Wrong("stream: engine is about the run's engine, and names no rule.")
    match = "" if stream else _match(raw.get("match"))
    if not stream and not match.endswith(_ENDINGS[promised]):
        raise Wrong(f"a {promised.value} file's name ends in {' or '.join(_ENDINGS[promised])}.")
    engine_rule = "" if stream == ENGINE else _engine_rule(raw)
    statbarn = raw.get("statbarn", "")
    if statbarn and (not isinstance(statbarn, str) or not PLAIN_NAME.fullmatch(statbarn)):
        raise Wrong("statbarn is one plain name.")
    match = match or log_path(f"{engine_rule}-*", stream)
    return OutputRule(match, Release.AIRLOCK, engine_rule, statbarn, _promise(raw, promised), stream)


def _members(raw: Mapping[str, Any]) -> OutputRule:
    """Return the rule of a list of members, which never leaves."""
    check_fields(raw, {"match", "release", "rule", "description", "members"})
    if raw["members"] is not True:
        raise Wrong("members is true, of a file that lists one person a line.")
    return OutputRule(_match(raw.get("match")), Release.INSIDE, _engine_rule(raw), members=True)


def _engine_rule(raw: Mapping[str, Any]) -> str:
    engine_rule = raw.get("rule")
    if not isinstance(engine_rule, str) or not ENGINE_RULE.fullmatch(engine_rule):
        raise Wrong("rule names the engine's rule that writes the file.")  # T16
    return engine_rule


def log_path(task: str, stream: str) -> str:
    """Return the path by which the airlock knows what a task, or with `engine` the run's engine, printed."""
    return ENGINE_LOG if stream == ENGINE else f"logs/tasks/{task}.{stream}.txt"


def _match(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > 200 or not MATCH.fullmatch(raw):
        raise Wrong("match is a path inside the run, such as results/*.tsv; * stays within one folder.")
    return raw


def _promise(raw: Mapping[str, Any], promised: Promised) -> Promise:
    unit = raw.get("unit", "person")
    if unit not in UNITS:
        raise Wrong(f"unit is one of {', '.join(UNITS)}.")
    if promised is Promised.PNG:
        needs = read_names(raw.get("needs"), "needs")
        if not needs:
            raise Wrong("a picture needs the table of its numbers: needs: [results/numbers.tsv].")
        return Promise(promised, unit, needs=needs)
    if promised is Promised.VCF:
        return _sites_promise(raw, unit)
    if promised is Promised.LOG:
        lines = read_templates(raw.get("lines"))
        return Promise(promised, unit, max_rows=read_number(raw.get("max_rows"), "max_rows"), lines=lines)
    columns = read_columns(raw)
    if promised is Promised.JSON:
        return Promise(promised, unit, columns=columns)
    return Promise(promised, unit, columns=columns, max_rows=read_number(raw.get("max_rows"), "max_rows"))


def _sites_promise(raw: Mapping[str, Any], unit: str) -> Promise:
    if raw.get("class", "sites-only") != "sites-only":
        raise Wrong("class is sites-only; genotypes never leave.")
    info = raw.get("info", ["AC", "AN", "AF"])
    if not isinstance(info, list) or not {"AC", "AN"} <= set(info) <= {"AC", "AN", "AF"}:
        raise Wrong("info holds AC and AN, and may hold AF.")
    least = raw.get("min_ac", "policy")
    return Promise(
        Promised.VCF,
        unit,
        max_sites=read_number(raw.get("max_sites"), "max_sites"),
        min_allele_count=None if least == "policy" else read_number(least, "min_ac"),
        frequencies="AF" in info,
    )


def _laxer(promise: Promise, policy: Policy) -> list[str]:
    """Return what the promise would let out that the policy does not."""
    wrong = []
    if promise.min_allele_count is not None and promise.min_allele_count < policy.min_count:
        wrong.append(f"min_ac is below the policy's {policy.min_count}; write min_ac: policy.")
    for name, asked, limit in (
        ("max_rows", promise.max_rows, policy.max_rows),
        ("max_sites", promise.max_sites, policy.max_sites),
        ("the number of columns", len(promise.columns), policy.max_columns),
        ("decimals", max((column.decimals for column in promise.columns), default=0), policy.max_decimals),
    ):
        if asked > limit:
            wrong.append(f"{name} is above the policy's {limit}.")
    return wrong


def _needs_wrong(contract: Contract, rule: OutputRule) -> list[str]:
    wrong = []
    for needed in rule.promise.needs if rule.promise else ():
        other = contract.rule_for(needed)
        if other is None or other.promise is None or other.promise.format not in (Promised.TSV, Promised.CSV):
            wrong.append(f"needs names {needed}, which no rule promises as a table for the airlock.")
    return wrong
