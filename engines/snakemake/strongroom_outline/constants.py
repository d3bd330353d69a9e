"""Works out what a workflow's expression is, where all of it is written out: in few steps, and running none of it."""

import ast
import operator
import os
from typing import Any, Protocol

WORKFLOW = "/run/workflow"
DEEPEST, LONGEST, MOST_ITEMS, LARGEST = 40, 8000, 1000, 1 << 64


class _Unknown:
    """What cannot be known."""


UNKNOWN = _Unknown()
NUMBERS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
TEXTS = {"str": str, "int": int, "float": float, "len": len}


class Names(Protocol):
    """The names of a file with one value, the file's path in the workflow's folder, and where the workflow begins."""

    values: dict[str, ast.expr]
    known: dict[str, Any]  # what of them was worked out already, so that none is twice (T30)
    path: str
    entry: str


def of(node: ast.expr, names: Names, depth: int = 0) -> Any:
    """Return the value of an expression of constants; UNKNOWN if something else is in it, or too much."""
    if depth > DEEPEST:
        return UNKNOWN
    found = _of(node, names, depth + 1)
    return found if _is_small(found) else UNKNOWN


def _of(node: ast.expr, names: Names, depth: int) -> Any:
    match node:
        case ast.Constant(value=str() | bool() | int() | float() as value):
            return value
        case ast.Name(id=name) if name in names.values:
            if name not in names.known:
                names.known[name] = UNKNOWN  # while it is worked out: a name that needs itself has no value
                names.known[name] = of(names.values[name], names, depth)
            return names.known[name]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = [of(one, names, depth) for one in items[: MOST_ITEMS + 1]]
            return UNKNOWN if UNKNOWN in values else values if isinstance(node, ast.List) else tuple(values)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=inner):
            value = of(inner, names, depth)
            return UNKNOWN if not _is_number(value) else -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _together(of(left, names, depth), op, of(right, names, depth))
        case ast.Subscript(value=inner, slice=index):
            return _part(of(inner, names, depth), of(index, names, depth))
        case ast.JoinedStr(values=parts):
            return _joined([_spoken(one, names, depth) for one in parts], "")
        case ast.Attribute(value=ast.Name(id="workflow"), attr="basedir"):
            return folder_of(names.entry)
        case ast.Call():
            return _called(node, names, depth)
        case _:
            return UNKNOWN


def _called(node: ast.Call, names: Names, depth: int) -> Any:
    values = [of(one, names, depth) for one in node.args]
    if node.keywords or UNKNOWN in values:
        return UNKNOWN
    match node.func, values:
        case ast.Attribute(value=ast.Name(id="workflow"), attr="source_path"), [str() as path]:
            return os.path.normpath(os.path.join(folder_of(names.path), path))  # noqa: PTH118
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="os"), attr="path"), attr="join"), [_, *_]:
            return os.path.join(*values) if all(isinstance(one, str) for one in values) else UNKNOWN  # noqa: PTH118
        case ast.Attribute(value=between, attr="join"), [list() | tuple() as items]:
            return _joined(list(items), of(between, names, depth))
        case ast.Name(id=name), [value] if name in TEXTS:
            try:
                return TEXTS[name](value)
            except (TypeError, ValueError, OverflowError):
                return UNKNOWN
        case _:
            return UNKNOWN


def folder_of(path: str) -> str:
    """Return where a file of the workflow's folder lies, in the walls of engines and of tasks."""
    return os.path.normpath(f"{WORKFLOW}/{os.path.dirname(path)}")  # noqa: PTH120


def _together(left: Any, op: ast.operator, right: Any) -> Any:
    if isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, str | list | tuple):
        return left + right
    if not (_is_number(left) and _is_number(right)) or type(op) not in NUMBERS:
        return UNKNOWN
    try:
        return NUMBERS[type(op)](left, right)
    except (ArithmeticError, ValueError):
        return UNKNOWN


def _part(whole: Any, index: Any) -> Any:
    if not isinstance(whole, list | tuple | str) or type(index) is not int:
        return UNKNOWN
    return whole[index] if -len(whole) <= index < len(whole) else UNKNOWN


