"""A page token leads on in the list that it was made for, and nowhere else."""

import base64
import json

import pytest

from strongroom import paging
from strongroom.errors import BadRequest

LISTING = {"of": "tasks", "state": "COMPLETE"}


def test_a_token_gives_its_row_back_to_whom_it_was_given() -> None:
    made = paging.token("a" * 32, caller="ruth", listing=LISTING)
    assert paging.last_of(made, caller="ruth", listing=LISTING) == "a" * 32


@pytest.mark.parametrize(
    ("caller", "listing"),
    [
        ("rita", LISTING),
        ("ruth", {"of": "tasks", "state": "QUEUED"}),
        ("ruth", {"of": "runs", "state": "COMPLETE"}),
        ("ruth", {**LISTING, "tags": [["a", "b"]]}),
    ],
)
def test_a_token_of_another_caller_or_filter_is_refused(caller: str, listing: dict[str, object]) -> None:
    made = paging.token("a" * 32, caller="ruth", listing=LISTING)
    with pytest.raises(BadRequest, match="page_token"):
        paging.last_of(made, caller=caller, listing=listing)


@pytest.mark.parametrize(
    "forged", ["x", "eyJ9", "é", "[]", '["a"]', '["a", "b"]', "[1, 2]", "{}", "null", '["a", "b", "c"]']
)
def test_a_forged_token_is_refused(forged: str) -> None:
    for spelled in (forged, base64.urlsafe_b64encode(forged.encode()).decode()):
        with pytest.raises(BadRequest, match="page_token"):
            paging.last_of(spelled, caller="ruth", listing=LISTING)


def test_a_token_tells_nothing_but_an_id_that_its_page_showed() -> None:
    made = paging.token("a" * 32, caller="ruth", listing=LISTING)
    shown, bound = json.loads(base64.urlsafe_b64decode(made))
    assert shown == "a" * 32
    assert "ruth" not in bound
    assert len(bound) == 32
