"""A node gives what it has, each part of it, and nothing of it twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tes.node import Node, Size

GIB = 1 << 30


def a_node(*, uids: int = 2) -> Node:
    return Node(cores=2.0, memory=8 * GIB, uids=list(range(uids)), disk=100 * GIB)


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((0, 0, 0), True),
        ((2, 8 * GIB, 100 * GIB), True),
        ((2.5, GIB, GIB), False),
        ((1, 8 * GIB + 1, GIB), False),
        ((1, GIB, 100 * GIB + 1), False),
    ],
)
def test_what_fits_is_given_and_what_does_not_takes_nothing(size: tuple[float, int, int], fits: bool) -> None:
    node = a_node()
    uid = node.take(*size)
    assert (uid is not None) is fits
    cores, memory, disk = size if fits else (0, 0, 0)
    assert (node.cores, node.memory, node.disk) == (2 - cores, 8 * GIB - memory, 100 * GIB - disk)
    assert len(node.uids) == (1 if fits else 2)


def test_encrypted_disk_is_shared_and_comes_back() -> None:
    node = a_node()
    first = node.take(0.5, GIB, 60 * GIB)
    assert first is not None
    assert node.take(0.5, GIB, 60 * GIB) is None
    assert node.take(0.5, GIB, 40 * GIB) is not None
    node.give_back(0.5, GIB, 60 * GIB, first)
    assert node.disk == 60 * GIB
    assert node.take(0.5, GIB, 60 * GIB) == first


def test_a_node_without_encrypted_disk_gives_none() -> None:
    assert Node(cores=2, memory=GIB, uids=[1]).take(1, 0, 1) is None


def test_no_two_have_one_uid() -> None:
    node = a_node(uids=2)
    assert {node.take(0, 0), node.take(0, 0)} == {0, 1}
    assert node.take(0, 0) is None


SIZES = st.tuples(st.integers(0, 3), st.integers(0, 9 * GIB), st.integers(0, 110 * GIB))


@given(st.lists(SIZES | st.none(), max_size=30))
def test_whatever_is_taken_and_given_back_adds_up(steps: list[tuple[int, int, int] | None]) -> None:
    node, taken = a_node(uids=5), list[tuple[int, int, int, int]]()
    for size in steps:
        if size is None:
            if taken:
                node.give_back(*taken.pop(0))
        elif (uid := node.take(*size)) is not None:
            taken.append((*size, uid))
        assert min(node.cores, node.memory, node.disk) >= 0
        assert node.cores + sum(one[0] for one in taken) == 2
        assert node.memory + sum(one[1] for one in taken) == 8 * GIB
        assert node.disk + sum(one[2] for one in taken) == 100 * GIB
        assert sorted(node.uids + [one[3] for one in taken]) == list(range(5))


@pytest.mark.parametrize(
    ("on_disk", "memory", "disk"), [(False, 5 * GIB, 0), (True, 2 * GIB, 3 * GIB), (None, 5 * GIB, 0)]
)
def test_scratch_counts_as_memory_or_as_disk_and_never_as_both(on_disk: bool | None, memory: int, disk: int) -> None:
    plan = {"cores": 1.0, "memory": 2 * GIB, "scratch": 3 * GIB, "scratch_on_disk": on_disk}
    assert Size.of({name: value for name, value in plan.items() if value is not None}) == (1.0, memory, disk)
