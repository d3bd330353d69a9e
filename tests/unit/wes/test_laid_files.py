"""Files of the vetted folder lie in the work folder as well, if they are plain texts with plain names."""

from pathlib import Path

import pytest

from strongroom.errors import BadRequest
from wes.laid import laid_files
from wes.stubs import missing, opened, write_stub


def test_files_that_the_manifest_names_are_laid(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/samples.tsv").write_text("a\tb\n")
    (tmp_path / "Snakefile").write_text("")
    assert laid_files(tmp_path, ["config/*.tsv"]) == {"config/samples.tsv": "a\tb\n"}
    assert laid_files(tmp_path, []) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a b.txt", b""),
        ("inputs/x.txt", b""),
        (".snakemake/x", b""),
        ("binary.bam", b"\xff\xfe"),
        ("large.txt", b"x" * ((1 << 20) + 1)),
    ],
)
def test_what_could_not_lie_there_is_told_to_vetters(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match=r"manifest\.yaml: work"):
        laid_files(tmp_path, ["*"])


def test_what_an_engine_removed_is_missing_and_links_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("")
    with opened(tmp_path / "tree") as tree:
        for path in ("kept", "gone", "a/kept", "b/gone", "linked"):
            write_stub(tree, path, size=1, mtime_ns=0)
        (tmp_path / "tree/gone").unlink()
        (tmp_path / "tree/b/gone").unlink()
        (tmp_path / "tree/b").rmdir()
        (tmp_path / "tree/linked").unlink()
        (tmp_path / "tree/linked").symlink_to(tmp_path / "outside/file")
        (tmp_path / "tree/l").symlink_to(tmp_path / "outside")
        stubs = {path: path for path in ("kept", "gone", "a/kept", "b/gone", "linked", "l/file")}
        assert missing(tree, stubs) == {"gone", "b/gone", "linked", "l/file"}
        assert missing(tree, {"a/one": "a", "b/one": "b"}) == {"b/one"}


def test_what_is_laid_has_its_content(tmp_path: Path) -> None:
    with opened(tmp_path) as tree:
        write_stub(tree, "a/b", size=0, mtime_ns=5_000_000_000, content=b"text")
    assert (tmp_path / "a/b").read_bytes() == b"text"
