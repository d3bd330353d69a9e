"""Rules of modules and `use rule … with` run by their draft to bare Snakemake's files, under their own names."""

import subprocess
from pathlib import Path

import pytest
import yaml
from engine_room import PYTHON, Room
from test_what_is_sent_is_bound import sent

from strongroom.cli import vet
from strongroom.settings import Settings
from wes.bound import CommandRefused, asked_of, check_command
from wes.commands import parse_commands
from wes.engines.snakemake import written
from wes.lint import lint
from wes.lint_table import TABLE, Severity
from wes.manifest import check_parameters, parse_manifest
from wes.outlining import outline

SETTINGS = Settings()
FILES = {
    "config.yaml": "least: 2\ncounting: {letter: e, names: {short: a}}\nagain: {letter: o, names: {short: b}}\n",
    "words.txt": "one\ntwo\nthree\n",
    "counting/Snakefile": """
include: "more.smk"
rule grep:
    input: "words.txt"
    output: "results/" + config["letter"] + ".txt"
    params: letter=config["letter"], also=config["names"]["short"]
    shell: "(grep {params.letter} {input}; echo {params.also}) > {output}"
rule never:
    output: "results/never.txt"
    shell: "echo never > {output}"
""",
    "counting/told.py": "with open(snakemake.output[0], 'w') as told:\n"
    "    told.write(f\"{snakemake.config['letter']} {snakemake.params.times}\")\n",
    "counting/more.smk": """
rule tell:
    input: "results/count.txt"
    output: "results/told.txt"
    params: times=3
    script: "told.py"
rule count:
    input: "words.txt"
    output: "results/count.txt"
    params: "l", least=1, word="lines"
    shell: "echo {params.word} $(wc -{params[0]} < {input}) {params.least} > {output}"
""",
}
SNAKEFILE = """
configfile: "config.yaml"
module counting:
    snakefile: "counting/Snakefile"
    config: config["counting"]
module again:
    snakefile: "counting/Snakefile"
    config: config["again"]
use rule * from counting exclude never as counting_*
use rule count from counting as counting_count with:
    output: "results/counted.txt"
    params: word="words", least=config["least"]
use rule grep from again
use rule tell from counting as counting_tell with:
    input: "results/counted.txt"
    output: "results/told.txt"
rule join:
    input: "results/told.txt", rules.counting_grep.output, "results/counted.txt"
    output: "results/joined.txt"
    shell: "cat {input} > {output}"
use rule join as join_again with:
    input: "results/joined.txt", "results/o.txt"
    output: "results/again.txt"
rule all:
    input: "results/again.txt"
    default_target: True
"""
RULES = {"counting_grep", "counting_tell", "counting_count", "grep", "join", "join_again"}


def test_rules_that_are_used_again_run_by_their_draft(room: Room, tmp_path: Path) -> None:
    for path, text in FILES.items():
        (room.flow / path).parent.mkdir(parents=True, exist_ok=True)
        (room.flow / path).write_text(text)
    (room.flow / "Snakefile").write_text('container: "genomics"\n' + SNAKEFILE)
    vet.draft(SETTINGS, room.flow, tmp_path / "manifest.yaml", versions={"snakemake": "9.27.1"})
    drafted = yaml.safe_load((tmp_path / "manifest.yaml").read_text())
    assert set(drafted["commands"]) == RULES
    manifest = parse_manifest(yaml.safe_dump(drafted))
    found = lint(outline(SETTINGS, room.flow, engine="snakemake", entry="Snakefile"), manifest, {"genomics": "x"})
    assert [one for one in found if TABLE[one.code].severity is Severity.ERROR] == []
    assert not {"rule-reused", "command-free"} & {one.code for one in found}

    for tree in (room.view, room.plain):
        (tree / "config.yaml").write_text(FILES["config.yaml"])
    room.give("words.txt", FILES["words.txt"])
    given = check_parameters(manifest, {})
    (room.flow / "given.yaml").write_text(yaml.safe_dump(given))
    outcome = room.run(SNAKEFILE, "--configfile", str(room.flow / "given.yaml"))
    assert outcome.code == 0, outcome.text

    bare = tmp_path / "bare"
    bare.mkdir()
    for path in ("config.yaml", "words.txt"):
        (bare / path).write_text(FILES[path])
    words = [str(PYTHON), "-m", "snakemake", "-s", str(room.flow / "Snakefile"), "-d", str(bare), "--cores", "2"]
    subprocess.run(words, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": str(bare)})
    made = {path.name: path.read_bytes() for path in (bare / "results").iterdir()}
    assert set(made) == {"told.txt", "e.txt", "o.txt", "counted.txt", "joined.txt", "again.txt"}
    assert {name: (room.plain / "results" / name).read_bytes() for name in made} == made

    jobs = sent(room)
    assert {job["tags"]["rule"] for job in jobs} == RULES
    commands = drafted["commands"]
    for job in jobs:
        asked = asked_of(job["tags"]["rule"], job)
        check_command(parse_commands(commands), asked, config=given, written=written(SETTINGS))
    # A module's script is told that module's part of the configuration and no other.
    told = commands["counting_tell"]
    assert (told["config"], told["holes"]["config.letter"]) == ("counting", {"enum": ["e"]})
    asked = next(asked_of("counting_tell", job) for job in jobs if job["tags"]["rule"] == "counting_tell")
    for other in (
        {"config": "again"},
        {"config": ""},
        {"holes": {**told["holes"], "config.letter": {"enum": ["o"]}}},
    ):
        allowed = parse_commands({"counting_tell": {**told, **other}})
        config = {**given, "again": {"letter": "o"}}
        with pytest.raises(CommandRefused):
            check_command(allowed, asked, config=config, written=written(SETTINGS))
