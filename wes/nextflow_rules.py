"""Decides what a Nextflow engine may ask for: a script, files of the run beside it, and patterns of what it makes."""

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import islice, product
from typing import Any

from sandbox.patterns import has_wildcards
from strongroom.canonical import digest
from strongroom.errors import BadRequest, NotAllowed
from wes.nextflow_commands import Command, is_obeyed
from wes.rules import MOST_CONTENT, WORK, WORKFLOW, Held, Job, checked_list, only, relative, resources_of, rule_of

TASKS = "work/"  # where the engine makes a folder for each task, below /run/work
FIELDS = frozenset({"name", "tags", "resources", "executors", "inputs", "outputs"})
EXECUTOR_FIELDS = frozenset({"image", "script", "workdir", "env", "stdin", "bin"})
INPUT_FIELDS = frozenset({"path", "name", "missing"})
DEEPEST = 4  # folders below a declared output that are looked into, and what `**` stands for
MOST_PATTERNS = 500
MOST_VARIABLES, MOST_VALUE = 50, 100_000
MOST_BIN = 3
_FOLDER = re.compile(r"work/[0-9a-f]{2}/[0-9a-f]{30}")
_STAGED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=,-]*(/[A-Za-z0-9_][A-Za-z0-9._+=,-]*)*")
_PATTERN = re.compile(r"[A-Za-z0-9_*?\[{][A-Za-z0-9._+=,*?!\[\]{}/-]*")
# Where a module has its programs.
_BIN = re.compile(r"/run/workflow/(?:[A-Za-z0-9_][A-Za-z0-9._+=,-]*/)*resources/(?:usr/(?:local/)?)?bin")
_INTERPRETER = re.compile(r"#!((?:/[A-Za-z0-9._-]+)+(?: [A-Za-z0-9._-]+)*)")
_BRACES = re.compile(r"\{([^{}]*)\}")

CheckCommand = Callable[[str, Command], bool]


def job_of(
    asked: Mapping[str, Any],
    *,
    run: str,
    images: Mapping[str, str],
    files: Mapping[str, Held],
    is_bound: CheckCommand,
) -> Job:
    """Return the job that `asked` describes; raise `BadRequest` or `NotAllowed` with the field named.

    The engine sends the script, and words beside it. What stages inputs and starts it is written here, so that
    nothing else runs.
    """
    only(asked, FIELDS, "a job")
    rule = rule_of(asked)
    image, command, folder = _executor(asked.get("executors"), images)
    free = not is_bound(rule, command)
    staged = _staged(checked_list(asked, "inputs"), files)
    patterns = [_pattern(one) for one in checked_list(asked, "outputs")]
    made = _whole(patterns)
    # A file of the workflow's folder is none of the run; a task that declares it as an output makes it one.
    kept = {name for name, path in staged.items() if path.startswith(WORKFLOW) and name in patterns}
    task = {
        "executors": [
            {
                "image": image,
                "command": ["bash", f"{WORK}{folder}/.command.run"],
                "workdir": f"{WORK}{folder}",
                "env": {},
            }
        ],
        "inputs": [
            {
                "path": f"{WORK}{folder}/.command.run",
                "content": wrapper(command, f"{WORK}{folder}", staged, kept, made),
            },
            {"path": f"{WORK}{folder}/.command.sh", "content": command.script},
            *([] if command.stdin is None else [{"path": f"{WORK}{folder}/.command.in", "content": command.stdin}]),
            *_inputs(staged, files),
        ],
        "outputs": _outputs(made, folder, run),
        "resources": resources_of(asked),
    }
    try:
        key = digest({"run": run, "rule": rule, "task": task})
    except (ValueError, RecursionError) as error:
        raise BadRequest("a job: plain JSON was expected, without NaN or halves of letters.") from error
    named = frozenset(f"{folder}/{one}" for one in patterns if not _chooses(one))
    return Job(
        rule, key, task, (), (), passed=_passed(staged, patterns, folder, files), free=free, own=(folder, named)
    )


