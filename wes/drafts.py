"""Drafts what a manifest says of a workflow's commands, from its outline (T18)."""

import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

from pydantic import JsonValue

from wes.commands import MOST_VALUES, RULE, Scalar, plain_hole
from wes.matching import LETTERS
from wes.outline import Absent, Argument, Outline, Rule

FREE: dict[str, Any] = {"free": True}
_WILDCARD = re.compile(r"\{[A-Za-z_]\w*\}")
COMMANDS = frozenset({"shell", "script", "wrapper", "notebook", "run", "template_engine", "cwl"})


def draft_commands(outline: Outline) -> dict[str, dict[str, Any]]:
    """Return the `commands` section: a template for each rule whose text is known, else free: true."""
    return {rule.name: draft_command(rule, outline) for rule in outline.rules if is_job(rule)}


def is_job(rule: Rule) -> bool:
    """Say whether the rule has a command of its own that can be read here."""
    return rule.kind != "use" and RULE.fullmatch(rule.name) is not None and bool(COMMANDS & set(rule.directives))


def draft_command(rule: Rule, outline: Outline) -> dict[str, Any]:
    """Return what the manifest may say of one rule."""
    if rule.twice:
        return dict(FREE)  # which of them a run has, its values say
    text = rule.first("shell")
    if text is not None and text.kind == "text" and isinstance(text.value, str):
        shell = spelled(text.value, rule)
        return _bound({"shell": shell}, _shell_holes(shell, rule, outline), rule)
    if "notebook" not in rule.directives and rule.scripts and rule.scripts[0].path.endswith(".py"):
        said = {"script": rule.scripts[0].path, "digest": rule.scripts[0].digest}
        if rule.config:
            said["config"] = rule.config
        return _bound(said, _script_holes(rule, outline), rule)
    return dict(FREE)


def _bound(said: dict[str, Any], holes: dict[str, Any] | None, rule: Rule) -> dict[str, Any]:
    if holes is None:
        return dict(FREE)
    measured = {"benchmark": True} if "benchmark" in rule.directives else {}
    return {**said, **({"holes": holes} if holes else {}), **measured}


def untyped(rule: Rule, outline: Outline) -> list[str]:
    """Return the holes of a rule for which no type can be drafted."""
    text = rule.first("shell")
    if text is not None and isinstance(text.value, str) and text.kind == "text":
        names = _named(spelled(text.value, rule))
        holes = {} if names is None else _holes(text.value, names, rule, outline)
        return [name for name, kind in holes.items() if kind is None]
    if rule.scripts:
        return [name for name, value in _params(rule) if _script_type(value, outline) is None]
    return []


def _named(text: str) -> list[str] | None:
    """Return the names of a template's holes that need a type; None if the template cannot be read."""
    try:
        found = [(name, how, conversion) for _, name, how, conversion in Formatter().parse(text) if name is not None]
    except ValueError:
        return None
    if any(how not in ("", "q", "u") or conversion for _, how, conversion in found):
        return None
    names = dict.fromkeys(name for name, _, _ in found)
    return [name for name in names if name != "rule" and plain_hole(name) is None]


def _shell_holes(text: str, rule: Rule, outline: Outline) -> dict[str, Any] | None:
    names = _named(text)
    if names is None:
        return None
    holes = _holes(text, names, rule, outline)
    return None if None in holes.values() else holes


def _holes(text: str, names: list[str], rule: Rule, outline: Outline) -> dict[str, Any]:
    holes = {name: _type(_source(name, rule, outline), outline, joined=True) for name in names}
    return holes | _config_holes(text, rule, outline)


def _config_holes(text: str, rule: Rule, outline: Outline) -> dict[str, Any]:
    """Return the types of {config[…]} where it is no parameter of the manifest by that name: None is unknown."""
    holes: dict[str, Any] = {}
    for _, name, _, _ in Formatter().parse(text):
        said = plain_hole(name) if name else None
        if name and said is not None and said.config:
            path = ".".join(one for one in (rule.config, said.config) if one)
            kind = None if rule.config is None else _of_config(path, outline, joined=True)
            holes |= {} if kind == {"config": said.config} else {name: kind}
    return holes


def _source(name: str, rule: Rule, outline: Outline) -> Argument | None:
    """Return the argument or the global that a hole takes its value from."""
    if name.startswith("params"):
        return next((value for known, value in _params(rule) if known == name), None)
    found = [one for one in outline.globals if one.key == name]
    return found[0] if len(found) == 1 else None


