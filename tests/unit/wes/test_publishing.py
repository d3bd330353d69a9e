"""What an engine publishes keeps its object and the process that made it, whatever name it gets (T16)."""

from typing import Any

import pytest

from airlock.contract import parse_contract
from strongroom.errors import StrongroomError
from wes.publishing import published
from wes.rules import Held

MADE = "work/ab/" + "c" * 30
FILES = {
    "inputs/calls/p1.vcf.gz": Held("1" * 32, is_input=True),
    f"{MADE}/table.tsv": Held("2" * 32, is_input=False),
    f"{MADE}/secret.tsv": Held("3" * 32, is_input=False),
    f"{MADE}/more/1.txt": Held("4" * 32, is_input=False),
    "results/earlier.txt": Held("5" * 32, is_input=False),
}
CONTRACT = parse_contract(
    [
        {"match": "results/table.tsv", "release": "airlock", "rule": "SUM", "format": "tsv", "columns": ["n"],
            "counts": ["n"], "max_rows": 5, "unit": "person"},
        {"match": "calls/*", "release": "inside"},
    ]
)  # fmt: skip


def ask(source: Any, target: Any, **more: Any) -> dict[str, str]:
    return published({"source": source, "target": target, **more}, files=FILES, contract=CONTRACT)


def test_a_file_of_a_task_gets_the_contracts_path() -> None:
    asked = ask(f"/run/work/{MADE}/table.tsv", "/run/work/results/table.tsv")
    assert asked == {"results/table.tsv": f"{MADE}/table.tsv"}


def test_a_folder_is_published_with_what_is_in_it() -> None:
    assert ask(f"/run/work/{MADE}/more", "/run/work/calls/more") == {"calls/more/1.txt": f"{MADE}/more/1.txt"}


def test_what_stays_inside_may_be_renamed() -> None:
    assert ask(f"/run/work/{MADE}/secret.tsv", "/run/work/calls/new.tsv")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (f"/run/work/{MADE}/secret.tsv", "/run/work/results/table.tsv"),
        ("/run/work/inputs/calls/p1.vcf.gz", "/run/work/calls/p1.vcf.gz"),
        ("/run/work/results/earlier.txt", "/run/work/calls/earlier.txt"),
        ("/run/work/nowhere", "/run/work/calls/x"),
        (f"/run/work/{MADE}/table.tsv", "/run/work/inputs/calls/p1.vcf.gz"),
        (f"/run/work/{MADE}/table.tsv", f"/run/work/{MADE}/secret.tsv"),
        (f"/run/work/{MADE}/table.tsv", "/run/work/work"),
        (f"/run/work/{MADE}/table.tsv", "/tmp/out/table.tsv"),
        (f"/run/work/{MADE}/table.tsv", "/run/work/../x"),
        (f"/run/work/{MADE}/table.tsv", "/run/work/.nextflow/x"),
        (f"/run/work/{MADE}/table.tsv", "/run/work/a;id"),
        ("/etc/shadow", "/run/work/calls/x"),
        (None, None),
    ],
)
def test_t16_what_would_change_who_made_a_file_is_refused(source: Any, target: Any) -> None:
    with pytest.raises(StrongroomError):
        ask(source, target)


def test_no_other_field_is_known() -> None:
    with pytest.raises(StrongroomError):
        ask(f"/run/work/{MADE}/table.tsv", "/run/work/results/table.tsv", rule="SUM")
