"""Reads a task profile: what two vetters sign so that another network's tasks may run here (T3)."""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from airlock.contract import Contract, Release, parse_contract
from sandbox.fields import WORK
from strongroom.errors import BadRequest
from strongroom.plain_patterns import plain_pattern
from tes.profiles import Ceiling, Command, Files, Hole, Template, Word
from wes.manifest import NAME, VERSION

FILE = "profile.yaml"
RULE = "task"  # what the contract of a profile calls its one task, as a workflow's contract names engine rules (T16)
MOST_EXECUTORS = 16
FIELDS = frozenset(
    [
        "name",
        "version",
        "title",
        "description",
        "author",
        "images",
        "inputs",
        "holes",
        "executors",
        "files",
        "outputs",
        "resources",
    ]
)
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_PATTERN = re.compile(r"[A-Za-z0-9._*?-]{1,100}")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_EXECUTOR = frozenset(["image", "command", "env", "workdir", "stdin", "stdout", "stderr", "ignore_error"])


@dataclass(frozen=True)
class Profile:
    """A profile as it was written: images by name, until the signed statement says their digests."""

    name: str
    version: str
    title: str
    author: str
    images: tuple[str, ...]
    template: Template
    contract: Contract


def parse_profile(text: str, images: dict[str, str] | None = None) -> Profile:
    """Return the profile in `text` (YAML), its images as the digests in `images`; a wrong field is named."""
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadRequest(f"{FILE} is not YAML.") from error
    raw = _object(raw, "the whole", FIELDS)
    names = tuple(str(one) for one in _list(raw.get("images", []), "images"))
    inputs = tuple(_files(one, n) for n, one in enumerate(_list(raw.get("inputs", []), "inputs")))
    if len({one.role for one in inputs}) < len(inputs) or len({one.folder for one in inputs}) < len(inputs):
        raise _wrong("inputs", "each role and each folder once.")
    roles = {one.role for one in inputs}
    holes = {name: _hole(name, one, roles) for name, one in _mapping(raw.get("holes", {}), "holes").items()}
    known = images if images is not None else {name: name for name in names}
    executors = _list(raw.get("executors"), "executors")
    if not 1 <= len(executors) <= MOST_EXECUTORS:
        raise _wrong("executors", f"from 1 to {MOST_EXECUTORS}.")
    contract = parse_contract(raw.get("outputs") or [])
    template = Template(
        executors=tuple(_command(one, f"executors[{n}]", holes, images=known) for n, one in enumerate(executors)),
        inputs=inputs,
        outputs=tuple(_match(one, "files", _PATH) for one in _list(raw.get("files", []), "files")),
        ceiling=_ceiling(raw.get("resources", {})),
        members=tuple(rule.match for rule in contract.rules if rule.members),
    )
    _check_promises(contract, template)
    return Profile(
        name=_match(raw.get("name"), "name", NAME),
        version=_match(raw.get("version"), "version", VERSION),
        title=str(raw.get("title", ""))[:300],
        author=str(raw.get("author", ""))[:200],
        images=names,
        template=template,
        contract=contract,
    )


def releasable(profile: Profile, path: str) -> bool:
    """Say whether the contract lets this output go to the airlock."""
    rule = profile.contract.rule_for(path)
    return rule is not None and rule.promise is not None


def needed_with(profile: Profile, path: str) -> tuple[str, ...]:
    """Return the outputs without which this one cannot leave: the numbers of a picture."""
    rule = profile.contract.rule_for(path)
    return rule.promise.needs if rule is not None and rule.promise is not None else ()


def _check_promises(contract: Contract, template: Template) -> None:
    if len(set(template.outputs)) < len(template.outputs):
        raise _wrong("files", "each path once.")
    for n, rule in enumerate(contract.rules):
        if rule.members and (not _PATH.fullmatch(rule.match) or contract.rule_for(rule.match) is not rule):
            raise _wrong(f"outputs[{n}].match", "the one path of a list of members, which no rule before it fits.")
        if rule.match in template.members and rule.match in template.outputs:
            raise _wrong(
                "files", f"without {rule.match}: every task leaves its list of members, and no client names it."
            )
        if (rule.release is Release.AIRLOCK or rule.members) and rule.rule != RULE:
            raise _wrong(f"outputs[{n}].rule", f"{RULE}, for a profile has one task.")
        if rule.stream:
            raise _wrong(f"outputs[{n}].stream", "not in a profile: what its task prints stays inside.")


_OF_FILES = frozenset(("role", "description", "folder", "pattern", "min_files", "max_files", "outside"))


def _files(raw: Any, n: int) -> Files:
    where = f"inputs[{n}]"
    raw = _object(raw, where, _OF_FILES)
    return Files(
        role=_match(raw.get("role"), f"{where}.role", _PLAIN),
        folder=f"{WORK}/{_match(raw.get('folder'), f'{where}.folder', _PATH)}",
        pattern=_match(raw.get("pattern", "*"), f"{where}.pattern", _PATTERN),
        least=_whole(raw.get("min_files", 1), f"{where}.min_files", least=0),
        most=_whole(raw.get("max_files", 1), f"{where}.max_files", least=1),
        outside=_flag(raw.get("outside", False), f"{where}.outside"),
    )


