"""Says what a Nextflow workflow's parameters are where a run gives none, by its configuration and its scripts."""

import re
from typing import Any

from wes.nextflow_outline import NextflowOutline, Param, Value
from wes.nextflow_settings import OWN_CONFIG
from wes.rules import WORKFLOW

_FOLDER = re.compile(r"\$\{?(?:workflow\.)?(?:projectDir|baseDir)\}?(?![A-Za-z0-9_.])")
_READ = re.compile(r"\$\{params\.(\w+)\}|\$params\.(\w+)(?![\w.])")
_NULL = "null"


class Unknown:
    """What only running the workflow would tell."""


UNKNOWN = Unknown()


def defaults(outline: NextflowOutline, entry: str = "main.nf") -> dict[str, Any]:
    """Return each parameter's value where a run gives none; `UNKNOWN` for what is computed, or set nowhere."""
    known: dict[str, Any] = {}
    # A configuration's word counts more than a script's, and the first script's more than a module's.
    for one in sorted(outline.params, key=lambda param: _weight(param, outline, entry)):
        key, _, below = one.name.partition(".")
        if one.default is not None and not below:
            known.setdefault(key, _value(one.default))
        if below and one.default is not None:
            known[key] = UNKNOWN  # a map, which no schema of plain values has
    return {one.name.partition(".")[0]: UNKNOWN for one in outline.params} | known


def filled(text: str, known: dict[str, Any]) -> str:
    """Return a template in which the parameters stand that are known to be texts."""

    def value(found: re.Match[str]) -> str:
        said = known.get(found[1] or found[2])
        return said if isinstance(said, str) else found[0]

    return _READ.sub(value, text)


def _weight(one: Param, outline: NextflowOutline, entry: str) -> int:
    return [one.file == OWN_CONFIG, one.file in outline.configs, one.file == entry, True].index(True)


def _value(default: Value) -> Any:
    if default.kind in ("text", "number"):
        return default.value
    if default.text == _NULL:
        return None
    if default.kind == "template":
        text = _FOLDER.sub(WORKFLOW.rstrip("/"), str(default.value))
        return text if "$" not in text else UNKNOWN
    return UNKNOWN
