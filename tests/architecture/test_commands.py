"""The commands that the papers tell people to type exist, with the options that they name."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from codebase import ROOT, files

FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|\$\()(strongroom [^\n#)]+)", re.MULTILINE)
TARGET = re.compile(r"^make ([a-z]+)", re.MULTILINE)


def papers() -> list[Path]:
    """Return the papers that people follow."""
    return [path for path in files() if path.suffix == ".md" and (len(path.parts) == 1 or path.parts[0] == "docs")]


def typed(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    """Yield each command in a fenced block: where, and what is typed."""
    for path in papers():
        for block in FENCE.findall((ROOT / path).read_text()):
            for command in pattern.findall(block.replace("\\\n", " ")):
                yield path, command


def test_the_commands_exist() -> None:
    from strongroom.cli.verbs import app

    found, command = list(typed(COMMAND)), typer.main.get_command(app)
    assert found
    assert not [f"{path}: {said}" for path, said in found if not _exists(command, shlex.split(said)[1:])]


def _exists(command: Any, words: list[str]) -> bool:
    while (verbs := getattr(command, "commands", None)) is not None:
        if not words or words[0] not in verbs:
            return not words
        command, words = verbs[words[0]], words[1:]
    options = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
    return {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"} <= options


@pytest.mark.parametrize("target", ["demo", "test", "check", "bench", "serve", "docs", "clean", "setup"])
def test_a_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:.*## .+$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_targets_that_papers_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert not [f"{p}: make {t}" for p, t in typed(TARGET) if not re.search(rf"^{t}:", makefile, re.MULTILINE)]
