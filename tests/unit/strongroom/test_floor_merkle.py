"""The tree is RFC 9162's, and its inclusion proofs prove inclusion alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.merkle import (
    EMPTY_ROOT,
    Tree,
    append_leaf,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
    tree_root,
)

# The test values that Certificate Transparency's implementations share.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(bytes.fromhex(value)) for value in INPUTS]
TREES = st.integers(1, 70).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@pytest.mark.parametrize("size", range(9))
def test_the_known_trees_have_their_roots(size: int) -> None:
    assert tree_root(LEAVES[:size]) == ROOTS[size]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_of([]) == EMPTY_ROOT == ROOTS[0]


def test_a_known_proof_is_as_written() -> None:
    # The path of leaf 0 in the tree of 8 (RFC 9162 §2.1.5 draws the same shape with 7).
    assert inclusion_proof(LEAVES, 0) == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


@given(TREES)
def test_every_leaf_has_a_proof_that_holds(case: tuple[int, int]) -> None:
    size, index = case
    leaves = _leaves(size)
    root = tree_root(leaves)
    assert is_included(leaves[index], index, size, proof=inclusion_proof(leaves, index), root=root)


@given(TREES, st.data())
def test_a_proof_holds_for_nothing_else(case: tuple[int, int], data: st.DataObject) -> None:
    size, index = case
    leaves = _leaves(size)
    root, proof = tree_root(leaves), inclusion_proof(leaves, index)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not is_included(leaves[other], index, size, proof=proof, root=root)
        assert not is_included(leaves[index], other, size, proof=proof, root=root)
    assert not is_included(leaf_hash(b"foreign"), index, size, proof=proof, root=root)
    assert not is_included(leaves[index], size, size, proof=proof, root=root)
    assert not is_included(leaves[index], -1, size, proof=proof, root=root)
    assert not is_included(leaves[index], index, size, proof=[*proof, root], root=root)
    if proof:
        assert not is_included(leaves[index], index, size, proof=proof[:-1], root=root)
        at = data.draw(st.integers(0, len(proof) - 1))
        bent = [*proof[:at], leaf_hash(b"bent"), *proof[at + 1 :]]
        assert not is_included(leaves[index], index, size, proof=bent, root=root)


@given(st.integers(0, 130))
def test_peaks_are_never_more_than_the_bits_of_the_size(size: int) -> None:
    peaks: list[list[int | str]] = []
    for leaf in _leaves(size):
        peaks = append_leaf(peaks, leaf)
    assert len(peaks) == bin(size).count("1")
    assert [height for height, _ in peaks] == sorted((height for height, _ in peaks), reverse=True)


def test_a_leaf_can_never_pass_for_an_inner_node() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(bytes.fromhex(left) + bytes.fromhex(right)) != tree_root([left, right])


def _leaves(size: int) -> list[str]:
    return [leaf_hash(hashlib.sha256(bytes([n])).digest()) for n in range(size)]


def test_a_known_consistency_proof_is_as_written() -> None:
    # RFC 9162 §2.1.5: from 3, 4 and 6 to 7 leaves; the shape is the RFC's, the hashes those of the shared values.
    leaves = LEAVES[:7]
    c, d, g = leaves[2], leaves[3], tree_root(leaves[:2])
    assert consistency_proof(leaves, 3) == [c, d, g, tree_root(leaves[4:7])]
    assert consistency_proof(leaves, 4) == [tree_root(leaves[4:7])]
    assert consistency_proof(leaves, 6) == [tree_root(leaves[4:6]), leaves[6], tree_root(leaves[:4])]


@given(st.integers(0, 70), st.data())
def test_a_log_that_only_grew_is_consistent(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    leaves = _leaves(new)
    roots = {"old_root": tree_root(leaves[:old]), "new_root": tree_root(leaves)}
    assert is_consistent(old, new, **roots, proof=consistency_proof(leaves, old))


@given(st.integers(1, 70), st.data())
def test_a_rewritten_log_is_consistent_with_nothing_signed_before(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    leaves = _leaves(new)
    at = data.draw(st.integers(0, old - 1))
    other = [*leaves[:at], leaf_hash(b"another"), *leaves[at + 1 :]]
    for proof in (consistency_proof(leaves, old), consistency_proof(other, old)):
        assert not is_consistent(old, new, old_root=tree_root(leaves[:old]), new_root=tree_root(other), proof=proof)


@given(st.integers(2, 70), st.data())
def test_a_consistency_proof_bears_no_change(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    leaves = _leaves(new)
    roots = {"old_root": tree_root(leaves[:old]), "new_root": tree_root(leaves)}
    proof = consistency_proof(leaves, old)
    at = data.draw(st.integers(0, len(proof) - 1))
    assert not is_consistent(old, new, **roots, proof=[*proof[:at], leaf_hash(b"x"), *proof[at + 1 :]])
    assert not is_consistent(old, new, **roots, proof=proof[:at] + proof[at + 1 :])
    assert not is_consistent(old, new, **roots, proof=[*proof, proof[at]])


@given(st.integers(0, 70), st.data())
def test_one_tree_proves_every_smaller_one(size: int, data: st.DataObject) -> None:
    leaves = _leaves(size)
    tree, smaller = Tree(leaves), data.draw(st.integers(0, size))
    assert tree.root(smaller) == tree_root(leaves[:smaller])
    for index in range(smaller):
        assert tree.inclusion(index, smaller) == inclusion_proof(leaves[:smaller], index)
