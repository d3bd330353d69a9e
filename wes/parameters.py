"""Reads a workflow's parameter schema: objects, and hints of small tables, files of a dataset and the whole form."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jsonschema
from referencing import Registry

from strongroom.errors import BadRequest
from strongroom.plain_patterns import plain_pattern

TABLE, FILE, FILES = "x-strongroom-table", "x-strongroom-file", "x-strongroom-files"
MOST_DEPTH = 5
MOST_BYTES, MOST_ROWS, MOST_COLUMNS = 64 << 10, 5000, 50
_PART = re.compile(r"[A-Za-z0-9_-]{1,100}")
_ANNOTATIONS = frozenset(["title", "description", "default", "examples", "deprecated", "$comment"])
_MAP = _ANNOTATIONS | {"type", "properties", "required", "additionalProperties"}
_ALL = _MAP | {"$schema"}
_NUMBER = frozenset(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"])
_STRING = frozenset(["enum", "const", "pattern", "minLength", "maxLength", "format", TABLE, FILE, FILES])
_PLAIN = _ANNOTATIONS | _NUMBER | _STRING | {"type"}
# Names in one folder: no slash, no dot at first.
_NAMES = re.compile(r"[A-Za-z0-9_*?\[{][A-Za-z0-9._+=,*?\[\]{}-]{0,199}")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _pattern(_: object, pattern: str, word: object, __: object) -> Iterator[jsonschema.ValidationError]:
    plain = plain_pattern(pattern)
    if isinstance(word, str) and (plain is None or not plain.fits(word)):
        yield jsonschema.ValidationError("no word of the pattern")


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


def validator(schema: Mapping[str, Any]) -> jsonschema.protocols.Validator:
    """Return what holds parameters against a schema: it asks nobody (T23), in time linear in what is given (T30)."""
    found: jsonschema.protocols.Validator = _Validator(schema, registry=Registry())
    return found


def check_schema(schema: Any) -> None:
    """Raise `BadRequest` unless the schema names each parameter, and says nothing that would let others in."""
    if not isinstance(schema, dict) or schema.get("additionalProperties") is not False:
        raise BadRequest("manifest.yaml: parameters is a JSON Schema with additionalProperties: false.")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise BadRequest("manifest.yaml: parameters is not a JSON Schema.") from error
    _only(_ALL, schema, "parameters")


def check_parameter(name: str, rule: Any, slots: Sequence[str]) -> None:
    """Raise `BadRequest` unless nothing that a parameter may be is code to a shell (T18), its default too."""
    if not isinstance(rule, dict):
        raise BadRequest(f"manifest.yaml: parameter {name} needs a schema of its own.")
    _check_form(name, rule, slots)
    if "default" in rule and not validator(rule).is_valid(completed({name: rule}, {})[name]):
        raise BadRequest(
            f"manifest.yaml: parameter {name}: its own schema does not allow its default; correct one of them."
        )


def _check_form(name: str, rule: dict[str, Any], slots: Sequence[str]) -> None:
    if is_map(rule):
        _check_map(name, rule)
        for key, part in rule["properties"].items():
            check_parameter(f"{name}.{key}", part, slots)
        return
    _only(_PLAIN, rule, f"parameter {name}")
    pattern = str(rule.get("pattern", ""))
    if pattern and plain_pattern(pattern) is None:
        raise BadRequest(
            f"manifest.yaml: parameter {name}: a pattern is ^…$ of letters, digits, _ and -, and of sets like "
            "[A-Za-z0-9._-]{1,20}, whose ranges stay within a-z, A-Z or 0-9."
        )
    if FILES in rule:
        _check_files(name, rule, slots)
        return
    if rule.get("type") in ("integer", "number", "boolean") or "enum" in rule:
        return
    if _check_hint(name, rule, slots) or (rule.get("type") == "string" and pattern):
        return
    raise BadRequest(
        f"manifest.yaml: parameter {name} is a number, a boolean, an enum, a string of plain letters by pattern, "
        "or an object of such."
    )


def _only(known: frozenset[str], rule: Mapping[str, Any], what: str) -> None:
    # Any other word of JSON Schema could let in what no rule here has seen, or send its reader elsewhere ($ref).
    if more := sorted(str(word) for word in rule if word not in known and not _is_note(str(word))):
        raise BadRequest(f"manifest.yaml: {what}: {more[0][:40]} is not known here; {', '.join(sorted(known))} are.")


def _is_note(word: str) -> bool:
    return word.startswith("x-") and not word.startswith("x-strongroom-")


def _check_map(name: str, rule: Mapping[str, Any]) -> None:
    """Raise `BadRequest` unless a parameter that is an object names each of its parts, and is nothing else."""
    properties = rule.get("properties")
    if rule.get("additionalProperties") is not False or not isinstance(properties, dict) or not set(rule) <= _MAP:
        raise BadRequest(
            f"manifest.yaml: parameter {name}: an object has properties, additionalProperties: false, and of other "
            "words description, default and required only."
        )
    # A dotted path names one part, and hints are read of whole parameters.
    wrong = [
        key for key, part in properties.items() if not _PART.fullmatch(key) or {TABLE, FILE, FILES} & {*_words(part)}
    ]
    if name.count(".") >= MOST_DEPTH or wrong:
        raise BadRequest(
            f"manifest.yaml: parameter {name}: a part has a plain name and no x-strongroom hint, and there are at "
            f"most {MOST_DEPTH} objects in each other."
        )


def _words(rule: object) -> Iterable[str]:
    return rule if isinstance(rule, dict) else ()


def completed(properties: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is given with defaults filled in, also in objects that are there."""
    whole = {name: rule["default"] for name, rule in properties.items() if "default" in rule} | dict(given)
    for name, rule in properties.items():
        if is_map(rule) and isinstance(whole.get(name), dict):
            whole[name] = completed(rule["properties"], whole[name])
    return whole


