"""Finds the parameters of a Nextflow workflow that are files and only a run can give: each gets a slot of inputs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from wes import nextflow_calls, nextflow_parameters, sheets
from wes.draft_manifest import LATER, OURS
from wes.manifest import Manifest
from wes.nextflow_calls import arguments
from wes.nextflow_outline import Function, NextflowOutline, Noted, Process, Value, Workflow
from wes.parameters import FILE, FILES
from wes.rules import WORK, WORKFLOW

PAIRS = "*_{R1,R2,1,2}*"
_FINDS = re.compile(r"files?|(?:[Cc]hannel\.)?(fromPath|fromFilePairs)")
_PARAM = re.compile(r"params\.(\w+)")
_ONE = re.compile(r"\$?\{?(\w+(?:\.\w+)*)\}?")  # a name or a property, also as the only hole of a text
# A path from where a run begins, or of another host: its last name, or pattern of names, has a dot or a star in it.
_ELSEWHERE = re.compile(r"(?:\$\{(?:workflow\.)?launchDir\}/|\./|/)?(?:[\w. +=,*?-]+/)*([^/$]+)")
_A_NAME = re.compile(r"(?=.*[.*])[A-Za-z0-9_*?\[{][A-Za-z0-9._+=,*?\[\]{}-]{0,199}")
_PLACES = ("workflow", "function")
_FOLDER = re.compile(r"/?[A-Za-z0-9_][A-Za-z0-9._+=,-]*(?:/[A-Za-z0-9_][A-Za-z0-9._+=,-]*)*/?|\./?")
_RESULTS = re.compile(r"(?i)out|result|publish")
_NO_NAME = re.compile(r"[^a-z0-9_]+")
Given = Mapping[tuple[str, str], frozenset[str]]
Kind = Literal["file", "files", "pairs", "folder"]
# A folder with a name, or a pattern of names, in it: "${params.dir}/*.fq".
_BELOW = re.compile(r"\$(?:params\.(\w+)|\{params\.(\w+)\})/[A-Za-z0-9_*?\[{][A-Za-z0-9._+=,*?\[\]{}-]*")
_VALUE = re.compile(r"[Cc]hannel\.(?:of|value|from)\((.*)\)")  # a channel of what is given


@dataclass(frozen=True)
class Wanted:
    """A parameter that is a file, files, or pairs of files, which a run has nowhere unless it is given.

    `lists`: what the engine reads in it names more files.
    """

    param: str
    slot: str
    kind: Kind
    may_lack: bool
    lists: bool = False
    own: str = ""  # the name, or pattern of names, that the workflow has for it

    def slots(self) -> list[dict[str, Any]]:
        """Return the slots of its files, as a manifest has them."""
        least, most = 0 if self.may_lack else 1, 1 if self.kind == "file" else 10_000
        pattern = self.own if self.kind == "file" and self.own else "*"
        own = {"name": self.slot, "description": LATER, "pattern": pattern, "min_files": least, "max_files": most}
        named = {**own, "name": beside(self.slot), "min_files": 0, "max_files": 10_000}
        named["description"] = f"what {self.slot} names, there as inputs/{beside(self.slot)}/NAME"
        return [own, named] if self.lists else [own]

    def schema(self) -> dict[str, Any]:
        """Return its schema: the name of its slot's file, or a pattern of names there."""
        if self.kind == "file":
            return {"description": LATER, "type": "string", FILE: self.slot}
        if self.kind == "folder":
            return {"description": LATER, "enum": [folder(self.slot)], "default": folder(self.slot)}
        usual = [PAIRS, "*_{1,2}*", "*_{R1,R2}*", "*"] if self.kind == "pairs" else ["*"]
        patterns = list(dict.fromkeys([*([self.own] if self.own else []), *usual]))
        return {"description": LATER, "enum": patterns, "default": patterns[0], FILES: self.slot}


def wanted(outline: NextflowOutline) -> list[Wanted]:
    """Return the parameters that code looks up as files, where neither a script nor a configuration says which."""
    empty, given = _empty(outline), _given(outline)
    reads, lists = _read(outline, given)
    taken = {one.name.split(".")[1] for one in outline.params if one.name.startswith("inputs.")}
    found: dict[str, Wanted] = {}
    for param, kind in _looks(outline, given, reads):
        if param in found:
            found[param] = replace(found[param], kind="file" if kind == "file" else found[param].kind)
        elif (param in empty or (kind == "folder" and _is_elsewhere(param, outline))) and (
            slot := _slot(param, taken)
        ) is not None:
            taken.add(slot)
            own = empty.get(param, "")
            may_lack = not own and kind != "folder" and _may_lack(param, outline)
            found[param] = Wanted(param, slot, kind, may_lack, param in lists, own)
    return [found[param] for param in sorted(found)]


