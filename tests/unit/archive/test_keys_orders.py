"""What a work order and an output must look like."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.facts import GrantFacts
from archive.keys.orders import OrderRefused, check_fresh, parse_asking, parse_order
from archive.keys.outputs import check_may_register, parse_body, parse_name, parse_output, parse_outputs
from sandbox.crypt4gh import body_length_of, segments_of
from strongroom.errors import BadRequest, NotAllowed, StrongroomError

ASKING: dict[str, Any] = {
    "attempt": "1" * 32,
    "kind": "task",
    "decision": "2" * 32,
    "project": "cohort",
    "person": "ruth@development",
    "objects": ["3" * 32],
    "images": ["sha256:" + "a" * 64],
    "spec_sha256": "e" * 64,
    "public_key": base64.b64encode(b"k" * 32).decode(),
    "signing_key": base64.b64encode(b"s" * 32).decode(),
}
ORDER = {**ASKING, "jti": "4" * 32, "issued": 1000, "expires": 1060}
OUTPUT: dict[str, Any] = {
    "object": "5" * 32,
    "path": "/run/work/a",
    "role": "output",
    "header": base64.b64encode(b"h" * 124).decode(),
    "size": 1,
    "sha256": "6" * 64,
    "body_sha256": "7" * 64,
    "body_length": 29,
    "segments": 1,
}


def test_an_order_reads_back_as_it_was_signed() -> None:
    assert parse_order(ORDER).statement() == ORDER


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempt": "1" * 31},
        {"attempt": "G" * 32},
        {"attempt": None},
        {"kind": "export"},
        {"kind": None},
        {"decision": "../x"},
        {"project": "Co hort"},
        {"project": "*"},
        {"person": ""},
        {"person": "x" * 201},
        {"objects": "3" * 32},
        {"objects": ["x"]},
        {"objects": [None]},
        {"objects": ["3" * 32] * 20_001},
        {"images": ["genomics:latest"]},
        {"images": "sha256:" + "a" * 64},
        {"images": []},
        {"images": ["sha256:" + "a" * 64] * 17},
        {"spec_sha256": ""},
        {"public_key": "AA=="},
        {"public_key": base64.b64encode(bytes(32)).decode()},
        {"public_key": None},
        {"signing_key": "AA=="},
        {"signing_key": None},
        {"recipient": "x"},
    ],
)
def test_an_asking_of_another_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        parse_asking({**ASKING, **wrong})
    with pytest.raises(OrderRefused):
        parse_order({**ORDER, **wrong})


@pytest.mark.parametrize("field", sorted(ASKING))
def test_every_field_is_needed(field: str) -> None:
    with pytest.raises(BadRequest):
        parse_asking({name: value for name, value in ASKING.items() if name != field})


@pytest.mark.parametrize("wrong", [{"jti": "x"}, {"jti": None}, {"issued": 1.5}, {"expires": True}, {"expires": "9"}])
def test_an_order_without_number_or_times_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OrderRefused):
        parse_order({**ORDER, **wrong})


@pytest.mark.parametrize(
    ("moment", "expires", "good"),
    [
        (1000, 1060, True),
        (1059.9, 1060, True),
        (1060, 1060, False),
        (995, 1060, True),
        (994, 1060, False),
        (1000, 1061, False),
    ],
)
def test_an_order_lives_sixty_seconds(moment: float, expires: int, good: bool) -> None:
    order = parse_order({**ORDER, "expires": expires})
    if good:
        check_fresh(order, moment)
    else:
        with pytest.raises(OrderRefused):
            check_fresh(order, moment)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_whatever_comes_is_refused_with_a_sentence(said: Any) -> None:
    for parse in (parse_order, parse_outputs, parse_output):
        if said == [] and parse is parse_outputs:
            continue
        with pytest.raises(StrongroomError):
            parse(said)


def test_an_output_reads() -> None:
    assert parse_output(OUTPUT).body.size == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "input"},
        {"header": ""},
        {"header": "!"},
        {"header": base64.b64encode(b"h" * 5000).decode()},
        {"sha256": "6" * 63},
        {"body_sha256": None},
        {"size": 1.0},
        {"size": -1},
        {"size": 1 << 51},
        {"object": "x"},
        {"recipient": "x"},
    ],
)
def test_an_output_of_another_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        parse_output({**OUTPUT, **wrong})


@given(st.integers(0, 1 << 40), st.integers(-2, 2), st.integers(-65_600, 65_600))
def test_lengths_must_fit(size: int, more_segments: int, more_bytes: int) -> None:
    said = {**OUTPUT, "size": size, "segments": segments_of(size) + more_segments}
    said["body_length"] = body_length_of(size) + more_bytes
    if more_segments == 0 == more_bytes:
        assert parse_body(said).size == size
    else:
        with pytest.raises(BadRequest):
            parse_body(said)


def test_an_object_is_named_once() -> None:
    with pytest.raises(BadRequest, match="twice"):
        parse_outputs([OUTPUT, OUTPUT])


@pytest.mark.parametrize(
    ("kind", "role", "moment", "good"),
    [
        ("task", "output", 0, True),
        ("task", "stdout", 0, True),
        ("task", "output", 100, False),
        ("repack", "output", 99, True),
        ("check", "output", 0, False),
        ("check", "stderr", 0, True),
        ("view", "output", 0, False),
    ],
)
def test_who_may_register_what(kind: str, role: str, moment: float, good: bool) -> None:
    grant = GrantFacts("a", kind, "d", "p", "ruth", (), (), "run", "d", 1, "key", 1, expires=100)
    outputs = parse_outputs([{**OUTPUT, "role": role}])
    if good:
        check_may_register(grant, outputs, moment=moment)
    else:
        with pytest.raises(NotAllowed):
            check_may_register(grant, outputs, moment=moment)


@given(st.text(max_size=40))
def test_a_name_that_passes_stays_inside(name: str) -> None:
    try:
        found = parse_name(name)
    except BadRequest:
        return
    assert not found.startswith("/")
    assert all(part not in ("", ".", "..") and not part.startswith(".") for part in found.split("/"))
    assert found.isascii()