def _spoken(part: ast.expr, names: Names, depth: int) -> Any:
    """Return a part of an f-string as it is written there."""
    if not isinstance(part, ast.FormattedValue):
        return of(part, names, depth)
    value = of(part.value, names, depth)
    plain = part.conversion == -1 and part.format_spec is None and isinstance(value, str | int | float)
    return str(value) if plain else UNKNOWN


def _joined(parts: list[Any], between: Any) -> Any:
    return between.join(parts) if isinstance(between, str) and all(isinstance(p, str) for p in parts) else UNKNOWN


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_small(value: Any) -> bool:
    match value:
        case bool() | float():
            return True
        case int():
            return abs(value) < LARGEST
        case str():
            return len(value) <= LONGEST
        case list() | tuple():
            return len(value) <= MOST_ITEMS and sum(len(str(one)) for one in value) <= LONGEST * 10
        case _:
            return False


def of_wildcards(node: ast.Lambda, names: Names) -> str | None:
    """Return what a function of a job's wildcards gives as Snakemake writes it in a text: {sample}; None if more."""
    known = [one.arg for one in node.args.args]
    if len(known) != 1 or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        return None
    parts = node.body.values if isinstance(node.body, ast.JoinedStr) else [node.body]
    found = [_of_wildcard(one, known[0], names) for one in parts]
    return None if None in found or not any(_is_wildcard(p, known[0]) for p in parts) else "".join(map(str, found))


def _of_wildcard(part: ast.expr, known: str, names: Names) -> str | None:
    if (name := _is_wildcard(part, known)) is not None:
        return f"{{{name}}}"
    value = _spoken(part, names, 0)
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else None


def _is_wildcard(part: ast.expr, known: str) -> str | None:
    match part:
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _is_wildcard(value, known)
        case ast.Attribute(value=ast.Name(id=name), attr=wildcard) if name == known and wildcard.isidentifier():
            return wildcard
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as wildcard)) if name == known:
            return wildcard if wildcard.isidentifier() else None
        case _:
            return None


def of_job(node: ast.Lambda) -> str | None:
    """Return what of its job a function gives, as commands name it: output[0], input.ref, threads; None if more."""
    known = [one.arg for one in node.args.args][1:]
    if node.args.defaults or node.args.vararg or node.args.kwarg or node.args.kwonlyargs:
        return None
    match node.body:
        case ast.Name(id="input" | "output" | "threads" as word) if word in known:
            return word
        case ast.Attribute(value=ast.Name(id="input" | "output" | "resources" as word), attr=name) if word in known:
            return f"{word}.{name}" if name.isascii() else None
        case ast.Subscript(value=ast.Name(id="input" | "output" as word), slice=ast.Constant(value=key)):
            plain = (isinstance(key, str) and key.isascii() and key.isidentifier()) or (
                type(key) is int and key < 1000
            )
            return f"{word}[{key}]" if word in known and plain else None
        case _:
            return None


def looked_up(node: ast.Call) -> str | None:
    """Return a.b of lookup(dpath="a/b", within=config)."""
    said = {one.arg: one.value for one in node.keywords}
    match said.get("dpath"), said.get("within"):
        case ast.Constant(value=str() as path), ast.Name(id="config") if len(said) == 2 and not node.args:
            return path.replace("/", ".") if "/" in path and "{" not in path and "." not in path else None
        case _:
            return None


def config_path(node: ast.expr, names: Names | None = None, depth: int = 0) -> str | None:
    """Return a.b of config["a"]["b"], and a.0 of config["a"][0]; a name may stand for what is before its brackets."""
    parts: list[str] = []
    while isinstance(node, ast.Subscript):
        match node.slice:
            case ast.Constant(value=str() as key):
                parts.insert(0, key)
            case ast.Constant(value=int() as place) if not isinstance(place, bool):
                parts.insert(0, str(place))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as place)):
                parts.insert(0, str(-place))
            case _:
                return None
        node = node.value
    if not isinstance(node, ast.Name) or depth > DEEPEST:
        return None
    if node.id == "config":
        return ".".join(parts) if parts else None
    if names is None or node.id not in names.values:
        return None
    above = config_path(names.values[node.id], names, depth + 1)
    return ".".join([above, *parts]) if above else None
