"""The form of a run is drawn from its schema, and reads back as the parameters that WES takes."""

from pathlib import Path

import pytest

from strongroom.errors import BadRequest
from strongroom.settings import SOURCE
from wes import asking_form
from wes.manifest import Slot, check_parameters, parse_manifest

SHIPPED = sorted((SOURCE / "workflows").glob("*/*/manifest.yaml"))
SCHEMA = {
    "type": "object",
    "required": ["samples"],
    "properties": {
        "limit": {"enum": [0.01, 0.05], "default": 0.05},
        "mode": {"enum": ["none", "all"]},
        "parts": {"type": "integer", "minimum": 1, "maximum": 9, "default": 4},
        "share": {"type": "number"},
        "quick": {"type": "boolean", "default": False},
        "samples": {"type": "string", "x-strongroom-table": {"columns": {"person": "[a-z]+", "arm": ["a", "b"]}}},
        "panel": {"type": "string", "x-strongroom-file": "calls"},
    },
}
FIELDS = asking_form.fields(SCHEMA, [Slot("calls", "*.vcf.gz", 5, 5000)])
FULL = {
    "input.calls": "hapmap",
    "param.limit": "0.01",
    "param.mode": '"all"',
    "param.parts": "3",
    "param.share": "0.5",
    "param.quick": "true",
    "param.samples": "person\tarm\r\nanna\ta\r\n",
    "param.panel": "one.vcf.gz",
}


def test_each_kind_of_parameter_has_its_kind_of_field() -> None:
    kinds = {field.name: field.kind for field in FIELDS}
    assert kinds == {
        "calls": "dataset",
        "limit": "choice",
        "mode": "choice",
        "parts": "number",
        "share": "number",
        "quick": "choice",
        "samples": "table",
        "panel": "file",
    }
    by_name = {field.name: field for field in FIELDS}
    assert by_name["parts"].least == 1
    assert by_name["samples"].required
    assert "person, arm" in by_name["samples"].hint
    assert by_name["calls"].hint == "5 to 5000 files like *.vcf.gz"


def test_values_come_back_with_their_types() -> None:
    assert asking_form.read(FIELDS, FULL) == {
        "inputs": {"calls": "hapmap"},
        "limit": 0.01,
        "mode": "all",
        "parts": 3,
        "share": 0.5,
        "quick": True,
        "samples": "person\tarm\nanna\ta\n",
        "panel": "one.vcf.gz",
    }


def test_what_is_empty_is_left_out_and_its_default_counts() -> None:
    assert asking_form.read(FIELDS, {"input.calls": "hapmap", "param.parts": ""}) == {"inputs": {"calls": "hapmap"}}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"input.calls": ""}, "Calls"),
        ({"param.limit": "0.01]"}, "Limit"),
        ({"param.mode": "all"}, "Mode"),
        ({"param.parts": "three"}, "Parts"),
        ({"param.parts": "1.5"}, "Parts"),
        ({"param.parts": "9" * 5000}, "Parts"),
        ({"param.share": "a lot"}, "Share"),
        ({"param.share": "nan"}, "Share"),
        ({"param.share": "-inf"}, "Share"),
        ({"param.quick": "[" * 100_000}, "Quick"),
    ],
)
def test_what_cannot_be_read_is_named(changed: dict[str, str], field: str) -> None:
    with pytest.raises(BadRequest, match=f"^{field}: "):
        asking_form.read(FIELDS, FULL | changed)


@pytest.mark.parametrize("manifest", SHIPPED, ids=lambda path: path.parent.parent.name)
def test_a_form_sent_as_it_was_drawn_is_what_the_shipped_workflow_takes(manifest: Path) -> None:
    parsed = parse_manifest(manifest.read_text())
    drawn = asking_form.fields(parsed.parameters, list(parsed.slots))
    sent = {asking_form.field_name(f): "data" if f.kind == "dataset" else f.given for f in drawn}
    read = asking_form.read(drawn, sent)
    assert set(read.pop("inputs")) == {slot.name for slot in parsed.slots}
    assert check_parameters(parsed, read) == check_parameters(parsed, {})


def test_a_slot_of_no_files_at_least_may_be_left_empty() -> None:
    drawn = asking_form.fields({"type": "object"}, [Slot("panel", "*", 0, 1), Slot("calls", "*", 1, 9)])
    assert [one.required for one in drawn] == [False, True]
    assert asking_form.read(drawn, {"input.calls": "hapmap"}) == {"inputs": {"calls": "hapmap"}}
    with pytest.raises(BadRequest, match="Calls: choose a dataset"):
        asking_form.read(drawn, {"input.panel": "hapmap"})
