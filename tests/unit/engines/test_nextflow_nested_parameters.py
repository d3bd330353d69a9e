"""Parameters that are maps are drafted as objects, and reach Nextflow whole, as bare Nextflow has them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from nextflow_house import Both, House, beside_bare, check_published, written

from strongroom.settings import Settings
from wes.draft_manifest import LATER
from wes.manifest import check_parameters, parse_manifest
from wes.nextflow_drafts import draft
from wes.outlining import nextflow_outline

LIMITS = "params.limits = [min: 5, name: 'x', deep: [share: 0.5, on: true]]\n"
TELL = """
process TELL {
    publishDir 'results/told', mode: 'copy'
    output:
    path 'told.txt'
    script:
    "echo ${params.limits.min} ${params.limits.name} ${params.limits.deep.share} ${params.bounds.most} > told.txt"
}
"""
MAIN = (
    LIMITS
    + """params.computed = [a: 1, b: [1, 2].size()]
params.flat = 'plain'
params.changed = [a: 1]
params.changed.a = 2
params.odd = ['a b': 1]
"""
    + TELL
    + """
workflow {
    TELL()
    println params.flat.length
    println params.bounds.label
    println params.only.read
    println params.computed.b
    println params.odd
    println params.more.one
}
"""
)
CONFIG = """process.container = 'genomics'
params {
    bounds {
        most = 9
        label = 'inner'
    }
    more = [one: 1]
    more.two = 2
    kinds { 'v1.2' { one = 1 } }
}
"""


def said(kind: str, default: Any, most: float | None = None) -> dict[str, Any]:
    bounds = {} if most is None else {"minimum": 0, "maximum": most}
    return {"description": LATER, "type": kind, "default": default} | bounds


def one_of(word: str) -> dict[str, Any]:
    return {"description": LATER, "enum": [word], "default": word}


def holding(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "description": LATER, "type": "object", "additionalProperties": False, "properties": properties, **more
    }  # fmt: skip


ANY = {"description": LATER, "type": "integer", "minimum": 0, "maximum": 100}


def drafted_of(folder: Path, main: str, config: str) -> dict[str, Any]:
    written(folder, {"main.nf": main, "nextflow.config": config})
    seen = nextflow_outline(Settings(), folder, entry="main.nf")
    assert seen.errors == []
    return draft(seen, {}, folder=("nested", "1.0.0"), version="25.04.4")


def test_a_map_is_drafted_as_an_object(tmp_path: Path) -> None:
    drafted = drafted_of(tmp_path / "nested" / "1.0.0", MAIN, CONFIG)
    parse_manifest(yaml.safe_dump(drafted))
    deep = {"share": said("number", 0.5, 5.0), "on": said("boolean", True)}
    limits = {
        "min": said("integer", 5, 50),
        "name": one_of("x"),
        "deep": holding(deep, default={"share": 0.5, "on": True}),
    }
    assert drafted["parameters"]["properties"] == {
        "limits": holding(limits, default={"min": 5, "name": "x", "deep": {"share": 0.5, "on": True}}),
        "bounds": holding(
            {"most": said("integer", 9, 90), "label": one_of("inner")}, default={"most": 9, "label": "inner"}
        ),
        "only": holding({"read": ANY}),
        "computed": holding({"a": said("integer", 1, 10), "b": ANY}, required=["b"]),
        "flat": one_of("plain"),
        # What is changed, what two places make of one map, and names that are no plain words, nobody knows.
        **dict.fromkeys(("changed", "odd", "more", "kinds"), ANY),
    }


HELD = LIMITS + TELL + "\nworkflow {\n    TELL()\n}\n"
HELD_CONFIG = """process.container = 'genomics'
params {
    bounds {
        most = 9
        label = 'inner'
    }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nested") / "nested" / "1.0.0"


@pytest.fixture(scope="module")
def drafted(folder: Path) -> dict[str, Any]:
    found = drafted_of(folder, HELD, HELD_CONFIG)
    assert found["free_commands"] == []
    return found


@pytest.fixture(scope="module")
def both(folder: Path, drafted: dict[str, Any]) -> Both:
    return beside_bare(folder, drafted)


def test_it_publishes_what_bare_nextflow_does(both: Both) -> None:
    check_published(both, "told", {"told.txt"})
    assert both[1]["results/told/told.txt"] == b"5 x 0.5 9\n"


def test_a_part_that_a_run_gives_reaches_the_engine(folder: Path, both: Both) -> None:
    assert both[0].code == 0
    house = House(folder.parents[1] / "given", folder)
    given = check_parameters(house.manifest, {"limits": {"min": 7}, "bounds": {"most": 8}})
    assert given["limits"] == {"min": 7, "name": "x", "deep": {"share": 0.5, "on": True}}
    ours = house.run(given)
    assert ours.code == 0, ours.log
    check_published((ours, house.bare(given)), "told", {"told.txt"})
    assert ours.files["results/told/told.txt"] == b"7 x 0.5 8\n"
