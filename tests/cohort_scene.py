"""Reads what a cohort's workflow wrote, and holds it against the workflow's contract as the airlock does."""

from pathlib import Path

import pytest
import yaml

from airlock.checks.inspection import inspect, repack
from airlock.contract import Release
from airlock.policy import FLOOR
from strongroom.errors import BadRequest
from strongroom.settings import SOURCE
from wes.manifest import Manifest, parse_manifest

GWAS, TABLE, RNASEQ = (
    SOURCE / "workflows" / name / "1.0.0" for name in ("gwas-summary", "cohort-table", "rnaseq-counts")
)
K = 5
Slots = dict[str, list[Path]]


def table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    header, *rows = [line.split("\t") for line in path.read_text().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def check_promise(folder: Path, made: Path, clean_into: Path) -> None:
    """Have every file judged; and refused, once its last column is gone."""
    contract = manifest(folder).contract
    names = [f"results/{path.name}" for path in made.iterdir()]
    assert sorted(names) == sorted(rule.match for rule in contract.rules if rule.release is Release.AIRLOCK)
    clean: dict[str, Path] = {}
    for name in sorted(names, key=lambda one: one.endswith(".png")):
        rule = contract.rule_for(name)
        assert rule is not None
        assert rule.release is Release.AIRLOCK
        assert rule.promise is not None
        copy, answer = repack(made.parent / name, name, rule.promise, FLOOR)
        assert copy is not None, (name, answer.findings)
        clean[name] = clean_into / name.rsplit("/", 1)[1]
        clean[name].write_bytes(copy)
        supporting = {needed: clean[needed] for needed in rule.promise.needs}
        judged = inspect(clean[name], rule.promise, FLOOR, name=name, supporting=supporting, must_be_clean=True)
        assert judged.verdict.name == "PASS", (name, judged.findings)
        if name.endswith(".tsv"):  # a column less than promised is refused
            lines = [line.split("\t") for line in (made.parent / name).read_text().splitlines()]
            (clean_into / "less.tsv").write_text("".join("\t".join(cells[:-1]) + "\n" for cells in lines))
            assert repack(clean_into / "less.tsv", name, rule.promise, FLOOR)[0] is None


def members(folder: Path, made: Path) -> dict[str, list[str]]:
    """Return who is in each list of members that the contract promises (T7), by its path in the run."""
    rules = [rule for rule in manifest(folder).contract.rules if rule.members]
    lists = [path for rule in rules for path in made.parent.glob(rule.match)]
    return {str(path.relative_to(made.parent)): path.read_text().splitlines() for path in sorted(lists)}


def check_columns_are_needed(folder: Path) -> None:
    """Have the manifest refused for each table of which a promised column is missing."""
    raw = yaml.safe_load((folder / "manifest.yaml").read_text())
    for rule in raw["outputs"]:
        if "columns" in rule:
            kept = rule["columns"]
            rule["columns"] = kept[:-1]
            with pytest.raises(BadRequest, match="columns lists each declared column once"):
                parse_manifest(yaml.safe_dump(raw))
            rule["columns"] = kept
    parse_manifest(yaml.safe_dump(raw))


def manifest(folder: Path) -> Manifest:
    """Return a workflow's manifest."""
    return parse_manifest((folder / "manifest.yaml").read_text())
