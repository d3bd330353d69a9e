"""A page token goes on where its list stopped, for its own caller and filter only."""

import base64
import json

import pytest

from strongroom.errors import BadRequest
from strongroom.paging import place, token


def test_a_token_leads_back_to_its_row() -> None:
    assert place(token(17, person="ruth", state=""), person="ruth", state="") == 17


@pytest.mark.parametrize("of", [{"person": "otto", "state": ""}, {"person": "ruth", "state": "COMPLETE"}, {}])
def test_a_token_of_another_caller_or_filter_is_refused(of: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="another caller or filter"):
        place(token(17, person="ruth", state=""), **of)


def made(**facts: object) -> str:
    whole = json.loads(base64.urlsafe_b64decode(token(17)))
    return base64.urlsafe_b64encode(json.dumps({**whole, **facts}).encode()).decode()


@pytest.mark.parametrize(
    "given", ["x", "eyJ9", "", "\u00e9", made(at="1"), made(at=-1), made(at=1 << 70), made(at=True), made(at=None)]
)
def test_what_is_no_token_is_refused(given: str) -> None:
    with pytest.raises(BadRequest, match="not a token of this list"):
        place(given)
