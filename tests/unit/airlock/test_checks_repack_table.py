"""Clean copies of tables: our own bytes, the same every time, and nothing that the contract does not name (T13)."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.checks.findings import Code
from airlock.checks.jail import inspect, repack
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.thresholds import Policy

POLICY = Policy(version=1)
BANDS = ("18-39", "40-59", "60-79", "80+")
PROMISE = Promise(
    Promised.TSV,
    columns=(
        Column("band", Kind.KEY, values=BANDS),
        Column("site", Kind.KEY, pattern="[A-Z]{1,3}"),
        Column("n_case", Kind.COUNT),
        Column("bin", Kind.INTEGER),
        Column("rate", Kind.NUMBER, decimals=3),
    ),
    max_rows=50,
)
HEADER = "band\tsite\tn_case\tbin\trate\n"


def clean(tmp_path: Path, content: bytes | str, *, promise: Promise = PROMISE, name: str = "results/x.tsv") -> Any:
    path = tmp_path / "subject"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return repack(path, name, promise, POLICY)


def test_t13_rows_are_sorted_by_vocabulary_and_cells_are_typed(tmp_path: Path) -> None:
    content, answer = clean(tmp_path, HEADER + "80+\tB\t12\t2\t0.12345\n18-39\tA\t\t-1\t1e2\n")
    assert content == (HEADER + "18-39\tA\tNA\t-1\t100.000\n80+\tB\t12\t2\t0.123\n").encode()
    assert (answer.clean, answer.verdict.name) == (True, "PASS")


def test_t13_columns_come_out_in_the_order_of_the_contract(tmp_path: Path) -> None:
    content, _ = clean(tmp_path, "rate\tbin\tn_case\tsite\tband\n-0.0001\t2\t12\tB\t80+\n")
    assert content == (HEADER + "80+\tB\t12\t2\t0.000\n").encode()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (HEADER + "81+\tB\t12\t2\t0.1\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tbb\t12\t2\t0.1\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t-12\t2\t0.1\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t12.0\t2\t0.1\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t12\t2\tP100007\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t12\t2\t1e300\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t٣\t2\t0.1\n", Code.CONTRACT_VALUE),
        (HEADER + "80+\tB\t12\t2\n", Code.RAGGED_ROWS),
        (HEADER.replace("rate", "rate\tnote") + "80+\tB\t12\t2\t0.1\thello\n", Code.CONTRACT_COLUMNS),
        (HEADER.replace("\trate", "") + "80+\tB\t12\t2\n", Code.CONTRACT_COLUMNS),
        (HEADER.replace("\t", ",") + "80+,B,12,2,0.1\n", Code.CONTRACT_COLUMNS),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"80+\tB\t12\t2\t0.1\n", Code.ENCODING),
        (HEADER.encode("utf-16"), Code.ENCODING),
        (HEADER + "80+\tB\t12\t2\t0.1\n" * 51, Code.TOO_MANY_ROWS),
        ("", Code.CONTRACT_FORMAT),
        (b"\x7fELF", Code.CONTRACT_FORMAT),
    ],
)
def test_what_the_contract_does_not_hold_is_refused(tmp_path: Path, content: bytes | str, code: Code) -> None:
    copy, answer = clean(tmp_path, content)
    assert copy is None
    assert answer.verdict.name == "BLOCK"
    assert {finding.code for finding in answer.findings} == {code}


def test_without_a_rule_there_is_no_clean_copy(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text(HEADER, encoding="utf-8")
    copy, answer = repack(tmp_path / "x.tsv", "x.tsv", None, POLICY)
    assert copy is None
    assert [finding.code for finding in answer.findings] == [Code.UNDECLARED]


ROW = st.tuples(
    st.sampled_from(BANDS),
    st.from_regex(r"[A-Z]{1,3}", fullmatch=True),
    st.one_of(st.integers(0, 10**11).map(str), st.sampled_from(["", "NA"])),
    st.integers(-(10**11), 10**11).map(str),
    st.floats(-(10**9), 10**9).map(repr),
)


@given(rows=st.lists(ROW, max_size=20), gzipped=st.booleans())
def test_t13_a_clean_copy_of_a_clean_copy_is_the_same(
    rows: list[tuple[str, ...]], gzipped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("table")
    text = HEADER + "".join("\t".join(row) + "\n" for row in rows)
    name = "results/x.tsv.gz" if gzipped else "results/x.tsv"
    once, _ = clean(folder, text, name=name)
    assert once is not None
    again, _ = clean(folder, once, name=name)
    assert again == once
    turned, _ = clean(folder, HEADER + "".join("\t".join(row) + "\n" for row in reversed(rows)), name=name)
    assert turned == once
    (folder / "subject").write_bytes(once)
    answer = inspect(folder / "subject", PROMISE, POLICY, name=name, must_be_clean=True)
    assert Code.NOT_OUR_COPY not in {finding.code for finding in answer.findings}


@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_t13_any_bytes_give_a_typed_table_or_none(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy, answer = clean(tmp_path_factory.mktemp("bytes"), HEADER.encode() + content)
    if copy is None:
        assert answer.verdict.name == "BLOCK"
        return
    for cells in list(csv.reader(io.StringIO(copy.decode()), delimiter="\t"))[1:]:
        assert cells[0] in BANDS
        assert cells[1].isalpha()
        assert all(set(cell) <= set("-0123456789.NA") for cell in cells[2:])
