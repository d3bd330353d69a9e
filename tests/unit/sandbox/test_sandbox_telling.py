"""A task's walls tell the lines of an output only if all of it is such lines."""

import io
from pathlib import Path

import pytest

from sandbox.telling import Telling, Told, told

TELLING = Telling(frozenset("abc"), longest=3, most=2)


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (b"", []),
        (b"a\n", ["a"]),
        (b"abc\ncba\n", ["abc", "cba"]),
        (b"a", None),  # the last line is not ended
        (b"\n", None),
        (b"a\n\n", None),
        (b"a\nb\nc\n", None),
        (b"abca\n", None),
        (b"d\n", None),
        (b"a\r\n", None),
        (b"a\0\n", None),
        (b"\xff\n", None),
        ("á\n".encode(), None),
        (b"a\n" * 1_000_000, None),
        (b"a" * 9, None),
    ],
)
def test_lines_are_told_if_all_is_lines(tmp_path: Path, raw: bytes, lines: list[str] | None) -> None:
    file = tmp_path / "f"
    file.write_bytes(raw)
    assert told([Told("/run/work/f", TELLING, lambda: io.FileIO(file))]) == {"/run/work/f": lines}


def test_no_more_is_read_than_could_be_told(tmp_path: Path) -> None:
    class Counting(io.FileIO):
        taken = 0

        def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
            piece = super().read(-1 if size is None else size)
            Counting.taken += len(piece)
            return piece

    file = tmp_path / "f"
    file.write_bytes(b"a\n" * 100_000)
    assert told([Told("f", TELLING, lambda: Counting(file))]) == {"f": None}
    assert Counting.taken <= 2 * (3 + 1) + 1
