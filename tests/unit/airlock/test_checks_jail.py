"""The jail's door: one request in, one bounded answer out, whatever the file does."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from airlock.checks import jail
from airlock.checks.answer import MAX_ANSWER
from airlock.checks.codes import Code
from airlock.checks.promise import Column, Kind, Promise, Promised
from airlock.checks.texts import TEXTS
from airlock.checks.thresholds import Policy
from archive.labels import digest

PROMISE = Promise(
    Promised.TSV, columns=(Column("band", Kind.KEY, pattern="[a-z]{1,5}"), Column("cases", Kind.COUNT)), max_rows=50
)
TABLE = "band\tcases\nb\t90\na\t50\n"
CLEAN = "band\tcases\na\t50\nb\t90\n"


def ask(work: Path, content: bytes | str, **request: Any) -> dict[str, Any]:
    """Run the jail in `work` as the sandbox would and return its answer."""
    (work / "subject").write_bytes(content.encode() if isinstance(content, str) else content)
    whole = {
        "kind": "check",
        "file": str(work / "subject"),
        "name": "results/x.tsv",
        "rule": PROMISE.as_json(),
        "policy": Policy(version=3).as_json(),
        "supporting": {},
    } | request
    (work / "request.json").write_text(json.dumps(whole), encoding="utf-8")
    jail.main(work)
    raw = (work / "answer.json").read_bytes()
    assert len(raw) <= MAX_ANSWER
    answer = json.loads(raw)
    assert isinstance(answer, dict)
    return answer


def test_repack_then_check_then_view(tmp_path: Path) -> None:
    answer = ask(tmp_path, TABLE, kind="repack")
    assert (answer["clean"], answer["verdict"], answer["policy_version"]) == (True, "pass", 3)
    clean = (tmp_path / "clean").read_bytes()
    assert clean == CLEAN.encode()
    answer = ask(tmp_path, clean)
    assert (answer["verdict"], answer["findings"], answer["complete"]) == ("pass", [], True)
    assert answer["facts"] == {"bytes": len(clean), "rows": 2, "columns": 2}
    answer = ask(tmp_path, clean, kind="view")
    assert answer["view"] == {
        "kind": "table",
        "columns": ["band", "cases"],
        "rows": [["a", "50"], ["b", "90"]],
        "first": 1,
        "total_rows": 2,
        "truncated": False,
    }


def test_t13_a_file_that_is_not_our_own_copy_is_blocked(tmp_path: Path) -> None:
    answer = ask(tmp_path, TABLE)
    assert [(finding["code"], answer["verdict"]) for finding in answer["findings"]] == [("not-our-copy", "block")]
    assert ask(tmp_path, TABLE, raw=True)["verdict"] == "pass"
    sneaky = gzip.compress(CLEAN.encode())
    assert ask(tmp_path, sneaky, name="results/x.tsv.gz")["verdict"] == "block"


def test_t27_an_answer_never_quotes_the_file(tmp_path: Path) -> None:
    secret = "canaryword"
    rows = "".join(f"{secret}{n}\t{n % 4}\t{secret}@example.org\n" for n in range(3000))
    for kind in ("check", "repack"):
        answer = ask(tmp_path, f"{secret}\tcases\tx\n{rows}", kind=kind, rule=None, name=f"{secret}.tsv")
        assert secret not in json.dumps(answer)
        assert answer["verdict"] == "block"
        for finding in answer["findings"]:
            text = TEXTS[Code(finding["code"])]
            assert (finding["reason"], finding["cure"]) == (text.reason, text.cure)
            assert set(finding) == {"code", "severity", "about", "place", "reason", "cure"}
            assert all(type(number) is int for number in finding["place"].values())


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "release"},
        {"extra": 1},
        {"rule": {"format": "tsv"}},
        {"rule": PROMISE.as_json() | {"format": "bam"}},
        {"rule": PROMISE.as_json() | {"laxer": True}},
        {"policy": {}},
        {"policy": {"version": 1, "min_cuont": 1}},
        {"policy": {"version": 1, "min_count": 0.5}},
        {"supporting": {str(n): "/x" for n in range(50)}},
        {"name": ""},
    ],
)
def test_a_request_that_is_not_ours_blocks(tmp_path: Path, change: dict[str, Any]) -> None:
    answer = ask(tmp_path, CLEAN, **change)
    assert (answer["verdict"], answer["complete"]) == ("block", False)
    assert [finding["code"] for finding in answer["findings"]] == ["inspection-failed"]


def test_no_request_is_an_answer_that_blocks(tmp_path: Path) -> None:
    jail.main(tmp_path)
    assert json.loads((tmp_path / "answer.json").read_bytes())["verdict"] == "block"


@pytest.mark.parametrize("special", ["symlink", "folder", "pipe", "hard link", "missing"])
def test_only_a_regular_file_with_one_name_is_opened(tmp_path: Path, special: str) -> None:
    target = tmp_path / "target"
    match special:
        case "symlink":
            (tmp_path / "real").write_text(CLEAN, encoding="utf-8")
            target.symlink_to(tmp_path / "real")
        case "folder":
            target.mkdir()
        case "pipe":
            os.mkfifo(target)
        case "hard link":
            (tmp_path / "real").write_text(CLEAN, encoding="utf-8")
            os.link(tmp_path / "real", target)
        case _:
            assert special == "missing"
    for kind in ("check", "repack", "view"):
        answer = ask(tmp_path, CLEAN, kind=kind, file=str(target))
        assert [finding["code"] for finding in answer["findings"]] == ["special-file"]
        assert answer["verdict"] == "block"


def test_a_gzip_bomb_is_stopped_at_the_budget(tmp_path: Path) -> None:
    policy = Policy(version=1, max_unpacked_bytes=2**20).as_json()
    answer = ask(tmp_path, gzip.compress(bytes(2**24)), name="results/x.tsv.gz", policy=policy)
    assert [finding["code"] for finding in answer["findings"]] == ["too-large"]


@pytest.mark.parametrize("kept", range(2, 11))
def test_a_gzip_member_that_breaks_off_in_its_header_is_refused(tmp_path: Path, kept: int) -> None:
    whole = gzip.compress(b"##fileformat=VCFv4.2\n")
    answer = ask(tmp_path, whole[:kept], name="results/af.vcf.gz")
    assert [finding["code"] for finding in answer["findings"]] == ["inspection-failed"]
    assert answer["verdict"] == "block"


def test_a_member_of_a_zip_without_a_name_is_found(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("QQ.csv", "a,n\nx,50\n")
    answer = ask(tmp_path, packed.getvalue().replace(b"QQ", b"\0Q"), name="results/x.zip", rule=None, raw=True)
    assert "archive-path" in {finding["code"] for finding in answer["findings"]}
    assert answer["verdict"] == "block"


def test_bytes_behind_a_gzip_member_are_found(tmp_path: Path) -> None:
    answer = ask(tmp_path, gzip.compress(CLEAN.encode()) + b"rows", name="results/x.tsv.gz")
    assert [finding["code"] for finding in answer["findings"]] == ["trailing-bytes"]


def test_a_view_is_bounded_and_inert(tmp_path: Path) -> None:
    rows = "".join(f"a\x1b[2J\u202e{'x' * 500}\t{n}\n" for n in range(400))
    answer = ask(tmp_path, "band\tcases\n" + rows, kind="view", rule=None)
    view = answer["view"]
    assert view["truncated"]
    assert (len(view["rows"]), view["total_rows"]) == (200, 400)
    assert view["rows"][0][0].startswith("a\\u001b[2J\\u202ex")
    assert all(len(cell) <= 500 for row in view["rows"] for cell in row)


@pytest.mark.parametrize(
    ("rows", "first", "drawn"),
    [([1, 200], "1", 200), ([301, 200], "301", 100), ([401, 5], "", 0), ([2, 2000], "2", 399)],
)
def test_a_view_draws_the_rows_that_are_asked_for(tmp_path: Path, rows: list[int], first: str, drawn: int) -> None:
    table = "band\tcases\n" + "".join(f"a\t{n}\n" for n in range(1, 401))
    view = ask(tmp_path, table, kind="view", rule=None, rows=rows)["view"]
    assert (view["first"], len(view["rows"]), view["total_rows"]) == (rows[0], drawn, 400)
    assert "".join(cells[1] for cells in view["rows"][:1]) == first
    assert view["truncated"] is (drawn < 400)


@pytest.mark.parametrize("rows", [[0, 200], [1, 2001], [1, 0], ["1", 2], [1]])
def test_a_window_beyond_its_bounds_is_refused(tmp_path: Path, rows: list[object]) -> None:
    answer = ask(tmp_path, CLEAN, kind="view", rows=rows)
    assert [finding["code"] for finding in answer["findings"]] == ["inspection-failed"]


def test_a_view_of_sites_shows_no_sample_and_the_shape_of_frequencies(tmp_path: Path) -> None:
    text = (
        "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA00007\n"
        "1\t5\t.\tA\tG\t.\tPASS\tAC=11;AN=44\tGT\t0/1\n"
    )
    view = ask(tmp_path, text, kind="view", rule=None, name="x.vcf")["view"]
    assert view["rows"] == [["1", "5", ".", "A", "G", "PASS", "11", "44"]]
    assert view["sample_columns"] == 1
    assert view["frequency_histogram"] == [int(place == 5) for place in range(20)]
    assert "NA00007" not in json.dumps(view)


def test_a_large_picture_is_shown_small(tmp_path: Path) -> None:
    noise = Image.frombytes("RGB", (900, 900), os.urandom(900 * 900 * 3))
    noise.save(tmp_path / "noise.png")
    answer = ask(tmp_path, (tmp_path / "noise.png").read_bytes(), kind="view", rule=None, name="x.png")
    assert answer["view"]["kind"] == "image"
    assert answer["view"]["width"] < 900


def test_what_no_reader_knows_is_never_shown(tmp_path: Path) -> None:
    answer = ask(tmp_path, b"\x7fELF" + bytes(200), kind="view", rule=None)
    assert (answer["view"], answer["verdict"]) == (None, "block")


def test_the_package_runs_alone_from_another_folder(tmp_path: Path) -> None:
    here = Path(jail.__file__).parent
    shutil.copytree(here, tmp_path / "mount" / "checks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "subject").write_text(TABLE, encoding="utf-8")
    request = {
        "kind": "repack",
        "file": str(tmp_path / "subject"),
        "name": "results/x.tsv",
        "rule": PROMISE.as_json(),
        "policy": {"version": 1},
        "supporting": {},
    }
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    code = (
        f"import sys, pathlib; sys.path.insert(0, {str(tmp_path / 'mount')!r}); from checks.jail import main; "
        f"main(pathlib.Path({str(tmp_path)!r})); "
        "assert not {name.partition('.')[0] for name in sys.modules} & {'airlock', 'strongroom', 'cryptography'}"
    )
    subprocess.run([sys.executable, "-I", "-B", "-c", code], check=True, timeout=60)
    assert (tmp_path / "clean").read_text(encoding="utf-8") == CLEAN


def test_members_of_a_list_are_told_as_bits_and_never_by_their_labels(tmp_path: Path) -> None:
    people = [f"NA{n:05}" for n in range(20)]
    key = bytes(range(32))
    digests = sorted((digest(one, key), one) for one in people)
    question: dict[str, Any] = {"kind": "members", "rule": None}
    question["people"] = {"key": key.hex(), "digests": b"".join(one for one, _ in digests).hex()}
    chosen = set(people[3:9])
    answer = ask(tmp_path, "\r\n".join([*chosen, "", people[3], " " + people[4]]) + "\n", **question)
    bits = bytes.fromhex(answer["members"])
    assert {one for at, (_, one) in enumerate(digests) if bits[at // 8] >> at % 8 & 1} == chosen
    assert "NA0" not in json.dumps(answer)
    for content in ("", "\n\n", "NA00001\nsomebody", "na00001", b"\xff\xfe\x00", b"NA00001,NA00002"):
        assert ask(tmp_path, content, **question)["members"] is None
    assert ask(tmp_path, b"NA00001\n" * 2**20 + b"\n" * 2**20, **question)["verdict"] == "block"
