"""The form of groups says what the API takes: nothing where nothing was sorted, and where each file goes."""

import pytest

from airlock import group_forms, schemas
from airlock.groups import ALL, MOST_GROUPS
from strongroom.pages import Sent

A, B = "results/a.tsv", "results/b.tsv"


def sent(*fields: tuple[str, str]) -> Sent:
    return Sent((("files", A), ("files", B), *fields))


def a_group(name: str) -> schemas.ShownGroup:
    return schemas.ShownGroup(name=name, context="c", controls="d", files=[A])


def test_a_form_without_places_changes_no_groups() -> None:
    assert group_forms.read(sent()) == {}


def test_what_nobody_sorted_is_one_group_of_the_airlocks_making() -> None:
    assert group_forms.read(sent(("as", f"1/{A}"), ("as", f"1/{B}"), ("name-1", " "))) == {
        "groups": [],
        "supporting": [],
    }


def test_files_go_where_the_form_says_and_files_left_out_go_nowhere() -> None:
    form = sent(
        ("as", f"2/{A}"), ("as", f"never/{B}"), ("as", "2/left/out"), ("name-2", "main"), ("context-2", "x\r\ny")
    )
    assert group_forms.read(form) == {
        "groups": [{"name": "main", "context": "x\ny", "controls": "", "files": [A]}],
        "supporting": [B],
    }


@pytest.mark.parametrize(("there", "offered"), [(0, 3), (2, 3), (3, 4), (MOST_GROUPS, MOST_GROUPS)])
def test_there_is_room_for_one_more_group_up_to_the_most(there: int, offered: int) -> None:
    groups = [a_group(f"g{number}") for number in range(there)]
    assert len(group_forms.slots(groups)) == offered


def test_the_group_of_all_is_not_the_requesters_and_is_not_offered_as_theirs() -> None:
    assert [one.name for one in group_forms.slots([a_group(ALL)])] == ["", "", ""]
