"""What the airlock asks and what the real jail answers fit together: the jail's own code, run as in its walls."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airlock_scene import CONTRACT, PNG, TSV, VCF, WITH_MEMBERS, Scene
from jail_scene import jailed
from PIL import Image

from airlock import answers, inspections, members
from airlock.checks.fixes import Fix, FixKind, promise_after
from airlock.checks.promise import parse_promise
from airlock.cohorts import cohorts_of
from airlock.inspections import Inspection
from airlock.policy import FLOOR
from strongroom.database import reading

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def a_picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (20, 90, 160)).save(out, "PNG")
    return out.getvalue()


CONTENT = {
    TSV: b"band\tn\n18-39\t12\n40-59\t40\n",
    PNG: a_picture(),
    VCF: (HEADER + "chr22\t100\t.\tA\tG\t.\tPASS\tAC=10;AN=44;AF=0.227\n").encode(),
}


@pytest.fixture
def stage() -> Iterator[Scene]:
    with jailed() as one:
        yield one


def question(stage: Scene, kind: Any, path: str, made: str, **supporting: str) -> Inspection:
    rule = CONTRACT.rule_for(path)
    assert rule is not None
    return Inspection(
        kind=kind,
        run="0" * 32,
        project="cohort",
        person="ruth",
        object=made,
        name=path,
        promise=rule.as_request(),
        policy=FLOOR.as_json(),
        supporting=supporting,
    )


def test_every_format_goes_through_copy_check_and_view(stage: Scene) -> None:
    folder = stage.settings.home / "jail"
    clean: dict[str, str] = {}
    for n, (path, content) in enumerate(CONTENT.items()):
        source = "d" * 31 + str(n)
        (folder / source).write_bytes(content)
        answer, copy = inspections.repack(question(stage, "repack", path, source), stage.settings)
        assert copy is not None, answers.stored(answer)
        clean[path] = copy.object
    for path, made in clean.items():
        supporting = {TSV: clean[TSV]} if path == PNG else {}
        check = question(stage, "check", path, made)
        checked = inspections.inspect(Inspection(**{**vars(check), "supporting": supporting}), stage.settings)
        assert answers.stored(checked) == [], path
        shown = inspections.inspect(question(stage, "view", path, made), stage.settings)
        assert shown.view is not None
        assert shown.view.kind == {TSV: "table", PNG: "image", VCF: "vcf"}[path]


def test_a_fixed_copy_keeps_a_promise_of_its_own(stage: Scene) -> None:
    (stage.settings.home / "jail" / ("d" * 32)).write_bytes(b"band\tn\n18-39\t3\n40-59\t40\n")
    plain = question(stage, "repack", TSV, "d" * 32)
    fixes = (Fix(FixKind.MERGE_BANDS, "band"),)
    _, copy = inspections.repack(plain, stage.settings)
    assert copy is not None
    checked = inspections.inspect(question(stage, "check", TSV, copy.object), stage.settings)
    assert [f["code"] for f in answers.stored(checked)] == ["small-count"]
    _, copy = inspections.repack(replace(plain, fixes=tuple(fix.as_json() for fix in fixes)), stage.settings)
    assert copy is not None
    assert (stage.settings.home / "jail" / copy.object).read_bytes() == b"band\tn\n18-59\t43\n"
    promise = promise_after(parse_promise(plain.promise), fixes).as_json()
    check = replace(question(stage, "check", TSV, copy.object), promise=promise)
    assert answers.stored(inspections.inspect(check, stage.settings)) == []


def test_a_picture_without_its_numbers_is_blocked(stage: Scene) -> None:
    (stage.settings.home / "jail" / ("d" * 32)).write_bytes(CONTENT[PNG])
    _, copy = inspections.repack(question(stage, "repack", PNG, "d" * 32), stage.settings)
    assert copy is not None
    checked = inspections.inspect(question(stage, "check", PNG, copy.object), stage.settings)
    assert [f["code"] for f in answers.stored(checked)] == ["contract-numbers-missing"]


def test_genotypes_get_no_clean_copy(stage: Scene) -> None:
    one_person = HEADER.replace("INFO\n", "INFO\tFORMAT\tNA18507\n") + "chr22\t1\t.\tA\tG\t.\t.\tAC=1;AN=2\tGT\t0/1\n"
    (stage.settings.home / "jail" / ("d" * 32)).write_text(one_person)
    answer, copy = inspections.repack(question(stage, "repack", VCF, "d" * 32), stage.settings)
    if copy is not None:
        # A copy without the person may be made; the counts behind it still block.
        assert b"NA18507" not in (stage.settings.home / "jail" / copy.object).read_bytes()
        answer = inspections.inspect(question(stage, "check", VCF, copy.object), stage.settings)
    assert answer.verdict.value == "block"


def test_a_list_of_members_becomes_the_brokers_names_of_those_in_it(stage: Scene) -> None:
    people = stage.broker.persons[10:43]
    run = stage.complete_run({TSV: "count"}, contract=WITH_MEMBERS, members=people, taken=False)
    (source,) = stage.inspector.lists
    (stage.settings.home / "jail" / source).write_text("\n".join(people))
    members.read(stage.context, replace(question(stage, "check", TSV, "0" * 32), run=run))
    with reading(stage.engine) as session:
        (cohort,) = cohorts_of(session, run)
    names = sorted(hashlib.sha256(one.encode()).digest()[:8] for one in people)
    assert (cohort.was_read, cohort.members) == (True, b"".join(names))
