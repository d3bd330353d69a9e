"""Decides whether the command that an engine asks for is one that the vetters signed for its rule (T18)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from strongroom.errors import NotAllowed
from wes import rules
from wes.commands import SCRIPT, Commands, Free, Part, ScriptCall, Shell
from wes.manifest import Manifest
from wes.matching import Known, TooIntricate, is_instance, stands_in
from wes.rules import SCRIPTS, WORK, WORKFLOW, Held, Job
from wes.script_calls import may_call

# What Snakemake puts before and behind a rule's text; a workflow that sets another prefix is refused.
STRICT = "set -euo pipefail;  "
_TIMES = re.compile(r"[1-9][0-9]{0,3}")

VALUES = (
    ": if a value was put in it, that fits no hole: a wildcard there has at most 200 letters and digits of ASCII "
    "and . _ + = , - /, no hyphen first and no two dots, a number has digits, and a parameter is as the run gave it: "
    "give another value, or ask a vetter to type the hole otherwise"
)


class CommandRefused(NotAllowed):
    """The command is not one that the vetters signed."""

    def __init__(self, rule: str, *, detail: str, why: str = "") -> None:
        self.rule = rule
        super().__init__(
            f"executors[0].command: not a command that the vetters signed for this rule{why}; "
            "`strongroom workflow vet --draft` writes what a manifest says of commands.",
            detail=detail,
        )


@dataclass(frozen=True)
class Written:
    """What our plug-in writes round a rule's own command."""

    call: str  # before the facts of a script
    benchmark: str  # what measures a command


@dataclass(frozen=True)
class Asked:
    """A job as its engine asked for it, of well-formed fields."""

    rule: str
    command: tuple[str, ...]
    contents: Mapping[str, str]  # the engine's own files, by path
    inputs: frozenset[str]  # as the engine writes them: /run/work/x
    outputs: frozenset[str]


def job_of(
    asked: Mapping[str, Any],
    *,
    run: str,
    images: Mapping[str, str],
    files: Mapping[str, Held],
    manifest: Manifest,
    config: Mapping[str, Any],
    written: Written,
) -> Job:
    """Return the job that `asked` describes, if its command is what the vetters signed; see `wes.rules.job_of`."""
    job = rules.job_of(asked, run=run, images=images, files=files, lists=manifest.glimpses.lists)
    if job.rule in manifest.remote:
        return job  # what another site runs is bound by its own profile
    check_command(manifest.commands, asked_of(job.rule, asked), config=config, written=written)
    return replace(job, free=isinstance(manifest.commands.of(job.rule), Free))


def asked_of(rule: str, raw: Mapping[str, Any]) -> Asked:
    """Return what `wes.rules.job_of` found to be well formed."""
    inputs = raw.get("inputs") or []
    return Asked(
        rule,
        tuple(raw["executors"][0]["command"]),
        {one["path"]: str(one["content"]) for one in inputs if "content" in one},
        frozenset(one["path"] for one in inputs if "content" not in one),
        frozenset([*(one["path"] for one in raw.get("outputs") or []), *(raw.get("touch") or [])]),
    )


def check_command(commands: Commands, asked: Asked, *, config: Mapping[str, Any], written: Written) -> None:
    """Raise `CommandRefused` unless the command is an instance of what the manifest says of the rule.

    `config` is the run's checked parameters.
    """
    command = commands.of(asked.rule)
    known = Known(_spelled(asked.inputs), _spelled(asked.outputs), config)
    try:
        match command:
            case None:
                raise CommandRefused(asked.rule, detail="a rule that the manifest does not name")
            case Free():
                return
            case Shell():
                own = _own(command, asked, known, written)
                admitted = any(_is_shell(parts, own, known) for parts in variants(command.parts))
            case ScriptCall():
                own = _own(command, asked, known, written)
                admitted = may_call(
                    command, own.rule, own.command, own.contents, known,
                    call=written.call, measured=own.command != asked.command,
                )  # fmt: skip
            case _:
                assert_never(command)
    except TooIntricate as error:
        raise CommandRefused(asked.rule, detail="a command that takes too many steps to compare") from error
    if not admitted and isinstance(command, Shell) and _is_but_for_values(command, own):
        raise CommandRefused(asked.rule, detail="a command whose values fit no hole of the rule's", why=VALUES)
    if not admitted:
        raise CommandRefused(asked.rule, detail="a command that is no instance of the rule's")


def _is_but_for_values(command: Shell, asked: Asked) -> bool:
    """Return whether the command would be the rule's if any text could stand in its holes."""
    text = "".join([*asked.contents.values(), *asked.command[-1:]][:1])
    return any(stands_in(text.rstrip("\n"), _literals((STRICT, *parts))) for parts in variants(command.parts))


def _literals(parts: tuple[Part, ...]) -> list[str]:
    literals = [""]
    for part in parts:
        if isinstance(part, str):
            literals[-1] += part
        else:
            literals.append("")
    return literals


def _own(command: Shell | ScriptCall, asked: Asked, known: Known, written: Written) -> Asked:
    """Return the job without what measures it, where its rule has a benchmark."""
    match asked.command:
        case ("bash", "-c", text, "benchmark", file, times, *words) if text == written.benchmark:
            if command.measured and file in known.outputs and _TIMES.fullmatch(times):
                return replace(asked, command=tuple(words))
    return asked


def variants(parts: tuple[Part, ...]) -> list[tuple[Part, ...]]:
    """Return the template as it ends: spaces at the end go, and with an empty last hole those before it too."""
    found: list[tuple[Part, ...]] = []
    while parts:
        last = parts[-1]
        if isinstance(last, str):
            stripped = last.rstrip()
            found.append((*parts[:-1], stripped) if stripped else parts[:-1])
            if stripped:
                break
        else:
            found.append(parts)
            if not is_instance([last], "", Known(frozenset(), frozenset(), {})):
                break
        parts = parts[:-1]
    return found


def _is_shell(parts: tuple[Part, ...], asked: Asked, known: Known) -> bool:
    whole = (STRICT, *parts)
    match asked.command:
        case ("bash", "-c", text) if not asked.contents:
            return is_instance(whole, text, known)
        case ("bash", path) if set(asked.contents) == {path} and path.startswith(WORK + SCRIPTS):
            # Longer than the kernel takes as one word: the plug-in sends it as a file.
            return is_instance((*whole, "\n"), asked.contents[path], known)
        case _:
            return False


def _spelled(paths: frozenset[str]) -> frozenset[str]:
    """Return how a command may name these files; never the engine's own, whose content it chooses."""
    plain = [path for path in paths if path.startswith(WORK) and not path.startswith(WORK + SCRIPTS)]
    code = [path for path in paths if path.startswith(WORKFLOW) and SCRIPT.fullmatch(path.removeprefix(WORKFLOW))]
    return frozenset([*plain, *code, *(path.removeprefix(WORK) for path in plain)])
