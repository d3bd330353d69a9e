"""Damaged files: no reader raises, nothing that was not read to its end passes, and answers stay bounded."""

import random
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import COUNTS, POLICY, ROWS, opendocument, pdf, sheet, tarred, word, workbook, zipped

from airlock.checks import jail
from airlock.checks.answer import MAX_ANSWER, Answer
from airlock.checks.findings import Severity

CASES = Path(__file__).parents[2] / "airlock-cases" / "files"
MADE = {
    "made.xlsx": workbook(sheet(COUNTS), sheet(ROWS), states=("visible", "hidden")),
    "made.ods": opendocument("<table><table-row><table-cell><p>a</p></table-cell></table-row></table>"),
    "made.docx": word("<w:p><w:r><w:t>All cases 4210</w:t></w:r></w:p>"),
    "made.pdf": pdf("BT /F1 12 Tf 40 200 Td (All) Tj ET", pages=2),
    "made.tar": tarred({"a.csv": COUNTS.encode()}),
    "made.zip": zipped({"a.zip": zipped({"a.csv": ROWS})}),
}
SEEDS = MADE | {
    path.name: path.read_bytes()[: 64 << 10]
    for path in sorted(CASES.iterdir())
    if path.is_file() and not path.is_symlink() and path.stat().st_size
}
LONGEST = 20.0


def judged(content: bytes, name: str) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "subject"
        path.write_bytes(content)
        started = time.monotonic()
        answer = jail.inspect(path, None, POLICY, name=name)
        shown = jail.view(path, name, None, POLICY)
        assert time.monotonic() - started < LONGEST
    assert len(answer.as_bytes()) <= MAX_ANSWER
    assert len(shown.as_bytes()) <= MAX_ANSWER
    assert answer.complete or answer.verdict is Severity.BLOCK
    return answer


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_t27_damaged_samples_are_answered(name: str) -> None:
    chance = random.Random(name)
    whole = SEEDS[name]
    for _ in range(6):
        raw = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        judged(bytes(raw), name)
    judged(whole[: len(whole) // 2], name)
    judged(whole[: chance.randrange(1, len(whole) + 1)] + whole[chance.randrange(len(whole)) :], name)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(SEEDS)),
    other=st.sampled_from(sorted(SEEDS)),
    at=st.floats(0, 1),
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12),
)
def test_t27_spliced_and_edited_files_are_answered(
    name: str, other: str, at: float, edits: list[tuple[float, int]]
) -> None:
    first, second = SEEDS[name], SEEDS[other]
    raw = bytearray(first[: int(len(first) * at)] + second[int(len(second) * (1 - at)) :] or b"x")
    for place, value in edits:
        raw[int(place * len(raw))] = value
    judged(bytes(raw), name)


@settings(max_examples=100, deadline=None)
@given(
    head=st.sampled_from([one[:12] for one in SEEDS.values()]),
    rest=st.binary(max_size=400),
)
def test_t27_noise_behind_a_signature_is_answered(head: bytes, rest: bytes) -> None:
    judged(head + rest, "a.bin")