def wrapper(
    command: Command, folder: str, staged: Mapping[str, str], kept: Set[str], made: Sequence[str] = ()
) -> str:
    """Return the text that puts links to the inputs beside a script, runs it, and takes the links away again.

    What is `kept` is put there as a copy, and stays. A link that the script made under one of the patterns `made`
    becomes a copy, too: nothing is collected through a link.
    """
    programs = ":".join([*command.bin, f"{WORKFLOW}bin"])
    lines = ["#!/bin/bash", "set -e", f"cd {folder}", f'export PATH="$PATH:{programs}"']
    for name, path in staged.items():
        if "/" in name:
            lines.append(f"mkdir -p -- {shlex.quote(posixpath.dirname(name))}")
        how = "cp -RL" if name in kept else "ln -s"
        lines.append(f"{how} -- {shlex.quote(path)} {shlex.quote(name)}")
    # Nextflow's own wrapper would run what stands in a value's $(…).
    lines += [f"export {name}={shlex.quote(value)}" for name, value in command.env.items()]
    reads = "" if command.stdin is None else f" < {folder}/.command.in"
    lines += ["set +e", f"{_interpreter(command.script)} {folder}/.command.sh{reads}", "code=$?"]
    lines += _followed(made, staged)
    # What is still a link was staged, and is no output of this task.
    lines += [f"[ ! -L {shlex.quote(name)} ] || rm -f -- {shlex.quote(name)}" for name in staged]
    return "\n".join([*lines, "exit $code", ""])


