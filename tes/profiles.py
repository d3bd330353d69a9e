"""Decides whether a federated task is one that a signed profile describes: image, argv, files and resources (T3)."""

import fnmatch
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.fields import WORK
from strongroom.errors import BadRequest, NotAllowed
from strongroom.plain_patterns import PlainPattern
from tes.admission import MOST_EXECUTORS, backend_parameters
from tes.schemas import Executor, NewTask, Resources

DIGEST = re.compile(r"(?:[^@\s]{1,500}@)?(sha256:[0-9a-f]{64})")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,199}")
HoleKind = Literal["integer", "enum", "pattern", "file", "files"]


@dataclass(frozen=True)
class Hole:
    """A place in an argv that the client fills; what fits depends on `kind` alone, and is tried in linear time.

    integer: `least` to `most`, in plain decimal. enum: one of `values`. pattern: all of `pattern`, and no option.
    file: the path of one input of `role`. files: the paths of all of them, in the order of the task's inputs.
    """

    name: str
    kind: HoleKind
    least: int = 0
    most: int = 0
    values: frozenset[str] = frozenset()
    pattern: PlainPattern | None = None
    role: str = ""


@dataclass(frozen=True)
class Word:
    """One word of an argv: `text` as it is, or `text` and then what fills the hole."""

    text: str
    hole: Hole | None = None


@dataclass(frozen=True)
class Command:
    """One executor as it was signed; `image` is a digest, and nothing but the holes is the client's."""

    image: str
    words: tuple[Word, ...]
    env: Mapping[str, str]
    workdir: str | None = None
    stdin: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    ignore_error: bool = False


@dataclass(frozen=True)
class Files:
    """A role that dataset files play: they lie in `folder`, fit `pattern`, and are from `least` to `most`.

    `outside`: files of other sites may play it too. What is in them is then the client's choice.
    """

    role: str
    folder: str
    pattern: str
    least: int
    most: int
    outside: bool = False


@dataclass(frozen=True)
class Ceiling:
    """The most that a task of this profile may ask for, and what it gets when it does not ask."""

    cores: int
    ram_gb: float
    disk_gb: float
    seconds: int


@dataclass(frozen=True)
class Template:
    """What a signed profile lets run; `outputs` and `members` are paths relative to /run/work.

    A client names `outputs`. `members` list the persons whom they are about: every task leaves them, for us (T7).
    """

    executors: tuple[Command, ...]
    inputs: tuple[Files, ...]
    outputs: tuple[str, ...]
    ceiling: Ceiling
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """One input that a client names: its place in the list, its role, its URL and its path."""

    index: int
    role: str
    url: str
    path: str


@dataclass(frozen=True)
class Fit:
    """How a task fills a template: its inputs by role, and where it wants which output (relative path → URL)."""

    inputs: tuple[Given, ...]
    outputs: Mapping[str, str]
    values: Mapping[str, str]


class Misfit(NotAllowed):
    """The task is not one that this template describes; `depth` grows with how much of it did fit."""

    def __init__(self, field: str, cure: str, *, depth: int) -> None:
        super().__init__(f"{field}: {cure}")
        self.depth = depth


def fit(task: NewTask, template: Template) -> Fit:
    """Return how `task` fills `template`; raise `Misfit` naming the first field that is not as it was signed.

    Only content counts: names, descriptions and tags are never looked at (T3).
    """
    _check_images(task.executors, template)
    inputs = _inputs(task, template)
    outputs = _outputs(task, template)
    if task.volumes:
        raise Misfit("volumes", "a signed profile has none.", depth=3)
    values: dict[str, str] = {}
    for n, (given, signed) in enumerate(zip(task.executors, template.executors, strict=True)):
        _check_executor(f"executors[{n}]", given, signed, inputs=inputs, values=values)
    _check_resources(task.resources or Resources(), template.ceiling)
    return Fit(inputs, outputs, values)


def image_digest(reference: str) -> str | None:
    """Return the digest in `sha256:…` or `NAME@sha256:…`; a tag names nothing here."""
    found = DIGEST.fullmatch(reference)
    return found[1] if found else None


