"""A command that names its configuration or a global gets those of the file or module that its rule stands in."""

from pathlib import Path

from beside_bare import run_beside
from engine_room import Room

MODULE = """
WORD = "module"
import string
rule a:
    output: "results/a.txt"
    shell: "echo {config[letter]} {config[names][short]} {rule} > {output}"
rule names:
    output: "results/names.txt"
    shell: "echo {WORD} {config[letter]} {jobid} {string.digits} > {output}"
"""
SNAKEFILE = """
configfile: "config.yaml"
WORD = "main"
module counting:
    snakefile: "counting/Snakefile"
    config: config["counting"]
module again:
    snakefile: "counting/Snakefile"
    config: config["again"]
use rule * from counting as counting_*
use rule a from again as again_a with:
    output: "results/b.txt"
use rule counting_a as third with:
    output: "results/c.txt"
rule own:
    output: "results/own.txt"
    params: log="logs"
    shell: "echo {config[letter]} {config[names][short]} {config[letters]} {params.log} > {output}"
rule all:
    input: "results/a.txt", "results/b.txt", "results/c.txt", "results/own.txt", "results/names.txt"
    default_target: True
"""
CONFIG = """
letter: a
names: {short: A}
letters: [x, y]
counting: {letter: e, names: {short: E}}
again: {letter: o, names: {short: O}}
"""


def test_a_command_knows_what_its_own_file_knows(room: Room, tmp_path: Path) -> None:
    files = {"Snakefile": "import string\n" + SNAKEFILE, "counting/Snakefile": MODULE, "config.yaml": CONFIG}
    beside = run_beside(room, tmp_path, files)
    words = {path: text.split()[:3] for path, text in beside.made.items()}
    assert words == {
        "results/a.txt": ["e", "E", "counting_a"],
        "results/b.txt": ["o", "O", "again_a"],
        "results/c.txt": ["e", "E", "third"],
        "results/names.txt": ["module", "e", beside.made["results/names.txt"].split()[2]],
        "results/own.txt": ["a", "A", "x"],
    }
    drafted = beside.drafted["commands"]
    assert drafted["again_a"]["holes"] == {"config[letter]": {"enum": ["o"]}, "config[names][short]": {"enum": ["O"]}}
    assert {one.about for one in beside.found if one.code == "command-free"} == {"counting_names"}
    assert drafted["own"]["holes"] == {
        "params.log": {"enum": ["logs"]},
        "config[names][short]": {"enum": ["A"]},
        "config[letters]": {"enum": ["x y"]},
    }
