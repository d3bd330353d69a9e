"""SLURM's lists of nodes, as a truth table."""

import pytest

from tes.backends.slurm.hostlists import NotAHostlist, expand


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("", set()),
        ("n1", {"n1"}),
        ("n1,n2", {"n1", "n2"}),
        ("n[1-3,7]", {"n1", "n2", "n3", "n7"}),
        ("n[01-03]", {"n01", "n02", "n03"}),
        ("n[8-11]", {"n8", "n9", "n10", "n11"}),
        ("n[098-101]", {"n098", "n099", "n100", "n101"}),
        ("gpu-a,n[1-2],x7.site", {"gpu-a", "n1", "n2", "x7.site"}),
        ("r[1-2]n[1,3]", {"r1n1", "r1n3", "r2n1", "r2n3"}),
        ("n[1-2]-ib", {"n1-ib", "n2-ib"}),
        ("n[5]", {"n5"}),
        ("n[3-2]", set()),
    ],
)
def test_a_list_is_these_nodes(text: str, nodes: set[str]) -> None:
    assert expand(text) == nodes


@pytest.mark.parametrize(
    "text", ["n[", "n]", "n[1-", "n[]", "n[a-b]", "n[1-2-3]", "n[-1]", "n1,,n2", ",n1", "n1,", "n[1,]", "n[[1]]"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(NotAHostlist):
        expand(text)


@pytest.mark.parametrize("text", ["n[1-99999999]", "a[1-9999]b[1-9999]", "n[1-60000],m[1-60000]"])
def test_an_answer_does_not_fill_our_memory(text: str) -> None:
    with pytest.raises(NotAHostlist, match="more nodes"):
        expand(text)
