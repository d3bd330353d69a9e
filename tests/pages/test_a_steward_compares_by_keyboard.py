"""A steward lays a table beside its last release by keyboard: the real pages and checks, without a run before."""

from collections.abc import Iterator
from typing import Any

import pytest
from airlock_scene import TSV, Scene
from browsing import desk
from jail_scene import jailed, wrote
from page_scene import add_pages
from serving import served

from airlock.contract import parse_contract
from strongroom.identity import mint_token

BANDS = ["18-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80+"]
CONTRACT = parse_contract(
    [
        {
            "match": TSV,
            "format": "tsv",
            "release": "airlock",
            "rule": "count",
            "keys": {"age_band": BANDS, "sex": ["female", "male"]},
            "counts": ["people", "carriers"],
            "numbers": {"mean_depth": 2},
            "columns": ["age_band", "sex", "people", "carriers", "mean_depth"],
            "max_rows": 20,
        },
        {"release": "inside"},
    ]
)
HEAD = "age_band\tsex\tpeople\tcarriers\tmean_depth"
OLD = (
    "18-29\tfemale\t1204\t118\t31.40",
    "18-29\tmale\t1187\t96\t30.95",
    "30-39\tfemale\t2310\t204\t31.02",
    "30-39\tmale\t2254\t187\t30.77",
    "40-49\tfemale\t3120\t263\t31.18",
    "40-49\tmale\t3041\t244\t30.60",
    "80+\tfemale\t412\t35\t29.88",
)
NEW = (
    *OLD[:2],
    "30-39\tfemale\t2310\t204\t31.02",
    "30-39\tmale\t2291\t209\t30.81",
    "40-49\tfemale\t2978\t263\t31.18",
    "40-49\tmale\t3041\t244\t30.60",
    "50-59\tfemale\t2890\t231\t30.41",
)


@pytest.fixture(scope="module")
def compared() -> Iterator[tuple[Scene, str]]:
    """A table that left, and the request for its next version; set before a browser's loop takes the thread."""
    with jailed() as stage:
        add_pages(stage)
        stage.released(wrote(stage, {TSV: _text(OLD)}, CONTRACT), TSV)
        yield stage, str(stage.submitted(wrote(stage, {TSV: _text(NEW)}, CONTRACT), TSV)["id"])


def _text(rows: tuple[str, ...]) -> str:
    return "".join(f"{row}\n" for row in (HEAD, *rows))


def test_a_table_stands_beside_its_last_release_by_keyboard(compared: tuple[Scene, str], chromium: Any) -> None:
    stage, request = compared
    with served(stage.app) as base, desk(chromium, base) as sam:
        sam.sign_in(mint_token(stage.settings, "sam"), "/reviews")
        sam.press(request[:8])
        sam.wait("#inside .sheet")
        sam.press("Beside the last release")
        sam.wait("details[open] .beside .sheet")
        sam.judge("beside-on-the-desk")
        sam.press("Open the comparison on a page of its own")
        sam.page.wait_for_url("**/beside")
        sam.judge("beside", picture=True)
        for words in ("−142", "+22", "carriers", "50-59", "+ added", "− removed"):
            assert sam.page.locator("#beside", has_text=words).count(), words
        sam.press("Back to the request")
        sam.wait("#inside .sheet")
