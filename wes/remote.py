"""Reads which rules of a workflow run at another site, and as which task there: signed with the workflow itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from strongroom.errors import BadRequest, NotAllowed
from strongroom.states import Steps
from wes.rules import WORK, Job

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_RULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_EXECUTOR = frozenset({"image", "command", "env", "workdir", "stdin", "stdout", "stderr"})


class RemoteState(StrEnum):
    """How far a job at another site is, in the words of TES 1.1."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"


S = RemoteState
STEPS: Final[Steps[RemoteState]] = {
    # INITIALIZING: the site may know the task. COMPLETE: its outputs were released there and came home.
    S.QUEUED: frozenset({S.INITIALIZING, S.SYSTEM_ERROR, S.CANCELED}),
    S.INITIALIZING: frozenset({S.RUNNING, S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELED}),
    S.RUNNING: frozenset({S.COMPLETE, S.EXECUTOR_ERROR, S.SYSTEM_ERROR, S.CANCELED}),
    S.COMPLETE: frozenset(),
    S.EXECUTOR_ERROR: frozenset(),
    S.SYSTEM_ERROR: frozenset(),
    S.CANCELED: frozenset(),
}
ENDED: Final = frozenset(state for state, to in STEPS.items() if not to)


@dataclass(frozen=True)
class RemoteRule:
    """One rule whose work is done at `site`; `outputs` maps our path (below /run/work) to the site's own."""

    site: str
    executors: tuple[Mapping[str, Any], ...]
    inputs: tuple[Mapping[str, str], ...]
    outputs: Mapping[str, str]


def parse_remote(raw: Any) -> dict[str, RemoteRule]:
    """Return the `remote` section of a manifest; raise `BadRequest` with the field named."""
    if not isinstance(raw, dict):
        raise _wrong("", "an object of rules.")
    return {_match(rule, "", _RULE): _rule(f".{rule}", one) for rule, one in raw.items()}


def _rule(where: str, raw: Any) -> RemoteRule:
    if not isinstance(raw, dict) or set(raw) != {"site", "executors", "inputs", "outputs"}:
        raise _wrong(where, "site, executors, inputs and outputs.")
    executors, inputs, outputs = raw["executors"], raw["inputs"], raw["outputs"]
    if not isinstance(executors, list) or not 1 <= len(executors) <= 16:
        raise _wrong(f"{where}.executors", "from 1 to 16.")
    for one in executors:
        if not isinstance(one, dict) or not set(one) <= _EXECUTOR or not {"image", "command"} <= set(one):
            raise _wrong(f"{where}.executors", f"each has image and command, and of {', '.join(sorted(_EXECUTOR))}.")
    if not isinstance(inputs, list) or not all(
        isinstance(one, dict) and set(one) == {"url", "path"} for one in inputs
    ):
        raise _wrong(f"{where}.inputs", "each has url and path, at the site.")
    if not isinstance(outputs, dict) or not outputs:
        raise _wrong(f"{where}.outputs", "our path: the site's path.")
    return RemoteRule(
        site=_match(raw["site"], f"{where}.site", _NAME),
        executors=tuple(executors),
        inputs=tuple({name: str(value) for name, value in one.items()} for one in inputs),
        outputs={_match(ours, f"{where}.outputs", _PATH): str(theirs) for ours, theirs in outputs.items()},
    )


def check_job(job: Job, rule: RemoteRule) -> None:
    """Raise unless the engine's job is the one that the manifest sends away: nothing of ours goes with it.

    The engine's command, image and resources count for nothing: what the site runs stands in the signed manifest.
    """
    if job.task["inputs"] or job.touches:
        raise NotAllowed("inputs: a job of another site takes no file of this run along.")
    wanted = {str(one["path"]).removeprefix(WORK) for one in job.task["outputs"]}
    if wanted != set(rule.outputs) or job.directories:
        raise NotAllowed("outputs: a job of another site has exactly the outputs that the manifest names.")


def request_of(rule: RemoteRule, urls: Mapping[str, str], *, name: str) -> dict[str, Any]:
    """Return the TES task for the site; `urls` says for each of our paths where the released file is to be put."""
    return {
        "name": name,
        "executors": [dict(one) for one in rule.executors],
        "inputs": [dict(one) for one in rule.inputs],
        "outputs": [{"path": theirs, "url": urls[ours]} for ours, theirs in sorted(rule.outputs.items())],
    }


def _match(value: Any, where: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or len(value) > 200 or not pattern.fullmatch(value):
        raise _wrong(where, "is missing or not well formed.")
    return value


def _wrong(where: str, cure: str) -> BadRequest:
    return BadRequest(f"manifest.yaml: remote{where}: {cure}")
