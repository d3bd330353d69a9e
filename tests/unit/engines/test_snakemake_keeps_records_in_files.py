"""Snakemake's records are the same without what would keep them in a database, and workflows may load that."""

import json
import os
import subprocess

from engine_room import PYTHON, REPO, Room

RECORD = """
import json, sys
if sys.argv[1] == "ours":
    from strongroom_engine import records
    records.in_files()
from snakemake.persistence import MetadataRecord
import snakemake.cli
told = dict(rule="a", input=["b"], code="c", params=["1", None], input_checksums={"b": "x"}, starttime=1.5, unknown=3)
record = MetadataRecord(**told)
record.incomplete = True
again = MetadataRecord.model_validate(json.loads(json.dumps(record.model_dump())))
fields = {name: [str(one.annotation), str(one.get_default(call_default_factory=True))]
          for name, one in MetadataRecord.model_fields.items()}
print(json.dumps([record.model_dump(), again["rule"], sorted(again.keys()), again == record, fields]))
"""


def test_a_record_is_the_same(room: Room) -> None:
    words = [str(PYTHON), "-c", RECORD]
    env = {"PYTHONPATH": os.fspath(REPO / "engines/snakemake"), "HOME": str(room.view)}
    ours, bare = (
        subprocess.run([*words, who], env=env, check=True, capture_output=True, text=True, timeout=60).stdout
        for who in ("ours", "bare")
    )
    assert json.loads(ours) == json.loads(bare)
    assert json.loads(ours)[0]["incomplete"] is True


def test_a_workflow_may_import_what_snakemake_goes_without(room: Room) -> None:
    outcome = room.run(
        """
from sqlalchemy import JSON, Column, create_engine
from sqlmodel import SQLModel

rule all:
    output: "done.txt"
    params: table=create_engine("sqlite://").dialect.name + SQLModel.__name__ + Column("x", JSON).name
    shell: "echo {params.table} > {output}"
"""
    )
    assert outcome.code == 0, outcome.text
    assert (room.plain / "done.txt").read_text() == "sqliteSQLModelx\n"


def test_what_was_done_is_known_to_the_next_launch(room: Room) -> None:
    flow = 'rule all:\n    output: "done.txt"\n    shell: "echo done > {output}"\n'
    assert room.run(flow).code == 0
    again = room.run(flow)
    assert again.code == 0, again.text
    assert "Nothing to be done" in again.text
    assert len(room.gateway.bodies) == 1