def _check_images(executors: Sequence[Executor], template: Template) -> None:
    if len(executors) > MOST_EXECUTORS:
        raise Misfit("executors", f"at most {MOST_EXECUTORS} are possible.", depth=0)
    for n, (given, signed) in enumerate(zip(executors, template.executors, strict=False)):
        digest = image_digest(given.image)
        if digest is None:
            raise Misfit(f"executors[{n}].image", "name the image by its digest, sha256:…", depth=0)
        if digest != signed.image:
            raise Misfit(f"executors[{n}].image", "not the image of a signed profile.", depth=0)
    if len(executors) != len(template.executors):
        raise Misfit("executors", f"this profile has exactly {len(template.executors)}.", depth=1)


def _inputs(task: NewTask, template: Template) -> tuple[Given, ...]:
    roles = {one.folder: one for one in template.inputs}
    found: list[Given] = []
    for n, given in enumerate(task.inputs or []):
        field = f"inputs[{n}]"
        folder, name = posixpath.split(given.path)
        role = roles.get(folder)
        if role is None or not _PLAIN_NAME.fullmatch(name) or not fnmatch.fnmatchcase(name, role.pattern):
            places = ", ".join(f"{one.folder}/{one.pattern}" for one in template.inputs) or "none"
            raise Misfit(f"{field}.path", f"inputs of this profile lie at: {places}.", depth=2)
        if given.content is not None:
            raise Misfit(f"{field}.content", "inputs of a signed profile are files of datasets.", depth=2)
        if given.type == "DIRECTORY":
            raise Misfit(f"{field}.type", "name each FILE.", depth=2)
        if any(one.path == given.path for one in found):
            raise Misfit(f"{field}.path", "each path may be named once.", depth=2)
        found.append(Given(n, role.role, given.url or "", given.path))
    for one in template.inputs:
        count = sum(given.role == one.role for given in found)
        if not one.least <= count <= one.most:
            raise Misfit("inputs", f"from {one.least} to {one.most} files in {one.folder}.", depth=2)
    return tuple(found)


def _outputs(task: NewTask, template: Template) -> dict[str, str]:
    found: dict[str, str] = {}
    for n, wanted in enumerate(task.outputs or []):
        field = f"outputs[{n}]"
        path = wanted.path.removeprefix(f"{WORK}/")
        if not wanted.path.startswith(f"{WORK}/") or path not in template.outputs or wanted.path_prefix:
            places = ", ".join(f"{WORK}/{one}" for one in template.outputs) or "none"
            raise Misfit(f"{field}.path", f"outputs of this profile are: {places}.", depth=3)
        if wanted.type == "DIRECTORY":
            raise Misfit(f"{field}.type", "name each FILE.", depth=3)
        if path in found:
            raise Misfit(f"{field}.path", "each path may be named once.", depth=3)
        found[path] = wanted.url
    return found


def _check_executor(
    where: str, given: Executor, signed: Command, *, inputs: Sequence[Given], values: dict[str, str]
) -> None:
    if dict(given.env or {}) != dict(signed.env):
        raise Misfit(f"{where}.env", "exactly the variables of the signed profile.", depth=4)
    for name in ("workdir", "stdin", "stdout", "stderr"):
        if (getattr(given, name) or None) != getattr(signed, name):
            raise Misfit(f"{where}.{name}", f"{getattr(signed, name) or 'left out'} in the signed profile.", depth=4)
    if bool(given.ignore_error) != signed.ignore_error:
        raise Misfit(f"{where}.ignore_error", f"{str(signed.ignore_error).lower()} in the signed profile.", depth=4)
    _check_words(f"{where}.command", given.command, signed.words, inputs=inputs, values=values)