def _followed(made: Sequence[str], staged: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that put in place of each link a copy of what it leads to; bash itself finds the names."""
    if made:
        yield f'if [ "$code" = 0 ]; then for one in {" ".join(made)}; do'
        yield f'case {shlex.quote(" " + " ".join(staged) + " ")} in *" $one "*) continue; esac'
        yield '[ -L "$one" ] && [ -e "$one" ] || continue'
        yield 'cp -RL -- "$one" "$one.copy" && rm -f -- "$one" && mv -- "$one.copy" "$one" || code=1'
        yield "done; fi"


def _interpreter(script: str) -> str:
    found = _INTERPRETER.fullmatch(script.partition("\n")[0].rstrip())
    if found is None:
        raise NotAllowed("executors[0].script: its first line is #! with the path of a program in the image.")
    return found[1]


def _executor(asked: Any, images: Mapping[str, str]) -> tuple[str, Command, str]:
    if not isinstance(asked, list) or len(asked) != 1 or not isinstance(asked[0], dict):
        raise BadRequest("executors: exactly one.")
    executor = asked[0]
    only(executor, EXECUTOR_FIELDS, "executors[0]")
    image = images.get(str(executor.get("image")))
    if image is None:
        raise NotAllowed("executors[0].image: not among the images that the vetters signed for this workflow.")
    script = executor.get("script")
    if not isinstance(script, str) or "\0" in script or len(script) > MOST_CONTENT:
        raise BadRequest("executors[0].script: text of one MiB at most.")
    folder = relative(executor.get("workdir"), "executors[0].workdir")
    if not _FOLDER.fullmatch(folder):
        raise NotAllowed("executors[0].workdir: tasks run in folders of their own below /run/work/work.")
    env = executor.get("env", {})
    if not isinstance(env, dict) or len(env) > MOST_VARIABLES or not all(map(_is_value, env.values())):
        raise BadRequest("executors[0].env: a few texts by their names.")
    if refused := [name for name in env if is_obeyed(name)]:
        raise NotAllowed(f"executors[0].env: programs obey {refused[0][:80]}; give the input another name.")
    if "stdin" in executor and not _is_value(executor["stdin"]):
        raise BadRequest("executors[0].stdin: text of 100,000 letters at most.")
    programs = executor.get("bin", [])
    if not isinstance(programs, list) or len(programs) > MOST_BIN or not all(map(_is_bin, programs)):
        raise NotAllowed("executors[0].bin: folders resources/usr/bin of this workflow.")
    return image, Command(script, env, executor.get("stdin"), tuple(programs)), folder


def _is_bin(given: Any) -> bool:
    return isinstance(given, str) and _BIN.fullmatch(given) is not None


def _is_value(given: Any) -> bool:
    return isinstance(given, str) and "\0" not in given and len(given) <= MOST_VALUE


def _staged(asked: list[Any], files: Mapping[str, Held]) -> dict[str, str]:
    staged: dict[str, str] = {}
    for given in asked:
        only(given, INPUT_FIELDS, "inputs")
        name, path = given.get("name"), given.get("path")
        if not isinstance(name, str) or len(name) > 200 or not _STAGED.fullmatch(name):
            raise NotAllowed("inputs: names are letters, digits and . _ + = , - only.")
        if name in staged:
            raise BadRequest("inputs: two files of one name.")
        if not (isinstance(path, str) and posixpath.normpath(path) == path and path.startswith(WORKFLOW)):
            inside = relative(path, "inputs")
            if given.get("missing") is not True:  # where there is nothing the link leads nowhere, as Nextflow's own
                held_below(inside, files)
        staged[name] = str(path)
    return staged


def _below(inside: str, files: Mapping[str, Held]) -> list[str]:
    return [inside] if inside in files else [path for path in files if path.startswith(f"{inside}/")]


def held_below(inside: str, files: Mapping[str, Held]) -> list[str]:
    """Return the run's files at or below a path; an engine's word for where a file is counts for nothing (T19)."""
    below = _below(inside, files)
    if not below:
        raise NotAllowed(
            "inputs: not a file of this run. What a workflow itself wrote (collectFile, text) is none: "
            "have a process make it."
        )
    return below


def _inputs(staged: Mapping[str, str], files: Mapping[str, Held]) -> Iterator[dict[str, Any]]:
    wanted = {
        inside
        for path in staged.values()
        if path.startswith(WORK)
        for inside in _below(path.removeprefix(WORK), files)
    }
    for inside in sorted(wanted):
        held = files[inside]
        source = {"content": ""} if held.object is None else {"url": f"strongroom://object/{held.object}"}
        yield {"path": WORK + inside, "type": "FILE", **source}


def _pattern(given: Any) -> str:
    pattern = given.removesuffix("/").removeprefix("./") if isinstance(given, str) else ""
    if len(pattern) > 200 or not _PATTERN.fullmatch(pattern) or not _is_plain(pattern):
        raise NotAllowed(
            "outputs: a name that the process declares has another letter (a colon, a blank, …), so no file of a run "
            "can have it; make the name, or pattern, of letters, digits and . _ + = , - * ? [ ] { } below the task."
        )
    return pattern


def _is_plain(pattern: str) -> bool:
    return all(part and not part.startswith(".") for part in pattern.split("/"))


def _whole(patterns: list[str]) -> list[str]:
    """Return the patterns of a shell for all that a task declares."""
    whole = list(islice((one for pattern in patterns for one in expanded(pattern)), MOST_PATTERNS + 1))
    if len(whole) > MOST_PATTERNS:
        raise BadRequest("outputs: too many patterns.")
    return sorted(set(whole))


def _outputs(made: list[str], folder: str, run: str) -> list[dict[str, Any]]:
    place = {"path_prefix": f"{WORK}{folder}", "url": f"strongroom://run/{run}/{folder}", "type": "FILE"}
    return [{"path": f"{WORK}{folder}/{one}", **place} for one in made]


def expanded(pattern: str) -> Iterator[str]:
    """Yield the patterns of a shell that stand for one of Nextflow's: braces, `**`, and what lies in a folder."""
    pieces = _BRACES.split(pattern)
    choices = [[piece] if n % 2 == 0 else piece.split(",") for n, piece in enumerate(pieces)]
    for n, choice in enumerate(product(*choices)):
        plain = "".join(choice)
        if n >= MOST_PATTERNS or "{" in plain or "}" in plain or not _is_plain(plain):
            raise NotAllowed("outputs: braces hold a few plain names, and are not nested.")
        for one in _deep(plain):
            # TES tells files and folders apart where a name is plain; whoever declared this one did not.
            named = one if has_wildcards(one) else f"[{one[0]}]{one[1:]}"
            yield from (named + "/*" * depth for depth in range(DEEPEST + 1))


def _chooses(pattern: str) -> bool:
    return has_wildcards(pattern) or "{" in pattern


def _deep(pattern: str) -> Iterator[str]:
    first, deep, rest = pattern.partition("**")
    if not deep:
        yield pattern
        return
    for depth in range(DEEPEST + 1):
        for tail in _deep(rest.removeprefix("/")) if rest else [""]:
            yield first + "*/" * depth + ("" if rest.startswith("/") else "*") + tail


def _passed(staged: Mapping[str, str], patterns: list[str], folder: str, files: Mapping[str, Held]) -> dict[str, str]:
    """Return the inputs that the task also declares as outputs, by name: they are the files that they were before."""
    passed = {}
    for name, path in staged.items():
        if name in patterns and path.startswith(WORK):
            inside = path.removeprefix(WORK)
            for one in _below(inside, files):
                passed[f"{folder}/{name}{one.removeprefix(inside)}"] = one
    return passed
