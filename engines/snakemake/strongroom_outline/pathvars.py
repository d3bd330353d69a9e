"""Says what `pathvars:` make of the paths of rules, by Snakemake's own layers of them."""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from snakemake.pathvars import PATHVAR_REGEX, Pathvars
from snakemake_interface_common.exceptions import WorkflowError

from strongroom_outline.moved import PATHS, unknown
from strongroom_outline.values import written

Argument = dict[str, Any]
Layer = tuple[Callable[[dict[Any, Any]], Pathvars], dict[str, Any] | None]  # None where it is computed


def of_statement(arguments: Sequence[Argument]) -> Layer:
    """Return what a `pathvars:` outside of rules says."""
    return Pathvars.from_workflow, _literal(arguments)


def of_module(said: dict[str, Argument], config: str | None, configs: Sequence[dict[str, Any]]) -> list[Layer]:
    """Return what the statement of a module says: itself, and in the configuration that it gives (at `config`)."""
    layers: list[Layer] = []
    if (own := said.get("pathvars")) is not None:
        layers.append((Pathvars.from_module, _keywords(own["text"])))
    if (given := said.get("config")) is not None:
        own = written(given["text"]) if config is None else _at(config, configs)
        layers.append((partial(Pathvars.from_config, module_level=True), own))
    return layers


def of_configuration(values: dict[str, Any] | None) -> Layer:
    """Return what a configuration file says of them."""
    return Pathvars.from_config, values


def resolved(around: Pathvars | None, layers: Sequence[Layer]) -> Pathvars | None:
    """Return the pathvars of a place: what is known around it, and its own layers; None where one is computed."""
    if around is None or any(values is None for _, values in layers):
        return None
    found = Pathvars.from_other(around)
    try:
        for make, values in layers:
            found.update(make(values or {}))
    except (WorkflowError, AttributeError):
        return None  # no names, no texts or a circle: Snakemake itself says no
    return found


def applied(rule: dict[str, Any], around: Pathvars | None) -> dict[str, Any]:
    """Return a rule with the paths that it has in the run; `around` is what is known where it was defined."""
    said = rule["directives"].get("pathvars")
    known = around if said is None else resolved(around, [(Pathvars.from_rule, _literal(said))])
    directives = {
        name: [_applied(one, known) for one in found] if name in PATHS else found
        for name, found in rule["directives"].items()
    }
    return {**rule, "directives": directives}


def _applied(argument: Argument, known: Pathvars | None) -> Argument:
    value = argument["value"]
    texts = value if isinstance(value, list) else [value]
    is_plain = argument["kind"] in ("text", "texts", "choice")
    if not is_plain or not any(PATHVAR_REGEX.search(str(one)) for one in texts):
        return argument
    try:
        made = [known.apply(one) if isinstance(one, str) else one for one in texts] if known is not None else None
    except WorkflowError:
        made = None  # a name that nothing says: Snakemake itself says no
    if made is None:
        return unknown(argument)
    return {**argument, "value": made if isinstance(value, list) else made[0]}


def _literal(arguments: Sequence[Argument]) -> dict[str, Any] | None:
    if any(one["key"] is None or one["kind"] != "text" or one["marks"] for one in arguments):
        return None
    return {one["key"]: one["value"] for one in arguments}


def _keywords(text: str) -> dict[str, Any] | None:
    """Return the keywords of dict(a="b"), as Snakemake's parser writes what a module says."""
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(one.arg is None for one in call.keywords):
            return None
        return {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    except (ValueError, SyntaxError):
        return None


def _at(path: str, configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what all configuration files say of pathvars below a path; a later one counts more."""
    found: dict[str, Any] = {}
    for values in configs:
        said: Any = values
        for key in [*path.split("."), "pathvars"] if path else ["pathvars"]:
            said = said.get(key) if isinstance(said, dict) else None
        found |= said if isinstance(said, dict) else {}
    return {"pathvars": found}
