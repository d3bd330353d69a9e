"""The stub tree: what an engine sees tells little, and writing it never follows what an engine left there."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wes.stubs import opened, rounded, write_stub


@given(st.integers(min_value=0, max_value=1 << 50))
def test_t4_sizes_are_rounded_up_by_at_most_an_eighth_of_an_octave(size: int) -> None:
    shown = rounded(size)
    assert shown >= size
    assert rounded(shown) == shown
    if size > 8:
        assert shown / size <= 1.125 + 1e-9


def test_t4_there_are_few_sizes() -> None:
    seen = {rounded(size) for size in range(1, 1 << 16)}
    assert len(seen) <= 8 * int(math.log2(1 << 16)) + 8


def test_a_stub_has_the_size_and_time_that_were_given(tmp_path: Path) -> None:
    with opened(tmp_path) as root:
        write_stub(root, "a/b/c.vcf", size=4096, mtime_ns=1_700_000_000_000_000_000)
    made = (tmp_path / "a/b/c.vcf").stat()
    assert (made.st_size, made.st_mtime_ns, made.st_blocks) == (4096, 1_700_000_000_000_000_000, 0)


@pytest.mark.parametrize("planted", ["a", "a/b", "a/b/c.vcf"])
def test_t4_a_link_that_the_engine_planted_is_not_followed(tmp_path: Path, planted: str) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (outside / "c.vcf").write_text("precious")
    link = tree / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside / "c.vcf" if planted.endswith(".vcf") else outside)
    with opened(tree) as root:
        write_stub(root, "a/b/c.vcf", size=10, mtime_ns=0)
    assert (outside / "c.vcf").read_text() == "precious"
    assert sorted(p.name for p in outside.iterdir()) == ["c.vcf"]
    assert (tree / "a/b/c.vcf").stat().st_size == 10