def _looks(outline: NextflowOutline, given: Given, reads: set[str]) -> Iterator[tuple[str, Kind]]:
    """Yield each parameter that is looked up, or given to a process as a path, with what it is."""
    for call in outline.calls:
        looks = _FINDS.fullmatch(call.name) if call.where in _PLACES else None
        for param in _folders(call) if looks is not None else ():
            yield param, "folder"
        for param in _looked_up(call, given, reads) if looks is not None else ():
            kind: Kind = "file"
            if looks is not None and param not in reads and call.name != "file":
                kind = "pairs" if looks[1] == "fromFilePairs" else "files"
            yield param, kind
    for one in nextflow_calls.calls(outline):
        taken = one.called.inputs if isinstance(one.called, Process) else []
        for said, argument in zip(taken, one.arguments, strict=False):
            if said.name in ("path", "file"):
                yield from ((param, "file") for param in _given_by(argument, one.said, given))


def folder(slot: str) -> str:
    """Return the folder of a slot's files, as a parameter names it."""
    return f"{WORK}inputs/{slot}"


def _folders(call: Noted) -> Iterator[str]:
    """Yield the parameters that are folders in which a call looks names up."""
    for one in arguments(call.text):
        if (below := _BELOW.fullmatch(one)) is not None:
            yield below[1] or below[2]


def _is_elsewhere(param: str, outline: NextflowOutline) -> bool:
    """Say whether a parameter is the path of a folder that no run has, and that nothing is published to."""
    says = [one.text for process in outline.processes for one in process.all_of("publishDir")]
    says += [
        said.text
        for one in outline.settings
        if one.name in ("process.publishDir", "outputDir")
        for said in (one.value, *one.named.values())
    ]
    if _RESULTS.search(param) or any(re.search(rf"\bparams\.{re.escape(param)}\b", one) for one in says):
        return False
    value = nextflow_parameters.defaults(outline).get(param)
    return isinstance(value, str) and _FOLDER.fullmatch(value) is not None and not f"{value}/".startswith(WORKFLOW)


def with_slots(outline: NextflowOutline, slots: Mapping[str, str]) -> NextflowOutline:
    """Return an outline whose calls stand on the slots of these parameters too."""
    if not slots:
        return outline
    given = _given(outline)
    calls = [
        one.model_copy(update={"slots": list(dict.fromkeys([*one.slots, *more]))}) if more else one
        for one in outline.calls
        for more in [[slots[param] for param in sorted(_params(one, given)) if param in slots]]
    ]
    return outline.model_copy(update={"calls": calls})


def slots_of(manifest: Manifest | None) -> dict[str, str]:
    """Return the slot of each parameter that is a file of one."""
    properties = {} if manifest is None else manifest.parameters.get("properties") or {}
    found = {name: rule.get(FILE) or rule[FILES] for name, rule in properties.items() if {FILE, FILES} & {*rule}}
    folders = {folder(one.name): one.name for one in (manifest.slots if manifest is not None else ())}
    return found | {
        name: folders[str(rule["enum"][0])]
        for name, rule in properties.items()
        if len(rule.get("enum") or ()) == 1 and str(rule["enum"][0]) in folders
    }


def beside(slot: str) -> str:
    """Return the name of the slot of what a sheet's lines name."""
    return f"{slot[:34]}_files"


def _empty(outline: NextflowOutline) -> dict[str, str]:
    """Return the parameters without a file of the workflow's own; of a path that no run has, its last name."""
    found: dict[str, str] = {}
    said: dict[str, list[Value]] = {}
    for one in outline.params:
        if one.default is not None:
            said.setdefault(one.name.partition(".")[0], []).append(one.default)
    for name, value in nextflow_parameters.defaults(outline).items():
        if name in OURS:
            continue
        if name not in said or value is None or value is False or value == "":
            found[name] = ""
            continue
        text = value if isinstance(value, str) else str(said[name][0].value) if len(said[name]) == 1 else ""
        path = _ELSEWHERE.fullmatch(text)
        if path is not None and not text.startswith(WORKFLOW) and _A_NAME.fullmatch(path[1]):
            found[name] = path[1]
    return found


