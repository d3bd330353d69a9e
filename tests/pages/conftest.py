"""Starts the system's Chromium under Playwright; without either, every test here fails and says what to make."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = Path("/usr/bin/chromium")
PACKAGES = ROOT / ".venvs" / "pages" / "lib" / "python3.11" / "site-packages"
sys.path[:0] = [str(Path(__file__).resolve().parent)]
sys.path.append(str(PACKAGES))  # last: what both environments have, the services' own lock decides


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """The browser; closed with the module, because Playwright's loop is no place for other tests."""
    assert CHROMIUM.exists(), "Debian's package chromium is missing; `make setup` installs it."
    assert PACKAGES.exists(), "Playwright is missing; `make .venvs/pages/made` fetches it."
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root Chromium cannot wall itself in; it meets our own pages only.
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()
