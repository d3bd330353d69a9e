"""What reading makes of modules and `use rule`: the rules that the engine has, and what cannot be known."""

from pathlib import Path
from typing import Any

from test_workflows_are_read import manifest, read

from wes.drafts import draft_commands
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


def test_paths_of_modules_are_those_of_the_run(tmp_path: Path) -> None:
    """As Snakemake's own path modifier has them: a module's own prefix first, then that of the module around it."""
    around = """
DIR = "outer"
module middle:
    snakefile: "middle.smk"
    prefix: DIR
use rule * from middle as m_*
use rule m_deep from middle as never with:
    output: "never"
"""
    middle = """
module inner:
    snakefile: "inner.smk"
    replace_prefix: {"results/": "inside/", "raw/": "../raw/"}
use rule * from inner
use rule deep as again with:
    output: "results/again"
"""
    inner = """
rule deep:
    input:
        "raw/a", temp("results/b"), ["results/c", "../d", "/e"], expand("results/{x}", x=[1]), local("results/f"),
        config["g"], expand("{x}/h", x=[1]), "results/i" if config["j"] else "k", lambda wildcards: "results/l"
    output: multiext("results/{w}", ".m")
    log: said="results/{w}.log"
    benchmark: repeat("results/{w}.tsv", 2)
    params: "results/n"
    shell: "echo > {output}"
"""
    found = rules(read(tmp_path / "flow", around, middle_dot_smk=middle, inner_dot_smk=inner))
    deep = found["m_deep"]
    assert [value for _, _, value in said(deep, "input")] == [
        "../raw/a",
        "outer/inside/b",
        ["outer/inside/c", "../d", "/e"],
        "outer/inside/{x}",
        "results/f",
        None,
        None,
        ["outer/inside/i", "outer/k"],
        None,
    ]
    assert said(deep, "output") == [(None, "text", "outer/inside/{w}")]
    assert said(deep, "log") == [("said", "text", "outer/inside/{w}.log")]
    assert said(deep, "benchmark") == [(None, "text", "outer/inside/{w}.tsv")]
    assert said(deep, "params") == [(None, "text", "results/n")]
    # What a use says has the paths of the place where it stands.
    assert said(found["m_again"], "output") == [(None, "text", "outer/results/again")]
    assert said(found["m_again"], "log") == said(deep, "log")


def test_what_a_computed_prefix_or_configuration_changes_is_not_known(tmp_path: Path) -> None:
    snakefile = """
module prefixed:
    snakefile: "inner.smk"
    prefix: config["where"]
module both:
    snakefile: "inner.smk"
    replace_prefix: {"d": "e", "de": "f"}
module computed:
    snakefile: "inner.smk"
    config: {"depth": 1}
use rule deep from prefixed as one
use rule deep from computed as two
use rule deep from prefixed as three with:
    output: "said"
use rule deep from both as four
"""
    found = rules(read(tmp_path / "flow", snakefile, inner_dot_smk=INNER))
    assert said(found["one"], "output") == [(None, "code", None)]
    assert said(found["two"], "output") == [(None, "text", "deep")]
    assert said(found["two"], "params")[1] == ("depth", "code", None)
    assert found["two"].config is None
    assert said(found["three"], "output") == [(None, "text", "said")]
    assert said(found["four"], "output") == [(None, "code", None)]
    assert said(found["four"], "input") == [(None, "text", "in")]


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


TWO = """
if config["trim"]:
    rule x:
        output: "x.txt"
        shell: "echo one > {output}"
else:
    rule x:
        output: "x.txt"
        shell: "echo two > {output}"
rule y:
    output: "y.txt"
    shell: "echo y > {output}"
"""


def test_t18_two_rules_of_one_name_are_found_and_neither_is_bound(tmp_path: Path) -> None:
    around = """
module inner:
    snakefile: "inner.smk"
use rule * from inner as m_*
use rule x as z with:
    output: "z.txt"
"""
    found = read(tmp_path / "flow", TWO + around, inner_dot_smk=TWO)
    assert {name: len(rule.twice) for name, rule in rules(found).items()} == {
        "x": 1,
        "y": 0,
        "m_x": 1,
        "m_y": 0,
        "z": 1,
    }
    told = {(one.file, one.line, one.about) for one in lint(found, None, {}) if one.code == "rule-twice"}
    lines = {("Snakefile", "x"), ("Snakefile", "z"), ("inner.smk", "m_x")}
    assert told == {(file, line, name) for file, name in lines for line in (3, 7)}
    drafted = draft_commands(found)
    assert {name for name, said in drafted.items() if said == {"free": True}} == {"x", "m_x", "z"}
