"""Drives a browser by keyboard alone, and judges each page that it comes to."""

import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from strongroom.settings import SOURCE

PATIENCE = 240_000  # milliseconds; a run takes its time on a busy host
PICTURES = SOURCE / "docs" / "guides" / "pictures"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const label = e.labels && e.labels[0] && e.labels[0].innerText;
  const words = [e.getAttribute("aria-label"), label, e.innerText, e.value].map((w) => (w || "").trim());
  return words.find((w) => w) || "";
}"""
SEEN = """() => {
  const s = getComputedStyle(document.activeElement);
  return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
}"""
# Tags and classes without words, numbers and states; equal neighbours once: what a picture shows, whatever the data
# and whatever left before: a table that has an earlier release is offered beside it.
SKELETON = """() => {
  const classes = (e) => [...e.classList].filter((n) => !/^(htmx|s-|v-|yours|others)/.test(n)).sort().join(".");
  const once = (all) => all.filter((x, i) => x !== all[i - 1]).join("");
  const shown = (e) => [...e.children].filter((child) => !child.querySelector(":scope > .beside"));
  const walk = (e) => `<${e.tagName} ${classes(e)}>${once(shown(e).map(walk))}`;
  return walk(document.querySelector("main"));
}"""


class Desk:
    """One person's browser window; CSP violations, errors and requests to other origins are kept."""

    def __init__(self, browser: Any, base: str) -> None:
        self.context = browser.new_context(viewport=DESK, accept_downloads=True, reduced_motion="reduce")
        self.context.set_default_timeout(60_000)
        self.page = self.context.new_page()
        self.base, self.wrong = base, list[str]()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        # Chromium says each failed answer too: those that a test provokes are read from the page itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if urlsplit(request.url).scheme != "data" and not request.url.startswith(self.base):
            self.wrong.append(f"asked elsewhere: {request.url}")

    def open(self, path: str) -> None:
        """Type an address."""
        self.page.goto(self.base + path)

    def tab_to(self, words: str) -> None:
        """Press Tab until the focus is on what has these words; each stop on the way is seen."""
        seen = []
        for _ in range(150):
            self.page.keyboard.press("Tab")
            here = self.page.evaluate(FOCUSED)
            seen.append(here[:40])
            if here.startswith(words):
                assert self.page.evaluate(SEEN), f"the focus does not show on {words!r}"
                return
        raise AssertionError(f"no Tab leads to {words!r}: {seen}")

    def press(self, words: str) -> None:
        """Go to what has these words, and press Enter."""
        self.tab_to(words)
        self.page.keyboard.press("Enter")

    def wait(self, selector: str) -> None:
        """Wait until something is there, however long a run takes."""
        self.page.wait_for_selector(selector, timeout=PATIENCE)

    def sign_in(self, token: str, lands: str) -> None:
        """Sign in by keyboard."""
        self.open("/sign-in")
        self.tab_to("Token of the development issuer")
        self.page.keyboard.insert_text(token)
        self.press("Sign in")
        self.page.wait_for_url(f"**{lands}")

    def judge(self, name: str, *, picture: bool = False) -> None:
        """Hold the page to WCAG in light and dark, at a desk and on a phone; keep the picture's digest current."""
        for scheme in ("light", "dark"):
            for size in (DESK, PHONE):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size(size)
                found = Axe().run(self.page, options=RULES).response["violations"]
                told = [(one["id"], [node["html"][:150] for node in one["nodes"][:3]]) for one in found]
                assert not told, f"{name}, {scheme}, {size}: {told}"
                wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 0, f"{name}: {wide} pixels too wide at {size}"
                self._keep(f"{name}-{scheme}-{size['width']}", always=False)
        self.page.emulate_media(color_scheme="light")
        self.page.set_viewport_size(DESK)
        if picture:
            check_picture(self, name)
        assert not self.wrong, self.wrong

    def _keep(self, name: str, *, always: bool) -> None:
        folder = os.environ.get("STRONGROOM_LOOK")
        if folder or always:
            self.page.screenshot(path=str(Path(folder or PICTURES) / f"{name}.png"), full_page=True, caret="initial")


def check_picture(desk: Desk, name: str) -> None:
    """Hold the digest beside a picture to the page as it is; with STRONGROOM_PICTURES=1 take the picture anew."""
    styled = (SOURCE / "strongroom" / "static" / "strongroom.css").read_bytes()
    skeleton = desk.page.evaluate(SKELETON)
    digest = hashlib.sha256(styled + skeleton.encode()).hexdigest()
    listed = PICTURES / "pictures.json"
    known = json.loads(listed.read_text()) if listed.exists() else {}
    if os.environ.get("STRONGROOM_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        taken = Image.open(io.BytesIO(desk.page.screenshot(caret="initial")))  # hiding it leaves a style behind
        taken.convert("RGB").quantize(96).save(PICTURES / f"{name}.png", optimize=True)
        listed.write_text(json.dumps(known | {name: digest}, indent=2, sort_keys=True) + "\n")
        return
    assert (PICTURES / f"{name}.png").exists()
    assert known.get(name) == digest, f"The picture {name} is not current; see CONTRIBUTING, Pictures."


@contextmanager
def desk(browser: Any, base: str) -> Iterator[Desk]:
    """Open a window, and close it."""
    one = Desk(browser, base)
    try:
        yield one
        assert not one.wrong, one.wrong
    finally:
        one.context.close()
