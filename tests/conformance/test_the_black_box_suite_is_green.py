"""The black-box suite, which knows nothing of Strongroom, asks a running one: every clause holds."""

import ast
import os
import sys
from pathlib import Path

from blackbox_runs import SUITE, asked
from hostile import vetted
from site_of_tests import Site
from tes_service import Service

from strongroom.projects import Role

SLOW = """
rule all:
    input: expand("out/{n}.txt", n=range(3))
rule one:
    output: "out/{n}.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "sleep 1 && echo {wildcards.n} > {output}"
"""
FAILING = """
rule all:
    output: "never.txt"
    resources: mem_mb=100, disk_mb=50
    shell: "exit 3"
"""
# Ours are tasks of runs, so that only a gateway, at its private socket, is asked to create some.
NOT_ASKED_AT_THE_SOCKET = {"TES-08"}


def test_wes_is_green(site: Site, tmp_path: Path) -> None:
    slow = vetted(site, tmp_path / "slow", "blackbox-slow", SLOW)
    failing = vetted(site, tmp_path / "failing", "blackbox-failing", FAILING)
    clauses, printed = asked(
        *("--wes-url", f"{site.stage.settings.base_url}/ga4gh/wes/v1", "--token", site.cast.researcher),
        *("--other-token", site.stage.token("rita", Role.RESEARCHER, "cohort")),
        *("--wes-workflow", slow, "--wes-failing", failing, "--wes-params", '{"inputs": {}}'),
        *("--wes-tags", '{"project": "cohort"}', "--wes-type", "SMK", "--wes-type-version", "9.27.1"),
        folder=tmp_path,
    )
    print(printed)
    assert {name: how for name, how in clauses.items() if how != "passed"} == dict.fromkeys(of("TES"), "not asked")
    assert set(of("WES")) <= set(clauses), printed


def test_tes_is_green(site: Site, tes: Service, tmp_path: Path) -> None:
    public = f"{site.stage.settings.base_url}/ga4gh/tes/v1"
    open_to_all, printed = asked("--tes-url", public, "--token", site.cast.researcher, folder=tmp_path)
    assert "failed" not in open_to_all.values(), printed
    rita = site.stage.token("rita", Role.RESEARCHER, "cohort")
    clauses, printed = asked(
        *("--tes-url", "http://tes/ga4gh/tes/v1", "--tes-image", tes.image, "--tes-folder", "/run/work"),
        *("--tes-socket", os.fspath(site.stage.settings.sockets / "api.sock")),
        *("--tes-header", f"Strongroom-Run: {tes.run}", "--tes-header", "Strongroom-Coarse: no"),
        *("--tes-output-url", tes.url(""), "--tes-other-url", public, "--other-token", rita),
        folder=tmp_path,
    )
    print(printed)
    assert "failed" not in clauses.values(), printed
    asked_by_one = {name for found in (clauses, open_to_all) for name, how in found.items() if how == "passed"}
    assert asked_by_one == set(of("TES"))
    assert {name for name, how in clauses.items() if how != "passed"} == NOT_ASKED_AT_THE_SOCKET | set(of("WES"))


def test_the_suite_knows_nothing_of_ours() -> None:

    allowed = {"httpx", "jsonschema", "pytest", *sys.stdlib_module_names, *(file.stem for file in SUITE.glob("*.py"))}
    for file in SUITE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, (file.name, names)
        assert "strongroom" not in file.read_text().lower(), file.name


def of(api: str) -> list[str]:
    """Return the clauses of one API that the suite's files name."""
    calls = [
        node.args[0].value
        for file in SUITE.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("must", "should")
        if isinstance(node.args[0], ast.Constant)
    ]
    assert len(set(calls)) == len(calls), "a clause has two tests"
    return [name for name in calls if name.startswith(api)]
