"""What reading makes of modules and `use rule`: the rules that the engine has, and what cannot be known."""

from pathlib import Path
from typing import Any

from test_workflows_are_read import manifest, read

from wes.lint import lint
from wes.outline import Outline, Rule

INNER = """
rule deep:
    input: "in"
    output: "deep"
    params: "first", depth=config["depth"], kept=1
    shell: "echo {params.depth} > {output}"
"""
MIDDLE = """
module inner:
    snakefile: "inner.smk"
    config: config["inside"]
use rule deep from inner as from_inner
rule flat:
    output: "flat"
    shell: "echo > {output}"
"""


def rules(found: Outline) -> dict[str, Rule]:
    return {rule.name: rule for rule in found.rules}


def said(rule: Rule, directive: str) -> list[tuple[Any, str, Any]]:
    return [(one.key, one.kind, one.value) for one in rule.directives[directive]]


def test_modules_within_modules_read_their_parts_of_the_configuration(tmp_path: Path) -> None:
    snakefile = """
module middle:
    snakefile: "middle.smk"
    config: config["outside"]
use rule * from middle exclude flat as m_*
use rule m_from_inner as again with:
    output: "again"
    params: "other", "another", depth=config["depth"]
"""
    found = rules(read(tmp_path / "flow", snakefile, middle_dot_smk=MIDDLE, inner_dot_smk=INNER))
    assert set(found) == {"m_from_inner", "again"}
    inner, again = found["m_from_inner"], found["again"]
    assert (inner.kind, inner.file, inner.config) == ("rule", "inner.smk", "outside.inside")
    assert said(inner, "params") == [
        (None, "text", "first"),
        ("depth", "config", "outside.inside.depth"),
        ("kept", "number", 1),
    ]
    assert said(again, "output") == [(None, "text", "again")]
    assert said(again, "params") == [
        ("kept", "number", 1),
        (None, "text", "other"),
        (None, "text", "another"),
        ("depth", "config", "depth"),
    ]
    assert again.directives["shell"] == inner.directives["shell"]


def test_what_a_prefix_or_a_computed_configuration_changes_is_not_known(tmp_path: Path) -> None:
    snakefile = """
module prefixed:
    snakefile: "inner.smk"
    prefix: "p"
module computed:
    snakefile: "inner.smk"
    config: {"depth": 1}
use rule deep from prefixed as one
use rule deep from computed as two
use rule deep from prefixed as three with:
    output: "said"
"""
    found = rules(read(tmp_path / "flow", snakefile, inner_dot_smk=INNER))
    assert said(found["one"], "output") == [(None, "code", None)]
    assert said(found["two"], "output") == [(None, "text", "deep")]
    assert said(found["two"], "params")[1] == ("depth", "code", None)
    assert found["two"].config is None
    assert said(found["three"], "output") == [(None, "text", "said")]


def test_what_is_not_literal_stays_a_use_and_is_told(tmp_path: Path) -> None:
    snakefile = """
NAME = "inner"
module elsewhere:
    snakefile: github("a/b", path="x", tag="1")
module inner:
    snakefile: "inner.smk"
use rule * from elsewhere
use rule nobody from inner as nothing
use rule nobody as nothing_either
use rule deep from inner as deep_* with:
    output: "x"
"""
    outline = read(tmp_path / "flow", snakefile, inner_dot_smk=INNER)
    assert [rule.name for rule in outline.rules if rule.kind == "use"] == [
        "use * from elsewhere as None",
        "use nobody from inner as nothing",
        "use nobody from None as nothing_either",
    ]
    assert "deep_deep" in rules(outline)
    told = [one.about for one in lint(outline, manifest(), {"genomics": "x"}) if one.code == "rule-reused"]
    assert len(told) == len([rule for rule in outline.rules if rule.kind == "use"])


def test_a_module_that_holds_itself_ends(tmp_path: Path) -> None:
    snakefile = 'module me:\n    snakefile: "Snakefile"\nuse rule * from me as me_*\nrule a:\n    output: "a"\n'
    found = read(tmp_path / "flow", snakefile + '    shell: "echo > {output}"\n')
    assert "a" in rules(found)