def _script_holes(rule: Rule, outline: Outline) -> dict[str, Any] | None:
    if rule.config is None:
        return None
    holes = {name: _script_type(value, outline) for name, value in _params(rule)}
    # A script is told all of the configuration; what no schema has is known by its letters.
    for key, own in _own_values(rule.config, outline):
        leaves = list(_leaves(own))
        holes[f"config.{key}"] = {"enum": leaves} if 0 < len(leaves) <= MOST_VALUES else None
    return None if None in holes.values() else holes


def _script_type(value: Argument, outline: Outline) -> Any:
    """Return the type of a script's param: one with wildcards is a name, if all of its letters may be a name's."""
    texts = value.value if isinstance(value.value, list) else [value.value]
    if value.kind in ("text", "texts") and not value.marks and any(_wildcards(str(one)) for one in texts):
        return "name" if all(_is_name(str(one)) for one in texts) else None
    hole = plain_hole(str(value.value)) if value.kind == "job" and not value.marks else None
    return hole.kind.value if hole is not None else _type(value, outline, joined=False)


def _is_name(text: str) -> bool:
    plain = _WILDCARD.sub("x", text)
    return LETTERS.issuperset(plain) and not text.startswith("-") and ".." not in plain


def _own_values(module: str, outline: Outline) -> Iterator[tuple[str, JsonValue | Absent]]:
    """Yield what a script is told of the workflow's own configuration that are no parameters of the manifest."""
    if module:
        part = outline.own(module)
        yield from part.items() if isinstance(part, dict) else ()
        return
    asked = {one.path.partition(".")[0] for one in outline.reads}
    for key in dict.fromkeys(key for one in outline.configs for key in one.values):
        own = outline.own(key)
        if key not in asked or isinstance(own, dict | list):
            yield key, own


def _leaves(value: JsonValue | Absent) -> Iterator[Scalar]:
    """Yield what a value of a configuration holds, keys too, each once."""
    waiting, seen = [value], list[tuple[type, Scalar]]()
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif not isinstance(one, Absent) and (type(one), one) not in seen:
            seen.append((type(one), one))
            yield one


def spelled(text: str, rule: Rule) -> str:
    """Return a template in which params with wildcards stand by their own text: {params.x} is filled in twice.

    So does the folder of the Snakefile, which lies where it lies in every run.
    """
    for name, one in _params(rule):
        said = " ".join(map(str, one.value)) if isinstance(one.value, list) else str(one.value)
        if one.kind in ("text", "texts") and not one.marks and (wildcards := _wildcards(said)):
            text = text.replace(f"{{{name}}}", wildcards)
        elif one.kind == "job" and not one.marks:  # lambda wc, output: output[0]
            text = text.replace(f"{{{name}}}", f"{{{one.value}}}").replace(f"{{{name}:q}}", f"{{{one.value}:q}}")
    for how in ("", ":q") if rule.basedir else ():  # of letters that no shell quotes
        text = text.replace(f"{{workflow.basedir{how}}}", rule.basedir)
    return text


def _wildcards(text: str) -> str | None:
    """Return a param's text as a command has it; None if it has no wildcards, or what else stands in braces."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return None
    if not any(name for _, name, _, _ in parts) or any(how or conversion for _, _, how, conversion in parts):
        return None
    whole = ""
    for literal, name, _, _ in parts:
        whole += literal.replace("{", "{{").replace("}", "}}")
        if name is not None:
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                return None
            whole += f"{{wildcards.{name}}}"
    return whole


def _params(rule: Rule) -> list[tuple[str, Argument]]:
    return [
        (f"params.{one.key}" if one.key is not None else f"params[{place}]", one)
        for place, one in enumerate(rule.directives.get("params", ()))
    ]


def _type(value: Argument | None, outline: Outline, *, joined: bool) -> Any:
    """Return the type of a hole, or None: code that makes text has none."""
    if value is None or value.marks:
        return None
    match value.kind:
        case "text" | "number":
            return {"enum": [value.value]}
        case "choice" if isinstance(value.value, list):
            return {"enum": list(dict.fromkeys(value.value))}
        case "texts" if isinstance(value.value, list):
            return {"enum": [" ".join(map(str, value.value))] if joined else list(value.value)}
        case "config":
            return _of_config(str(value.value), outline, joined=joined)
        case "count":
            return "integer"
        case _:
            return None


def _of_config(path: str, outline: Outline, *, joined: bool) -> Any:
    own = outline.own(path)
    if isinstance(own, Absent) or ("." not in path and not isinstance(own, dict | list)):
        return {"config": path}  # a parameter of the manifest
    if isinstance(own, list) and all(isinstance(one, Scalar) for one in own):
        return {"enum": [" ".join(map(str, own))] if joined else own}
    return None if isinstance(own, dict | list) else {"enum": [own]}