def _check_words(
    where: str, given: Sequence[str], signed: Sequence[Word], *, inputs: Sequence[Given], values: dict[str, str]
) -> None:
    at = 0
    for word in signed:
        hole = word.hole
        if hole is not None and hole.kind == "files":
            wanted = [one.path for one in inputs if one.role == hole.role]
            if list(given[at : at + len(wanted)]) != wanted:
                raise Misfit(f"{where}[{at}]", f"here stand all inputs of {hole.role}, in their order.", depth=5 + at)
            at += len(wanted)
            continue
        if at >= len(given) or not _is_word(given[at], word, inputs=inputs, values=values):
            cure = f"this word is {_wanted(word)} in the signed profile."
            raise Misfit(f"{where}[{at}]", cure, depth=5 + at)
        at += 1
    if at != len(given):
        raise Misfit(f"{where}[{at}]", "the signed profile has no word here.", depth=5 + at)


def _is_word(given: str, word: Word, *, inputs: Sequence[Given], values: dict[str, str]) -> bool:
    if word.hole is None:
        return given == word.text
    if not given.startswith(word.text):
        return False
    value = given[len(word.text) :]
    # A hole that stands twice is filled twice with the same.
    return fills(value, word.hole, inputs=inputs) and values.setdefault(word.hole.name, value) == value


def fills(value: str, hole: Hole, *, inputs: Sequence[Given]) -> bool:
    """Say whether `value` is what a hole may be filled with; anything that is not clearly so is not."""
    match hole.kind:
        case "integer":
            return bool(_INTEGER.fullmatch(value)) and hole.least <= int(value) <= hole.most
        case "enum":
            return value in hole.values
        case "pattern":
            return hole.pattern is not None and not value.startswith("-") and hole.pattern.fits(value)
        case "file":
            return any(one.path == value for one in inputs if one.role == hole.role)
        case "files":
            return False


def _wanted(word: Word) -> str:
    if word.hole is None:
        return repr(word.text[:80])
    hole = word.hole
    match hole.kind:
        case "integer":
            said = f"a whole number from {hole.least} to {hole.most}"
        case "enum":
            said = f"one of {', '.join(sorted(hole.values))[:200]}"
        case "pattern":
            said = f"a word of {hole.pattern.text if hole.pattern else ''}"
        case "file" | "files":
            said = f"the path of an input of {hole.role}"
    return f"{word.text[:80]!r} and {said}" if word.text else said


def _check_resources(asked: Resources, ceiling: Ceiling) -> None:
    for field, value, most in _sizes(asked, ceiling):
        if value is not None and value > most:
            raise Misfit(f"resources.{field}", f"at most {most:g} in the signed profile.", depth=10_000)
    parameters, _ = backend_parameters(asked)
    if "writable_root" in parameters:
        cure = "not part of a signed profile."
        raise Misfit("resources.backend_parameters.writable_root", cure, depth=10_000)


def _sizes(asked: Resources, ceiling: Ceiling) -> tuple[tuple[str, float | None, float], ...]:
    return (
        ("cpu_cores", asked.cpu_cores, ceiling.cores),
        ("ram_gb", asked.ram_gb, ceiling.ram_gb),
        ("disk_gb", asked.disk_gb, ceiling.disk_gb),
    )


def resources_of(given: Resources | None, ceiling: Ceiling, caps: Ceiling) -> Resources:
    """Return what a task gets: what it asks for, else what its profile has and its client may have.

    Raises `BadRequest` with the field for more than the client's caps.
    """
    asked = given or Resources()
    for field, value, most in _sizes(asked, caps):
        if value is not None and value > most:
            raise BadRequest(f"resources.{field}: at most {most:g} for this client.")
    seconds = min(ceiling.seconds, caps.seconds)
    parameters, unknown = backend_parameters(asked)
    if unknown and asked.backend_parameters_strict:
        raise BadRequest(f"resources.backend_parameters: {unknown[0]} is not supported here.")
    wanted = parameters.get("walltime_seconds", str(seconds))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", wanted):
        raise BadRequest("resources.backend_parameters.walltime_seconds: a whole number of seconds.")
    return Resources(
        cpu_cores=asked.cpu_cores or min(ceiling.cores, caps.cores),
        ram_gb=asked.ram_gb or min(ceiling.ram_gb, caps.ram_gb),
        disk_gb=asked.disk_gb or min(ceiling.disk_gb, caps.disk_gb),
        preemptible=asked.preemptible,
        backend_parameters={"walltime_seconds": str(min(int(wanted), seconds))},
    )