def leaves(properties: Mapping[str, Mapping[str, Any]], above: str = "") -> dict[str, Mapping[str, Any]]:
    """Return the schema of each plain parameter by its name, of those in objects as a.b."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, rule in properties.items():
        if is_map(rule):
            found |= leaves(rule["properties"], f"{above}{name}.")
        else:
            found[f"{above}{name}"] = rule
    return found


def is_map(rule: Mapping[str, Any]) -> bool:
    """Return whether a parameter is an object whose parts are parameters."""
    return rule.get("type") == "object" and "enum" not in rule


def texts(parameters: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the parameters that are texts by a pattern."""
    plain = leaves(parameters.get("properties") or {})
    return frozenset(name for name, said in plain.items() if said.get("type") == "string" and "enum" not in said)


def _check_hint(name: str, rule: Mapping[str, Any], slots: Sequence[str]) -> bool:
    """Say whether a parameter is a table or a file by its hint; raise `BadRequest` for a hint that cannot be kept."""
    if TABLE in rule:
        _check_table(name, rule)
        return True
    if FILE in rule:
        if rule.get("type") != "string" or rule[FILE] not in slots:
            raise BadRequest(f"manifest.yaml: parameter {name}: {FILE} names one of the inputs, for a string.")
        return True
    return False


def _check_files(name: str, rule: Mapping[str, Any], slots: Sequence[str]) -> None:
    """Raise `BadRequest` unless a parameter is one of a few patterns of names in a slot's folder."""
    patterns = rule.get("enum")
    if (
        rule[FILES] not in slots
        or not isinstance(patterns, list)
        or not all(isinstance(one, str) and _NAMES.fullmatch(one) for one in patterns)
    ):
        raise BadRequest(
            f"manifest.yaml: parameter {name}: {FILES} names one of the inputs, beside an enum of patterns of names."
        )


def _check_table(name: str, rule: Mapping[str, Any]) -> None:
    hint = rule[TABLE]
    columns = hint.get("columns") if isinstance(hint, dict) else None
    if rule.get("type") != "string" or not isinstance(columns, dict) or not 0 < len(columns) <= MOST_COLUMNS:
        raise BadRequest(f"manifest.yaml: parameter {name}: {TABLE} has columns, for a string.")
    if not set(hint) <= {"columns", "max_rows"} or not 0 < _most(hint) <= MOST_ROWS:
        raise BadRequest(f"manifest.yaml: parameter {name}: max_rows is from 1 to {MOST_ROWS}.")
    for column, cells in columns.items():
        words = isinstance(cells, list) and cells and all(isinstance(one, str) for one in cells)
        if not _COLUMN.fullmatch(str(column)) or not (words or (isinstance(cells, str) and plain_pattern(cells))):
            # A cell reaches a shell sooner or later, as any string does.
            raise BadRequest(
                f"manifest.yaml: parameter {name}: a column is a list of words, or a pattern of letters."
            )


