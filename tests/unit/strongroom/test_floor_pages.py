"""What pages are made of is our own, vendored by exact version, and says times and sizes as people read them."""

import hashlib
import re
from datetime import timedelta

import pytest

from strongroom import pages, words
from strongroom.database import now

# dist/htmx.min.js of the npm package htmx.org 2.0.11 (0BSD).
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
COLOURS = re.compile(r"--([a-z-]+): (#[0-9a-f]{6})")
PAIRS = [
    ("ink", "ground"),
    ("ink", "card"),
    ("soft", "ground"),
    ("soft", "card"),
    ("accent", "card"),
    ("accent", "tint"),
]
PAIRS += [
    ("accent-ink", "accent"),
    ("good", "good-tint"),
    ("warn", "warn-tint"),
    ("bad", "bad-tint"),
    ("bad", "card"),
]
PAIRS += [("soft", "calm-tint"), ("ink", "calm-tint"), ("ink", "tint")]


def test_htmx_is_the_file_of_its_package() -> None:
    assert hashlib.sha256(pages.STATIC["htmx.min.js"]).hexdigest() == HTMX
    assert b'version:"2.0.11"' in pages.STATIC["htmx.min.js"]


def test_no_file_of_ours_leads_elsewhere() -> None:
    for name in ("strongroom.css", "pages.js"):
        assert b"//" not in re.sub(rb"(?m)^\s*//.*$", b"", pages.STATIC[name]), name
    assert b"@import" not in pages.STATIC["strongroom.css"]
    assert not re.search(rb"innerHTML|insertAdjacent|document\.write|eval\(|Function\(", pages.STATIC["pages.js"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_words_stand_out_from_what_is_behind_them(scheme: str, ink: str, ground: str) -> None:
    light, dark = pages.STATIC["strongroom.css"].decode().split("@media (prefers-color-scheme: dark)")[:2]
    found = dict(COLOURS.findall(light if scheme == "light" else dark.split("\n* {")[0]))
    brighter, darker = sorted((_luminance(found[ink]), _luminance(found[ground])), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("number", "told"), [(None, "–"), (0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12 MB")]
)
def test_sizes_are_told(number: int | None, told: str) -> None:
    assert words.size(number) == told


@pytest.mark.parametrize(("minutes", "told"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (2900, "2 d")])
def test_ages_are_told(minutes: int, told: str) -> None:
    assert f">{told}<" in words.age(now() - timedelta(minutes=minutes))


def test_moments_without_a_time_are_a_dash() -> None:
    assert words.age(None) == words.day(None) == words.day("") == "–"
    assert "1 Jan 2026, 12:00 UTC" in words.day("2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    "given", ["https://evil.test", "//evil.test", "/\\evil", "x", "", "/a\nb", "/" + "a" * 500, "http:/x", "/\t/evil"]
)
def test_only_a_path_of_ours_is_a_place_to_go(given: str) -> None:
    assert pages.local_path(given) == "/"


def test_a_path_of_ours_stays() -> None:
    assert pages.local_path("/reviews/abc?file=1") == "/reviews/abc?file=1"
