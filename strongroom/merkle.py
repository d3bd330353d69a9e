"""Hashes leaves and trees as RFC 9162 §2.1 says, and proves inclusion and consistency."""

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
Peaks = list[list[int | str]]  # [height, hash], highest first: the roots of the full subtrees


def leaf_hash(data: bytes) -> str:
    """Return the hash of a leaf (hex): SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).hexdigest()


def node_hash(left: str, right: str) -> str:
    """Return the hash of an inner node (hex): SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def append_leaf(peaks: Peaks, leaf: str) -> Peaks:
    """Return the peaks after one more leaf."""
    grown, height, carried = list(peaks), 0, leaf
    while grown and grown[-1][0] == height:
        _, left = grown.pop()
        carried, height = node_hash(str(left), carried), height + 1
    return [*grown, [height, carried]]


def root_of(peaks: Peaks) -> str:
    """Return the root (hex) of the tree with these peaks."""
    if not peaks:
        return EMPTY_ROOT
    root = str(peaks[-1][1])
    for _, peak in reversed(peaks[:-1]):
        root = node_hash(str(peak), root)
    return root


def tree_root(leaves: Sequence[str]) -> str:
    """Return the root (hex) of all `leaves` (hex hashes), from scratch."""
    peaks: Peaks = []
    for leaf in leaves:
        peaks = append_leaf(peaks, leaf)
    return root_of(peaks)


def inclusion_proof(leaves: Sequence[str], index: int) -> list[str]:
    """Return the audit path of leaf `index` (RFC 9162 §2.1.3.1)."""
    if len(leaves) <= 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), tree_root(leaves[:split])]


def is_included(leaf: str, index: int, size: int, *, proof: Sequence[str], root: str) -> bool:
    """Say whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with `root` (§2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, current = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            current = node_hash(step, current)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            current = node_hash(current, step)
        at, last = at >> 1, last >> 1
    return last == 0 and current == root


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)
