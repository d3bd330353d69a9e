"""Equal facts have equal bytes (RFC 8785), whatever order they were written in."""

import hashlib
import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from strongroom.canonical import canonical, digest

FACTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_the_specification_s_example_has_its_bytes() -> None:
    # RFC 8785 §3.2.2 to 3.2.4
    facts = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(facts) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


@given(st.dictionaries(st.text(max_size=8), FACTS, max_size=6))
def test_order_makes_no_difference_and_reading_gives_the_same_bytes(facts: dict[str, object]) -> None:
    turned = dict(reversed(facts.items()))
    assert canonical(turned) == canonical(facts)
    assert canonical(json.loads(canonical(facts))) == canonical(facts)
    assert digest(facts) == hashlib.sha256(canonical(facts)).hexdigest()


# Anything that Python calls JSON, with what is no JSON among it: fractions, half characters, numbers too long.
LETTERS = st.text(st.characters(exclude_categories=()), max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | LETTERS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(LETTERS | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(FACTS | ANYTHING)
def test_the_short_way_gives_the_bytes_of_the_long_one_or_its_refusal(facts: Any) -> None:
    try:
        wanted = rfc8785.dumps(facts)
    except (ValueError, UnicodeEncodeError) as refused:
        with pytest.raises(type(refused)):
            canonical(facts)
    else:
        assert canonical(facts) == wanted


@pytest.mark.parametrize("number", range(0x180))
def test_each_letter_is_escaped_alike(number: int) -> None:
    assert canonical({"x": chr(number), chr(number): "x"}) == rfc8785.dumps({"x": chr(number), chr(number): "x"})


@pytest.mark.parametrize("facts", [math.nan, math.inf, {1: "x"}, 2**60, {"x": object()}, b"bytes"])
def test_what_is_not_json_is_refused(facts: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(facts)
