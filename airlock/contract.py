"""Reads what a workflow version promises to write: the `outputs` section of its manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from airlock.checks.promise import Promise, Promised
from airlock.columns import PLAIN_NAME, Wrong, check_fields, read_columns, read_names, read_number
from airlock.policy import FLOOR, Policy
from strongroom.errors import BadRequest

CONTRACT_VERSION = 1
_MAX_RULES = 100
_MATCH = re.compile(r"(?:[A-Za-z0-9*][A-Za-z0-9._*-]*/)*[A-Za-z0-9*][A-Za-z0-9._*-]*")
_ENGINE_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_UNITS = ("person", "allele", "site", "read", "group")
_ENDINGS = {
    Promised.TSV: (".tsv", ".tsv.gz"),
    Promised.CSV: (".csv", ".csv.gz"),
    Promised.VCF: (".vcf", ".vcf.gz"),
    Promised.PNG: (".png",),
}
_ALWAYS = frozenset({"match", "format", "release", "rule", "statbarn", "unit", "description"})
_TABLE = frozenset({"columns", "keys", "counts", "integers", "numbers", "max_rows"})
_FIELDS = {
    Promised.TSV: _ALWAYS | _TABLE,
    Promised.CSV: _ALWAYS | _TABLE,
    Promised.VCF: _ALWAYS | {"class", "min_ac", "max_sites", "info"},
    Promised.PNG: _ALWAYS | {"needs"},
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
    """One line of a contract; `rule` is the engine's rule that must have written the file last (T16)."""

    match: str
    release: Release
    rule: str = ""
    statbarn: str = ""
    promise: Promise | None = None

    def fits(self, path: str) -> bool:
        """Return whether a path relative to the run falls under this rule; `*` stays within one folder."""
        if not self.match:
            return True
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
    if not isinstance(raw, list) or len(raw) > _MAX_RULES:
        return [], [f"outputs is a list of at most {_MAX_RULES} rules."]
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
        check_fields(raw, _ALWAYS)
        return OutputRule(_match(raw["match"]) if "match" in raw else "", Release.INSIDE)
    if raw.get("release") != Release.AIRLOCK:
        raise Wrong("release is airlock or inside.")
    try:
        promised = Promised(raw.get("format"))
    except ValueError:
        raise Wrong("format is tsv, csv, vcf or png; nothing else can leave.") from None
    check_fields(raw, _FIELDS[promised])
    match = _match(raw.get("match"))
    if not match.endswith(_ENDINGS[promised]):
        raise Wrong(f"a {promised.value} file's name ends in {' or '.join(_ENDINGS[promised])}.")
    engine_rule = raw.get("rule")
    if not isinstance(engine_rule, str) or not _ENGINE_RULE.fullmatch(engine_rule):
        raise Wrong("rule names the engine's rule that writes the file.")  # T16
    statbarn = raw.get("statbarn", "")
    if statbarn and (not isinstance(statbarn, str) or not PLAIN_NAME.fullmatch(statbarn)):
        raise Wrong("statbarn is one plain name.")
    return OutputRule(match, Release.AIRLOCK, engine_rule, statbarn, _promise(raw, promised))


def _match(raw: object) -> str:
    if not isinstance(raw, str) or len(raw) > 200 or not _MATCH.fullmatch(raw):
        raise Wrong("match is a path inside the run, such as results/*.tsv; * stays within one folder.")
    return raw


def _promise(raw: Mapping[str, Any], promised: Promised) -> Promise:
    unit = raw.get("unit", "person")
    if unit not in _UNITS:
        raise Wrong(f"unit is one of {', '.join(_UNITS)}.")
    if promised is Promised.PNG:
        needs = read_names(raw.get("needs"), "needs")
        if not needs:
            raise Wrong("a picture needs the table of its numbers: needs: [results/numbers.tsv].")
        return Promise(promised, unit, needs=needs)
    if promised is Promised.VCF:
        return _sites_promise(raw, unit)
    columns = read_columns(raw)
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
