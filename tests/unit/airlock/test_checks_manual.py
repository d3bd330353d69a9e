"""Every finding has its words and its section in docs/checks.md."""

from pathlib import Path

import pytest

from airlock.checks.codes import Code
from airlock.checks.disclosure.every import CHECKS
from airlock.checks.manual import manual
from airlock.checks.texts import TEXTS

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == manual()


@pytest.mark.parametrize("code", list(Code))
def test_each_finding_has_reason_and_cure(code: Code) -> None:
    assert TEXTS[code].reason.endswith(".")
    assert TEXTS[code].cure.endswith(".")


@pytest.mark.parametrize("code", list(Code))
def test_each_finding_is_used_somewhere(code: Code) -> None:
    sources = (ROOT / "airlock" / "checks").rglob("*.py")
    assert any(
        f"Code.{code.name}" in path.read_text(encoding="utf-8") for path in sources if path.name != "findings.py"
    )


def test_each_check_file_is_in_the_list() -> None:
    folder = ROOT / "airlock" / "checks" / "disclosure"
    written = {path.stem for path in folder.glob("*.py") if "def check(" in path.read_text(encoding="utf-8")}
    assert {check.__module__.rpartition(".")[2] for check in CHECKS} == written  # type: ignore[attr-defined]