def _flag(value: Any, where: str) -> bool:
    if type(value) is not bool:
        raise _wrong(where, "true or false.")
    return value


def _hole(name: str, raw: Any, roles: set[str]) -> Hole:
    where = f"holes.{name}"
    if not _PLAIN.fullmatch(name):
        raise _wrong("holes", "names of small letters, digits and underscores.")
    raw = _object(raw, where, frozenset(("type", "description", "minimum", "maximum", "values", "pattern", "role")))
    match raw.get("type"):
        case "integer":
            least, most = (_whole(raw.get(key), f"{where}.{key}", least=-(10**17)) for key in ("minimum", "maximum"))
            return Hole(name, "integer", least=least, most=most)
        case "enum":
            values = _list(raw.get("values"), f"{where}.values")
            if not values or not all(isinstance(one, str) and "\0" not in one for one in values):
                raise _wrong(f"{where}.values", "a list of strings, not empty.")
            return Hole(name, "enum", values=frozenset(values))
        case "pattern":
            pattern = plain_pattern(str(raw.get("pattern", "")))
            if pattern is None:
                raise _wrong(f"{where}.pattern", "^…$ of plain letters and sets with bounds, like ^[a-z]{1,9}$.")
            return Hole(name, "pattern", pattern=pattern)
        case "file" | "files" as kind:
            if raw.get("role") not in roles:
                raise _wrong(f"{where}.role", "one of the roles of inputs.")
            return Hole(name, kind, role=str(raw["role"]))
        case _:
            raise _wrong(f"{where}.type", "integer, enum, pattern, file or files.")


def _command(raw: Any, where: str, holes: dict[str, Hole], *, images: dict[str, str]) -> Command:
    raw = _object(raw, where, _EXECUTOR)
    image = images.get(str(raw.get("image")))
    if image is None:
        raise _wrong(f"{where}.image", "one of images.")
    words = _list(raw.get("command"), f"{where}.command")
    if not words:
        raise _wrong(f"{where}.command", "a list of words, not empty.")
    env = _mapping(raw.get("env", {}), f"{where}.env")
    if not all(_ENV.fullmatch(name) and isinstance(value, str) for name, value in env.items()):
        raise _wrong(f"{where}.env", "names and strings.")
    streams = {name: _inside(raw[name], f"{where}.{name}") for name in ("stdin", "stdout", "stderr") if name in raw}
    return Command(
        image=image,
        words=tuple(_word(one, f"{where}.command[{n}]", holes) for n, one in enumerate(words)),
        env=env,
        workdir=_inside(raw["workdir"], f"{where}.workdir") if "workdir" in raw else None,
        ignore_error=raw.get("ignore_error", False) is True,
        **streams,
    )


def _word(raw: Any, where: str, holes: dict[str, Hole]) -> Word:
    if isinstance(raw, str) and "\0" not in raw:
        return Word(raw)
    raw = _object(raw, where, frozenset(("hole", "prefix")))
    hole = holes.get(str(raw.get("hole")))
    prefix = raw.get("prefix", "")
    if hole is None or not isinstance(prefix, str) or (prefix and hole.kind == "files"):
        raise _wrong(where, "a string, or {hole: NAME} of a hole, with a prefix if it is one word.")
    return Word(prefix, hole)


def _ceiling(raw: Any) -> Ceiling:
    raw = _object(raw, "resources", frozenset(("cores", "ram_gb", "disk_gb", "seconds")))
    sizes = [raw.get(name, 1) for name in ("ram_gb", "disk_gb")]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and 0 < one < 10**6 for one in sizes):
        raise _wrong("resources", "ram_gb and disk_gb are numbers above 0.")
    return Ceiling(
        cores=_whole(raw.get("cores", 1), "resources.cores", least=1),
        ram_gb=float(sizes[0]),
        disk_gb=float(sizes[1]),
        seconds=_whole(raw.get("seconds", 3600), "resources.seconds", least=1),
    )


def _inside(value: Any, where: str) -> str:
    if value == WORK and where.endswith("workdir"):
        return WORK
    path = value.removeprefix(f"{WORK}/") if isinstance(value, str) and value.startswith(f"{WORK}/") else None
    return f"{WORK}/{_match(path, where, _PATH)}"


def _whole(value: Any, where: str, *, least: int) -> int:
    if type(value) is not int or not least <= value <= 10**17:
        raise _wrong(where, f"a whole number from {least} on.")
    return value


def _match(value: Any, where: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or len(value) > 300 or not pattern.fullmatch(value):
        raise _wrong(where, "is missing or not well formed.")
    return value


def _object(raw: Any, where: str, fields: frozenset[str]) -> dict[str, Any]:
    found = _mapping(raw, where)
    for name in found:
        if name not in fields:
            raise _wrong(where, f"{name[:60]!r} is not a field here.")
    return found


def _mapping(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise _wrong(where, "an object.")
    return dict(raw)


def _list(raw: Any, where: str) -> list[Any]:
    if not isinstance(raw, list) or len(raw) > 1000:
        raise _wrong(where, "a list.")
    return raw


def _wrong(where: str, cure: str) -> BadRequest:
    return BadRequest(f"{FILE}: {where}: {cure}")
