"""What our plug-in sends for an honest workflow is an instance of its draft: real Snakemake, real rules."""

import json
from typing import Any

import pytest
import yaml
from engine_room import REPO, Room

from strongroom.settings import Settings
from wes import outlining
from wes.bound import CommandRefused, asked_of, check_command
from wes.commands import Commands, parse_commands
from wes.drafts import draft_commands
from wes.engines.snakemake import written
from wes.rules import WORK, WORKFLOW

SETTINGS = Settings()
CONFIG = {"label": "it", "policy": {"min_count": 5}, "inputs": {"calls": ["inputs/calls/a.txt"]}}
WORKFLOW_TEXT = """
rule all:
    input: "timed.txt", "script.txt", "wrapper.txt", "second.txt", "shadow.txt", "folder.txt"
rule timed:
    input: config["inputs"]["calls"]
    output: "timed.txt"
    params: label=config["label"]
    benchmark: repeat("timed.tsv", 2)
    log: "timed.log"
    shell: "echo {params.label:q} {threads} > {output} 2> {log}; cat {input} >> {output}"
rule script:
    output: "script.txt"
    params: k=config["policy"]["min_count"], words=["a", "b"]
    benchmark: "script.tsv"
    script: "scripts/x.py"
rule wrapper:
    output: "wrapper.txt"
    params: extra="-x"
    wrapper: "v1.0/bio/word"
rule first:
    output: temp("first.txt")
    group: "pair"
    shell: "echo > {output}"
rule second:
    input: "first.txt"
    output: "second.txt", touch("flag")
    group: "pair"
    shell: "cp {input} {output[0]}"
rule shadow:
    output: "shadow.txt"
    shadow: "minimal"
    shell: "echo {rule} > {output}"
rule folder:
    input: workflow.source_path("resources/x.txt")
    output: "folder.txt"
    shell: "cp {input} {output}"
"""


def sent(room: Room) -> list[dict[str, Any]]:
    """Return the jobs that were asked for, with the paths that an engine has in its walls."""
    text = json.dumps(room.gateway.bodies)
    found = (
        text.replace(f"{room.view}/", WORK).replace(f"{room.flow}/", WORKFLOW).replace(str(room.flow), WORKFLOW[:-1])
    )
    jobs: list[dict[str, Any]] = json.loads(found)
    return jobs


def check(commands: Commands, job: dict[str, Any]) -> None:
    asked = asked_of(job["tags"]["rule"], job)
    check_command(commands, asked, config=CONFIG, written=written(SETTINGS))


def test_every_job_of_a_bound_workflow_is_an_instance_of_its_draft(room: Room) -> None:
    for path, text in {
        "scripts/x.py": "open(snakemake.output[0], 'w').write(str(snakemake.params.k))\n",
        "wrappers/v1.0/bio/word/wrapper.py": "open(snakemake.output[0], 'w').write(snakemake.params.extra)\n",
        "wrappers/v1.0/bio/word/environment.yaml": "dependencies: []\n",
        "resources/x.txt": "of the folder\n",
    }.items():
        (room.flow / path).parent.mkdir(parents=True, exist_ok=True)
        (room.flow / path).write_text(text)
    room.give("inputs/calls/a.txt", "a\n")
    (room.flow / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    outcome = room.run(
        WORKFLOW_TEXT,
        *("--configfile", str(room.flow / "config.yaml")),
        *("--wrapper-prefix", f"file://{room.flow}/wrappers/"),
    )
    assert outcome.code == 0, outcome.text
    drafted = draft_commands(outlining.outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile"))
    assert {"free": True} not in drafted.values()
    jobs = sent(room)
    assert {job["tags"]["rule"] for job in jobs} == set(drafted)
    for job in jobs:
        check(parse_commands(drafted), job)
    # Without its word in the manifest, no job is measured.
    for job in jobs:
        if "benchmark" in job["executors"][0]["command"]:
            said = {key: value for key, value in drafted[job["tags"]["rule"]].items() if key != "benchmark"}
            with pytest.raises(CommandRefused):
                check(parse_commands({job["tags"]["rule"]: said}), job)
    assert sum("benchmark" in job["executors"][0]["command"] for job in jobs) == 2


def test_gateways_compare_with_the_plug_in_that_engines_load() -> None:
    assert SETTINGS.wes.plugins == REPO / "engines/snakemake"
