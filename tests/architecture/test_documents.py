"""The papers are in step with the code: settings, states, findings, decisions, threats."""

import importlib.util
import re
from types import ModuleType

import pytest
from codebase import ROOT, files

PAPERS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"]
STEP_ONE = ["t1", "t2", "t4", "t8", "t11", "t12", "t16", "t19", "t21", "t22", "t23", "t31"]
ALSO_IN_STEP_ONE = ["t13"]  # VCF and TSV
FEDERATION = ["t3", "t29"]


def generated() -> ModuleType:
    """Return docs/generated.py as a module."""
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current() -> None:
    late = [str(path.relative_to(ROOT)) for path in generated().stale()]
    assert not late, "run `make docs`"


def test_every_setting_says_what_it_does() -> None:
    page = generated().settings_page()
    assert not re.findall(r"^\| .*\|  \|$", page, re.MULTILINE)


def test_every_room_with_states_is_on_the_states_page() -> None:
    found = {module.partition(".")[0] for module, _, _ in generated().machines()}
    assert {"tes", "wes", "airlock"} <= found


@pytest.mark.parametrize("threat", STEP_ONE + ALSO_IN_STEP_ONE + FEDERATION)
def test_a_requirement_from_an_attack_has_its_attack(threat: str) -> None:
    found = generated().tests_by_threat()
    assert found.get(threat), f"no test in tests/adversary or tests/journeys has _{threat}_ in its name"


@pytest.mark.parametrize("threat", STEP_ONE + ALSO_IN_STEP_ONE + FEDERATION)
def test_a_requirement_from_an_attack_is_explained(threat: str) -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text()
    line = re.search(rf"^\| {threat.upper()} \|(.+)$", page, re.MULTILINE)
    assert line is not None
    for module in re.findall(r"`([\w/]+\.py)`", line.group(1)):
        assert (ROOT / module).is_file(), f"{threat.upper()} is said to be held by {module}"


def test_every_finding_is_explained() -> None:
    findings = importlib.import_module("airlock.checks.findings")
    page = (ROOT / "docs" / "checks.md").read_text()
    assert not [code.value for code in findings.Code if f"## {code.value}\n" not in page]


@pytest.mark.parametrize("paper", PAPERS)
def test_a_paper_is_there(paper: str) -> None:
    assert len((ROOT / paper).read_text()) > 300


def test_a_decision_is_one_page_of_four_parts() -> None:
    records = [path for path in files() if path.parts[:2] == ("docs", "adr") and path.stem[0].isdigit()]
    assert len(records) >= 10
    for path in records:
        text = (ROOT / path).read_text()
        heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert heads == ["Context", "Decision", "Consequences", "Alternatives"], path
        assert len(text.split()) < 600, f"{path} is longer than a page"


def test_links_between_papers_lead_somewhere() -> None:
    broken = []
    for path in (p for p in files() if p.suffix == ".md" and p.parts[0] not in {"tests", "workflows"}):
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (ROOT / path).read_text())
        local = [t for t in targets if "://" not in t and not t.startswith("mailto:")]
        broken += [f"{path} → {target}" for target in local if not (ROOT / path.parent / target).exists()]
    assert not broken
