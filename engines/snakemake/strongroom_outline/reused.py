"""Makes of each `use rule` the rules it stands for, as far as names, modules and configurations are literal."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from snakemake.pathvars import Pathvars

from strongroom_outline import pathvars
from strongroom_outline.moved import Moves, moved, moves_of, unknown

Rule = dict[str, Any]
Place = tuple[str, ...]  # names of modules within each other; () is the workflow itself


@dataclass
class Module:
    """What is known of the workflow itself, or of a module: its rules as its files have them, and what it changes."""

    config: str | None = ""  # the path of its configuration in ours; None where that is computed
    moves: Moves | None = ()  # what it makes of paths; None where that is computed
    said: dict[str, Any] = field(default_factory=dict)  # by its statement: arguments by their names
    layers: list[pathvars.Layer] = field(default_factory=list)  # of pathvars, by its files
    rules: list[Rule] = field(default_factory=list)


def module_of(statement: dict[str, Any], around: Module) -> tuple[str, Module]:
    """Return a module's name, and what its statement says beside its file; `around` is where the statement stands."""
    said = {one["key"]: one for one in statement["arguments"]}
    name = said["name"]["value"] if "name" in said else None
    config = said.get("config")
    path: str | None = ""  # its own configuration, whose files are told beside ours
    if config is not None:
        own = config["value"] if config["kind"] == "config" else "" if config["text"] == "config" else None
        path = None if own is None or around.config is None else ".".join(one for one in (around.config, own) if one)
    return str(name), Module(path, moves_of(said, around.moves), said)


def rules_of(modules: dict[Place, Module], configs: Sequence[dict[str, Any]]) -> list[Rule]:
    """Return the rules that the engine has: its own, what uses make of others, and uses that stay unread."""
    found: dict[Place, list[Rule]] = {}
    for place in sorted(modules, key=len, reverse=True):  # each module once, and after those within it
        found[place] = _rules_at(place, modules[place], found)
    known = _pathvars_of(modules, configs)
    return [pathvars.applied(rule, known[rule.pop("place")]) for rule in found[()]]


def _pathvars_of(modules: dict[Place, Module], configs: Sequence[dict[str, Any]]) -> dict[Place, Pathvars | None]:
    found: dict[Place, Pathvars | None] = {}
    for place in sorted(modules, key=len):  # each module after that which it is in
        module, around = modules[place], found[place[:-1]] if place else Pathvars.with_defaults()
        given = pathvars.of_module(module.said, module.config, configs)
        found[place] = pathvars.resolved(around, [*given, *module.layers])
    return found


def _rules_at(place: Place, module: Module, inner: dict[Place, list[Rule]]) -> list[Rule]:
    own = [{**rule, "place": place} for rule in module.rules]
    named: dict[str, Rule] = {}
    for rule in own:
        if "reuse" not in rule:
            named[_key(rule)] = _here(rule, module) | {"twice": _before(named.get(_key(rule)))}
    waiting = [rule for rule in own if "reuse" in rule]
    while waiting:
        left = []
        for use in waiting:
            made = _made(use, named if use["reuse"]["module"] is None else _named(use, place, inner), module)
            if made is None:
                left.append(use)
            else:
                named |= {rule["name"]: rule for rule in made}
        if len(left) == len(waiting):
            break
        waiting = left
    return [*named.values(), *({**use, "config": module.config} for use in waiting)]


def _key(rule: Rule) -> str:
    """Return a rule's name, or where it stands: those without a name have numbers that begin anew in each file."""
    return f"{rule['file']}:{rule['line']}" if rule["name"].isdigit() else str(rule["name"])


def _before(rule: Rule | None) -> list[dict[str, Any]]:
    """Return where else a rule is written whose name another has: which of them a run has, its values say."""
    return [] if rule is None else [*rule["twice"], {"file": rule["file"], "line": rule["line"]}]


def _named(use: Rule, place: Place, inner: dict[Place, list[Rule]]) -> dict[str, Rule] | None:
    """Return the rules of the module that a use takes from; None if its files are not known."""
    rules = inner.get((*place, use["reuse"]["module"]))
    return None if rules is None else {rule["name"]: rule for rule in rules}


def _made(use: Rule, known: dict[str, Rule] | None, module: Module) -> list[Rule] | None:
    """Return the rules that a use stands for; None if one of them is not known (yet)."""
    if known is None:
        return None
    said = use["reuse"]
    wanted = [name for name in known if name not in said["without"]] if said["rules"] == ["*"] else said["rules"]
    if any(name not in known or known[name]["kind"] == "use" for name in wanted):
        return None
    own = _all_within(use["directives"], module)
    return [_changed(known[name], own, (said["as"] or "*").replace("*", name)) for name in wanted]


def _changed(rule: Rule, said: dict[str, Any], name: str) -> Rule:
    """Return a rule under its new name, with what a use says of it: params by name, all else as a whole."""
    params = said.get("params", [])
    known = rule["directives"].get("params", [])
    kept = [one for one in known if one["key"] is not None or not any(new["key"] is None for new in params)]
    kept = [one for one in kept if one["key"] is None or one["key"] not in {new["key"] for new in params}]
    directives = {**rule["directives"], **said}
    if kept or params:
        directives["params"] = [*kept, *params]
    return {**rule, "name": name, "directives": directives}


def _here(rule: Rule, module: Module) -> Rule:
    """Return a rule as it is within a module: its configuration is a part of ours, and its paths may be changed."""
    return {**rule, "directives": _all_within(rule["directives"], module), "config": module.config}


def _all_within(directives: dict[str, Any], module: Module) -> dict[str, Any]:
    """Return directives as they are where a module says them, be it in a rule or in a use of one."""
    return {
        name: [within(moved(one, name, module.moves), module.config) for one in found]
        for name, found in directives.items()
    }


def within(argument: dict[str, Any], config: str | None) -> dict[str, Any]:
    """Return an argument whose value of the configuration, if it is one, stands below `config` in ours."""
    if argument["kind"] != "config":
        return argument
    return unknown(argument) if config is None else {**argument, "value": below(config, argument["value"])}


def below(config: str, path: str) -> str:
    """Return the path in our configuration of what a module calls `path`."""
    return f"{config}.{path}" if config else path
