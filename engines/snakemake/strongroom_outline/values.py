"""Says of an expression what can be known of its value without running it."""

import ast
from typing import Any

from strongroom_outline import constants

LONGEST = 4000
MOST_DEEP = 60
# Snakemake's words round a file's name.
MARKS = frozenset({"temp", "temporary", "protected", "directory", "touch", "pipe", "service", "ancient", "unpack"})
MARKS |= {"update", "before_update", "ensure", "report", "local", "nonempty", "repeat", "from_queue"}
MANY = frozenset(["expand", "collect", "multiext", "branch", "lookup", "glob_wildcards"])
CHANGES = frozenset(["append", "extend", "insert", "remove", "pop", "sort", "reverse", "clear", "update"])
COUNTS = frozenset(["len", "int", "round"])


class Globals:
    """The names that a file gives a value once, at its top level; `entry` is where the workflow begins."""

    def __init__(self, path: str = "", entry: str = "") -> None:
        self.values: dict[str, ast.expr] = {}
        self.known: dict[str, Any] = {}
        self.path, self.entry = path, entry

    def learn(self, tree: ast.Module) -> None:
        """Note plain assignments; what is assigned twice, or changed where it is, is not known."""
        stored = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        stored += [name for node in ast.walk(tree) if (name := _changed(node)) is not None]
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if stored.count(name) == 1 and not isinstance(node.value, ast.Dict):
                    self.values[name] = node.value


def _changed(node: ast.AST) -> str | None:
    """Return the name of the list or map that a call or an assignment changes."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in CHANGES:
            return name
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            return name
        case _:
            return None


def argument(key: str | None, node: ast.expr, names: Globals, line: int, *, called: bool = False) -> dict[str, Any]:
    """Return one argument: its text, and its kind and value as far as they are plain.

    `called` says that a function of the job's wildcards stands for what it gives, as a text with {wildcards} does.
    """
    marks: list[str] = []
    inner = node
    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.args:
        if inner.func.id not in MARKS | MANY:
            break
        marks.append(inner.func.id)
        inner = inner.args[0]
    kind, value = (_called(inner, names) if called else None) or _kind(inner, names, 0)
    text = ast.unparse(node)[:LONGEST]
    return {"key": key, "kind": kind, "value": value, "text": text, "marks": marks, "line": line}


def _called(node: ast.expr, names: Globals) -> tuple[str, str] | None:
    if not isinstance(node, ast.Lambda):
        return None
    text, own = constants.of_wildcards(node, names), constants.of_job(node)
    return ("text", text) if text is not None else ("job", own) if own is not None else None


def _kind(node: ast.expr, names: Globals, depth: int) -> tuple[str, Any]:
    if depth > MOST_DEEP:
        return "code", None
    match node:
        case ast.Constant(value=None):
            return "nothing", None
        case ast.Lambda():
            return "lambda", None
        case ast.IfExp(body=body, orelse=other):
            return _choice(body, other, names, depth)
        case ast.Subscript() if (path := constants.config_path(node, names)) is not None:
            return "config", path
        case ast.Call(func=ast.Name(id="lookup")) if (path := constants.looked_up(node)) is not None:
            return "config", path
        case ast.Name(id=name) if name in names.values and depth < MOST_DEEP:
            return _kind(names.values[name], names, depth + 1)
    match constants.of(node, names):
        case str() as text:
            return "text", text
        case bool() | int() | float() as number:
            return "number", number
        case list() | tuple() as items if all(isinstance(one, str) for one in items):
            return "texts", list(items)
    match node:
        case ast.JoinedStr():
            return "format", None
        case ast.Call(func=ast.Name(id=name)) if name in COUNTS:
            return "count", None
    return "code", None


def _choice(body: ast.expr, other: ast.expr, names: Globals, depth: int) -> tuple[str, Any]:
    values: list[Any] = []
    for node in (body, other):
        kind, value = _kind(node, names, depth + 1)
        if kind == "choice":
            values += value
        elif kind in ("text", "number"):
            values.append(value)
        else:
            return "code", None
    return "choice", values


def written(text: str) -> dict[Any, Any] | None:
    """Return a dictionary that is written out in full."""
    try:
        said = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return said if isinstance(said, dict) else None