def rows_of(name: str, text: str, rule: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of a small tab-separated table, each cell checked; raise `BadRequest` with the line."""
    hint = rule[TABLE]
    columns: Mapping[str, Any] = hint["columns"]
    field = f"workflow_params.{name}"
    if len(text.encode()) > MOST_BYTES:
        raise BadRequest(f"{field}: a table of {MOST_BYTES >> 10} KiB at most.")
    lines = [line.removesuffix("\r").split("\t") for line in text.removesuffix("\n").split("\n")]
    if lines[0] != list(columns):
        raise BadRequest(f"{field}: the first line names the columns, with tabs between: {', '.join(columns)}.")
    if not 0 < len(lines) - 1 <= _most(hint):
        raise BadRequest(f"{field}: from 1 to {_most(hint)} rows.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        wrong = [c for c, cell in zip(columns, cells, strict=False) if not _fits(cell, columns[c])]
        if len(cells) != len(columns) or wrong:
            # Never the cell: it may be somebody's data.
            raise BadRequest(
                f"{field}, line {number}: {wrong[0] if wrong else 'a cell'} is not what the schema allows."
            )
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def path_of(name: str, value: str, rule: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]) -> str:
    """Return the path of the file that a parameter names: one of those chosen for its slot, and nothing else."""
    slot = rule[FILE]
    for path in chosen.get(slot, ()):
        # In a folder that the manifest names, no file's name has a slash.
        if path == f"inputs/{slot}/{value}" or (not path.startswith("inputs/") and path.split("/")[-1] == value):
            return path
    raise BadRequest(f"workflow_params.{name}: the name of a file that this run reads as {slot}.")


def resolve(
    properties: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
    chosen: Mapping[str, Sequence[str]],
    single: Collection[str] = (),
    root: str = "",
) -> dict[str, Any]:
    """Return checked parameters as the engine reads them: tables as rows, files as paths.

    `single` are slots of at most one file, which a parameter is that names none. Of a slot that was left
    empty a parameter is what the workflow itself makes of it. `root` is where paths begin.
    """
    found = dict(given)
    for name, rule in properties.items():
        if FILES in rule and name in given:
            slot = rule[FILES]
            found[name] = f"{root}inputs/{slot}/{given[name]}"
            if not chosen.get(slot):
                del found[name]
        elif FILE in rule and name not in given and rule[FILE] in single and len(chosen.get(rule[FILE], ())) == 1:
            found[name] = root + chosen[rule[FILE]][0]
    for name, value in given.items():
        rule = properties.get(name, {})
        if TABLE in rule:
            found[name] = rows_of(name, value, rule)
        elif FILE in rule:
            found[name] = root + path_of(name, value, rule, chosen)
    return found


def form_of(parameters: Mapping[str, Any], slots: Sequence[Any]) -> dict[str, Any]:
    """Return the JSON Schema of `workflow_params` as a whole: what a page needs to draw the form."""
    chosen = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
    inputs = {
        slot.name: {
            "x-strongroom-dataset": {"pattern": slot.pattern, "min_files": slot.least, "max_files": slot.most},
            "anyOf": [
                {"type": "string", "description": "A dataset's name: all of its files that fit."},
                {
                    "type": "object",
                    "properties": {"dataset": {"type": "string"}, "files": chosen},
                    "required": ["dataset"],
                    "additionalProperties": False,
                },
            ],
        }
        for slot in slots
    }
    required = [slot.name for slot in slots if slot.least > 0]
    whole = {"type": "object", "properties": inputs, "required": required, "additionalProperties": False}
    properties = {"inputs": whole, **(parameters.get("properties") or {})}
    return {**parameters, "properties": properties, "required": ["inputs", *parameters.get("required", [])]}


def _fits(cell: str, allowed: Any) -> bool:
    if isinstance(allowed, list):
        return cell in allowed
    pattern = plain_pattern(allowed)
    return pattern is not None and pattern.fits(cell)


def _most(hint: Mapping[str, Any]) -> int:
    most = hint.get("max_rows", 1000)
    return most if isinstance(most, int) and not isinstance(most, bool) else 0
