"""Writes answers of the checks as SARIF 2.1.0, which code forges and editors read."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from airlock.checks.codes import Code, Severity
from airlock.checks.texts import TEXTS

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL = {"pass": "none", "warn": "warning", "block": "error"}


def report(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return one run of the tool; a rule for each code, a result for each finding."""
    codes = list(Code)
    results = [
        _result(path, finding, codes.index(Code(finding["code"])))
        for path, answer in answers.items()
        for finding in answer["findings"]
    ]
    driver = {
        "name": "strongroom",
        "version": version("strongroom"),
        "rules": [_rule(code) for code in codes],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _rule(code: Code) -> dict[str, Any]:
    text = TEXTS[code]
    return {
        "id": code.value,
        "shortDescription": {"text": text.reason},
        "help": {"text": text.cure},
        "defaultConfiguration": {"level": _LEVEL[Severity(text.severity).name.lower()]},
    }


def _result(path: str, finding: Mapping[str, Any], rule: int) -> dict[str, Any]:
    place = finding["place"]
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    # Row 0 of a table is its header, which is line 1 of the file.
    region = {}
    if "row" in place:
        region["startLine"] = place["row"] + 1
    if region:
        physical["region"] = region
    return {
        "ruleId": finding["code"],
        "ruleIndex": rule,
        "level": _LEVEL[finding["severity"]],
        "message": {"text": f"{finding['reason']} {finding['cure']}"},
        "locations": [{"physicalLocation": physical}],
        "properties": {"place": place},
    }


def _uri(path: str) -> str:
    return quote(path)