def _slot(param: str, taken: Iterable[str]) -> str | None:
    name = _NO_NAME.sub("_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", param).lower()).strip("_")[:40]
    for one in (name, f"{name[:35]}_file"):
        if re.fullmatch(r"[a-z][a-z0-9_]*", one) and one not in taken:
            return one
    return None


def _may_lack(param: str, outline: NextflowOutline) -> bool:
    """Say whether code does more with a parameter than to look it up once: it may ask whether there is one."""
    return len([one for one in outline.params if one.name == param and one.default is None]) > 1


def _looked_up(call: Noted, given: Given, reads: set[str]) -> set[str]:
    """Return the parameters that a call looks up: its argument is the parameter itself, by whatever name."""
    words = [one for one in arguments(call.text) if ":" not in one or not one.startswith("[")]
    plain = _ONE.fullmatch(words[0]) if len(words) == 1 else None
    if plain is None:
        return set()
    if (named := _PARAM.fullmatch(plain[1])) is not None:
        return {named[1]}
    # What stands on a file that the engine reads is what a line of it says.
    return (
        set()
        if "." in plain[1]
        else {one for one in _params(call, given) if one not in reads}
        | (given.get((call.file, plain[1]), frozenset()) & reads)
    )


def _read(outline: NextflowOutline, given: Given) -> tuple[set[str], set[str]]:
    """Return the parameters that the engine reads, and those whose lines it looks up as files."""
    reads = {
        param
        for one in outline.calls
        if one.where in _PLACES and sheets.opens(one.name)
        for param in _params(one, given)
    }
    lists = {
        param
        for one in outline.calls
        if one.where in _PLACES and one.name in ("file", "files") and one.text
        for argument in arguments(one.text)
        if (plain := _ONE.fullmatch(argument)) is None
        or not (_PARAM.fullmatch(plain[1]) or (one.file, plain[1]) in given)
        for param in _params(one, given)
    }
    return reads, lists & reads


def _params(call: Noted, given: Given) -> set[str]:
    """Return the parameters that a call stands on, also by what its workflow takes."""
    found = {match[1] for one in call.others if (match := _PARAM.fullmatch(one)) is not None}
    return found.union(*(given.get((call.file, one), frozenset()) for one in call.others))


def _given(outline: NextflowOutline) -> Given:
    """Return the parameters that each workflow or function takes, by its file and what it calls them."""
    calls = [one for one in nextflow_calls.calls(outline) if isinstance(one.called, Workflow)]
    functions = _functions(outline)
    helped = [(one, functions[one.file, one.name]) for one in outline.calls if (one.file, one.name) in functions]
    found: dict[tuple[str, str], frozenset[str]] = {}
    for _ in range(nextflow_calls.FURTHEST):
        before = dict(found)
        for call, called, given in calls:
            takes = called.takes if isinstance(called, Workflow) else []
            for n, (take, argument) in enumerate(zip(takes, given, strict=False)):
                place, more = (called.file, take), _standing(n, argument, call)
                found[place] = found.get(place, frozenset()) | _given_by(argument, call, found) | more
        for said, function in helped:
            standing = frozenset(_params(said, found))
            for take in function.takes if standing else ():
                found[function.file, take] = found.get((function.file, take), frozenset()) | standing
        if before == found:
            break
    return found


def _functions(outline: NextflowOutline) -> dict[tuple[str, str], Function]:
    """Return the functions of an outline, by the file and the name under which it calls them."""
    own = {(one.file, one.name): one for one in outline.functions}
    return own | {
        (one.file, new): own[one.target, old]
        for one in outline.includes
        if one.target is not None
        for old, new in one.names
        if (one.target, old) in own
    }


def _standing(n: int, argument: str, call: Noted) -> frozenset[str]:
    """Return the parameters that a name stands on which is given to a workflow."""
    values = call.values[n] if n < len(call.values) and nextflow_calls.NAME.fullmatch(argument) else []
    return frozenset(named[1] for one in values if (named := _PARAM.fullmatch(one.strip("${}"))) is not None)


def _given_by(argument: str, call: Noted, found: Given) -> frozenset[str]:
    value = _VALUE.fullmatch(argument)
    plain = _ONE.fullmatch(argument if value is None else value[1])
    if plain is None:
        return frozenset()
    named = _PARAM.fullmatch(plain[1])
    return frozenset({named[1]}) if named is not None else found.get((call.file, plain[1]), frozenset())
