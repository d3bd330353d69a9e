"""Decides which rules may be sent to tasks; any other stops the workflow before its first task."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import get_flag_value, is_flagged
from snakemake_interface_common.exceptions import WorkflowError

if TYPE_CHECKING:
    from snakemake.rules import Rule

# The list is data beside this file, so that those who vet can read it without Snakemake.
REFUSALS: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text())


def check_rules(rules: "Iterable[Rule]") -> None:
    """Raise one WorkflowError that tells for each rule that cannot be tasks what its author can do."""
    wrong = [WorkflowError(sentence, rule=rule) for rule in rules for sentence in _wrong_with(rule)]
    if wrong:
        raise WorkflowError(*wrong)


def _wrong_with(rule: "Rule") -> "Iterator[str]":
    if rule.norun:
        return
    for refusal in REFUSALS.values():
        if _says(rule, refusal):
            yield f"Rule {rule.name}: {refusal['why']} Instead, {refusal['cure']}"


def _says(rule: "Rule", refusal: dict[str, Any]) -> bool:
    if directive := refusal.get("directive"):
        return bool(getattr(rule, f"is_{directive}"))
    if flag := refusal.get("flag"):
        return any(is_flagged(file, flag) and _has(file, flag, refusal.get("argument")) for file in rule.output)
    if refusal.get("call") == "storage":
        return any(getattr(file, "is_storage", False) for file in [*rule.input, *rule.output])
    return False  # what the whole workflow says stops it before there are rules: no network, an empty environment


def _has(file: Any, flag: str, argument: str | None) -> bool:
    return argument is None or get_flag_value(file, flag).get(argument) is not None
