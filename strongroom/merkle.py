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


class Tree:
    """The hashes of all full subtrees of a log, made once, from which any number of proofs is read."""

    def __init__(self, leaves: Sequence[str]) -> None:
        self.size = len(leaves)
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            self._levels.append([node_hash(below[n], below[n + 1]) for n in range(0, len(below) - 1, 2)])

    def root(self, size: int | None = None) -> str:
        """Return the root (hex) of the first `size` leaves, of all by default."""
        wanted = self.size if size is None else size
        return self._hash(0, wanted) if wanted else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[str]:
        """Return the audit path of leaf `index` in the tree of the first `size` leaves (RFC 9162 §2.1.3.1)."""
        return self._path(index, 0, self.size if size is None else size)

    def consistency(self, old: int, new: int | None = None) -> list[str]:
        """Return the proof that the first `old` leaves begin the first `new` ones (RFC 9162 §2.1.4.1)."""
        return self._subproof(old, 0, self.size if new is None else new, whole=True) if old else []

    def _hash(self, start: int, size: int) -> str:
        if not size & (
            size - 1
        ):  # a power of two: a full subtree, and RFC 9162 lets it begin at a multiple of its size
            height = size.bit_length() - 1
            return self._levels[height][start >> height]
        split = _split(size)
        return node_hash(self._hash(start, split), self._hash(start + split, size - split))

    def _path(self, index: int, start: int, size: int) -> list[str]:
        if size <= 1:
            return []
        split = _split(size)
        if index < split:
            return [*self._path(index, start, split), self._hash(start + split, size - split)]
        return [*self._path(index - split, start + split, size - split), self._hash(start, split)]

    def _subproof(self, old: int, start: int, size: int, *, whole: bool) -> list[str]:
        if old == size:
            return [] if whole else [self._hash(start, size)]
        split = _split(size)
        if old <= split:
            rest = self._hash(start + split, size - split)
            return [*self._subproof(old, start, split, whole=whole), rest]
        return [
            *self._subproof(old - split, start + split, size - split, whole=False),
            self._hash(start, split),
        ]


def inclusion_proof(leaves: Sequence[str], index: int) -> list[str]:
    """Return the audit path of leaf `index` (RFC 9162 §2.1.3.1)."""
    return Tree(leaves).inclusion(index)


def consistency_proof(leaves: Sequence[str], old: int) -> list[str]:
    """Return the proof that the tree of the first `old` leaves is the beginning of the whole one (§2.1.4.1)."""
    return Tree(leaves).consistency(old)


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


def is_consistent(old: int, new: int, *, old_root: str, new_root: str, proof: Sequence[str]) -> bool:
    """Say whether `proof` shows that the tree of `old` leaves is the beginning of that of `new` ones (§2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and old_root == (EMPTY_ROOT if old == 0 else new_root)
    steps = [old_root, *proof] if not old & (old - 1) else list(proof)
    if not steps:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)
