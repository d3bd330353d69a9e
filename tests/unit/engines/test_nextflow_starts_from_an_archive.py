"""Java takes Nextflow's classes from the archive made with the jars, and does without where it does not fit."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_nextflow_plugin import PLUGIN

from strongroom.settings import Settings
from wes.engines import nextflow
from wes.outlining import JAVA
from wes.reading import copied, read_inside

SETTINGS = Settings()
ARCHIVED = "source: shared objects file (top)"
Seen = Sequence[tuple[Path, str]]


def printed(*flags: str, seen: Seen) -> str:
    """Return what Java prints in the walls of vetting: the outline of a workflow, and what a flag asks for."""
    with copied(SETTINGS, PLUGIN / "rehearsal") as top:
        words = [str(nextflow.JAVA.resolve()), *JAVA, *flags, nextflow.CLASSES, "strongroom.outline.Outline"]
        return read_inside(SETTINGS, top, [*words, "/run/workflow", "main.nf"], environment={}, engine=seen).decode()


def test_most_classes_come_from_the_archive() -> None:
    loaded = printed("-Xlog:class+load:stdout", seen=nextflow.jars(SETTINGS)).splitlines()
    assert len([line for line in loaded if ARCHIVED in line]) > 1000
    assert len([line for line in loaded if "source: jar:" in line or "source: file:/opt/engine" in line]) < 100


@pytest.mark.parametrize("broken", ["times", "bytes", "gone"])
def test_an_archive_that_does_not_fit_changes_nothing(tmp_path: Path, broken: str) -> None:
    copies = {place: tmp_path / Path(place).name for place in ("/opt/engine", "/opt/classes")}
    own = nextflow.jars(SETTINGS)
    for source, place in own[:2]:
        shutil.copytree(source, copies[place])
    archive = copies["/opt/classes"] / "archive.jsa"
    match broken:
        case "times":
            next(copies["/opt/engine"].glob("groovy-4*.jar")).touch()
        case "bytes":
            archive.chmod(0o644)
            archive.write_bytes(bytes(4096) + archive.read_bytes()[4096:])
        case "gone":
            archive.unlink()
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o755)
    seen = [*((copy, place) for place, copy in copies.items()), *own[2:]]
    assert ARCHIVED not in printed("-Xlog:class+load:stdout", seen=seen)
    assert json.loads(printed(seen=seen)) == json.loads(printed(seen=own)), "and Java says no word of it"
