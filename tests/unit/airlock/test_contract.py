"""Output contracts: what they promise, which file falls under which rule, and what is refused with a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from airlock.checks.promise import Kind, parse_promise
from airlock.contract import CONTRACT_VERSION, ContractRefused, Release, check_no_laxer, lint, parse_contract
from airlock.policy import FLOOR, PolicyLaxer, project_policy
from airlock.policy import check_no_laxer as check_policy

ROOT = Path(__file__).parents[3]
TABLE = {
    "match": "results/counts.tsv",
    "format": "tsv",
    "release": "airlock",
    "rule": "count",
    "statbarn": "Frequencies",
    "unit": "person",
    "keys": {"age_band": ["18-39", "40+"], "site": {"pattern": "[A-Z]{1,3}"}},
    "counts": ["n_case", "n_control"],
    "numbers": {"rate": 3},
    "max_rows": 200,
}
SITES = {
    "match": "results/*.vcf.gz",
    "format": "vcf",
    "release": "airlock",
    "rule": "sites",
    "class": "sites-only",
    "min_ac": "policy",
    "max_sites": 100_000,
}
PLOT = {
    "match": "results/spectrum.png",
    "format": "png",
    "release": "airlock",
    "rule": "plot",
    "needs": ["results/counts.tsv"],
}
INSIDE = {"release": "inside"}


def without(rule: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name != field}


def test_a_contract_of_every_format_is_read() -> None:
    contract = parse_contract([TABLE, SITES, PLOT, INSIDE])
    assert contract.version == CONTRACT_VERSION
    table = contract.rules[0]
    assert table.promise is not None
    assert [(column.name, column.kind) for column in table.promise.columns] == [
        ("age_band", Kind.KEY),
        ("site", Kind.KEY),
        ("n_case", Kind.COUNT),
        ("n_control", Kind.COUNT),
        ("rate", Kind.NUMBER),
    ]
    for rule in contract.rules[:3]:
        assert parse_promise(rule.as_request()) == rule.promise


def test_columns_sets_the_order() -> None:
    order = ["n_case", "rate", "site", "age_band", "n_control"]
    contract = parse_contract([{**TABLE, "columns": order}])
    promise = contract.rules[0].promise
    assert promise is not None
    assert [column.name for column in promise.columns] == order


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("results/counts.tsv", "count"),
        ("results/a.vcf.gz", "sites"),
        ("results/deep/a.vcf.gz", None),
        ("results/spectrum.png", "plot"),
        ("results/spectrum.png/x", None),
        ("results/Counts.tsv", None),
        ("counts.tsv", None),
    ],
)
def test_the_first_rule_that_fits_decides_and_a_star_stays_in_its_folder(path: str, rule: str | None) -> None:
    found = parse_contract([TABLE, SITES, PLOT]).rule_for(path)
    assert (found.rule if found else None) == rule
    last = parse_contract([TABLE, SITES, PLOT, INSIDE]).rule_for(path)
    assert last is not None
    assert last.release is (Release.AIRLOCK if rule else Release.INSIDE)


def test_what_stays_inside_has_no_request_for_the_jail() -> None:
    rule = parse_contract([{"match": "calls/*.vcf.gz", "release": "inside"}]).rule_for("calls/p.vcf.gz")
    assert rule is not None
    with pytest.raises(ValueError, match="inside"):
        rule.as_request()


def test_a_list_of_members_stays_inside() -> None:
    rule = parse_contract([{"match": "work/m.txt", "release": "inside", "rule": "join", "members": True}]).rules[0]
    assert (rule.release, rule.rule, rule.members, rule.promise) == (Release.INSIDE, "join", True, None)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("x", "a rule is an object"),
        (without(TABLE, "release"), "release is airlock or inside"),
        ({**TABLE, "release": "template-only"}, "release is airlock or inside"),
        ({**TABLE, "format": "pdf"}, "nothing else can leave"),
        (without(TABLE, "rule"), "rule names the engine's rule"),
        ({**TABLE, "rule": "a b; rm"}, "rule names the engine's rule"),
        ({**TABLE, "match": "../x.tsv"}, "match is a path inside the run"),
        ({**TABLE, "match": "/etc/x.tsv"}, "match is a path inside the run"),
        ({**TABLE, "match": "results/**/[a].tsv"}, "match is a path inside the run"),
        ({**TABLE, "match": "results/x.csv"}, "name ends in .tsv"),
        ({**TABLE, "min_ac": 5}, "not a field"),
        (without(TABLE, "max_rows"), "max_rows is a whole number"),
        ({**TABLE, "max_rows": 5001}, "max_rows is above the policy's"),
        ({**TABLE, "max_rows": True}, "max_rows is a whole number"),
        ({**TABLE, "keys": ["age_band"]}, "either values (a closed list) or a pattern"),
        ({**TABLE, "keys": {"age_band": {"pattern": "[a-z]{1,40}"}}}, "bits; 40 is the most"),
        ({**TABLE, "keys": {"age_band": {"pattern": ".*"}}}, "the pattern of age_band"),
        ({**TABLE, "keys": {"age_band": ["a", "a"]}}, "different plain words"),
        ({**TABLE, "keys": {"age_band": [True, 0.1]}}, "put others in quotes"),
        ({**TABLE, "keys": {"age_band": ["=cmd|x"]}}, "different plain words"),
        ({**TABLE, "numbers": ["rate"]}, "how many decimals"),
        ({**TABLE, "numbers": {"rate": 7}}, "decimals is above the policy's 6"),
        ({**TABLE, "counts": ["n_case", "n_case"]}, "each is named once"),
        ({**TABLE, "counts": ["age_band"]}, "each is named once"),
        ({**TABLE, "columns": ["n_case"]}, "columns lists each declared column once"),
        ({**TABLE, "unit": "household"}, "unit is one of"),
        ({**without(without(without(TABLE, "keys"), "counts"), "numbers")}, "a table names its columns"),
        ({**SITES, "class": "genotypes"}, "genotypes never leave"),
        ({**SITES, "min_ac": 4}, "min_ac is below the policy's 5"),
        ({**SITES, "min_ac": 0}, "min_ac is a whole number"),
        ({**SITES, "info": ["AC", "AN", "DP"]}, "info holds AC and AN"),
        ({**SITES, "max_sites": 2_000_000}, "max_sites is above the policy's"),
        (without(SITES, "max_sites"), "max_sites is a whole number"),
        (without(PLOT, "needs"), "a picture needs the table of its numbers"),
        ({**PLOT, "needs": ["results/other.tsv"]}, "which no rule promises"),
        ({**PLOT, "needs": ["../x"]}, "needs holds plain names"),
        ({"release": "inside", "rule": "x", "max_rows": 3}, "not a field"),
        ({"match": "m.txt", "release": "inside", "members": True}, "rule names the engine's rule"),
        ({"release": "inside", "rule": "x", "members": True}, "match is a path inside the run"),
        ({"match": "m.txt", "release": "inside", "rule": "x", "members": "yes"}, "members is true"),
        ({**TABLE, "members": True}, "not a field"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(rule: Any, says: str) -> None:
    sentences = lint([rule])
    assert any(says in sentence for sentence in sentences), sentences
    with pytest.raises(ContractRefused, match="outputs, rule 1"):
        parse_contract([rule])


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(lint([without(TABLE, "rule"), {**SITES, "min_ac": 1}, without(PLOT, "needs")])) == 3
    assert lint({"match": "x"}) == lint("x") != ()


def test_a_contract_laxer_than_a_projects_policy_is_refused() -> None:
    contract = parse_contract([{**SITES, "min_ac": 7}])
    check_no_laxer(contract, project_policy(version=2, min_count=7))
    with pytest.raises(ContractRefused, match="below the policy's 10"):
        check_no_laxer(contract, project_policy(version=2, min_count=10))


def test_a_project_may_only_raise_the_floor() -> None:
    assert project_policy(version=4, min_count=10).min_count == 10
    with pytest.raises(PolicyLaxer, match="only raise min_count"):
        project_policy(version=4, min_count=4)
    with pytest.raises(PolicyLaxer, match="only lower max_rows"):
        check_policy(type(FLOOR)(version=1, max_rows=10_000))


def shipped() -> list[Path]:
    return sorted((ROOT / "workflows").glob("*/*/manifest.yaml"))


def test_workflows_are_shipped() -> None:
    assert len(shipped()) >= 2


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.parent.parent.name)
def test_every_shipped_manifest_keeps_the_contracts_rules(path: Path) -> None:
    assert lint(yaml.safe_load(path.read_text(encoding="utf-8"))["outputs"]) == ()


LOG = {"match": "logs/*.log", "format": "log", "release": "airlock", "rule": "count", "max_rows": 200}
PRINTED = {"stream": "stderr", "format": "log", "release": "airlock", "rule": "count", "max_rows": 200}
LEAVES = {
    "match": "results/model.json",
    "format": "json",
    "release": "airlock",
    "rule": "fit",
    "keys": {"model.name": ["glm"]},
    "numbers": {"model.auc": 2},
    "counts": ["cases"],
}


def test_logs_and_json_can_be_promised() -> None:
    assert lint([LOG, LEAVES, {**LOG, "match": "logs/*.txt", "lines": ["rule [a-z]{1,8}:"]}]) == ()
    contract = parse_contract([PRINTED, {"match": "logs/tasks/*.txt", "release": "inside"}])
    assert contract.rule_for_stream("stderr", rule="count") is contract.rules[0]
    assert contract.rule_for_stream("stdout", rule="count") is contract.rule_for_stream("stderr", rule="fit") is None
    assert contract.rule_for("logs/tasks/count-1.stderr.txt") is contract.rules[1]  # a stream's rule is about no file
    rule = parse_contract([LEAVES]).rule_for("results/model.json")
    assert rule is not None
    assert rule.promise is not None
    assert [column.name for column in rule.promise.columns] == ["model.name", "cases", "model.auc"]
    assert parse_promise(rule.promise.as_json()) == rule.promise


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({**LOG, "lines": []}, "lines is a list"),
        ({**LOG, "lines": ["[a-z]{40}"]}, "bits"),
        ({**LOG, "lines": ["(a+)+"]}, "pattern"),
        ({**LOG, "lines": [7]}, "lines holds"),
        ({**LOG, "max_rows": 10**6}, "max_rows is above"),
        ({**LOG, "columns": ["a"]}, "not a field"),
        ({**LOG, "match": "logs/*.csv"}, "name ends in"),
        ({**LOG, "stream": "stdout"}, "in place of match"),
        ({**PRINTED, "stream": "stdin"}, "stdout or stderr"),
        ({**PRINTED, "stream": ["stdout"]}, "stdout or stderr"),
        ({**PRINTED, "rule": ""}, "rule names"),
        ({**LEAVES, "stream": "stdout"}, "not a field"),
        ({**LEAVES, "max_rows": 5}, "not a field"),
        ({**LEAVES, "numbers": {"auc": 17}}, "decimals is above"),
    ],
)
def test_a_log_or_json_rule_that_promises_too_little_is_refused(rule: dict[str, Any], sentence: str) -> None:
    assert any(sentence in one for one in lint([rule]))
