"""Says of an expression what can be known of its value without running it."""

import ast
from typing import Any

LONGEST = 4000
MOST_DEEP = 60
# Snakemake's words round a file's name.
MARKS = frozenset({"temp", "temporary", "protected", "directory", "touch", "pipe", "service", "ancient", "unpack"})
MARKS |= {"update", "before_update", "ensure", "report", "local", "nonempty", "repeat", "from_queue"}
MANY = frozenset(["expand", "collect", "multiext", "branch", "lookup", "glob_wildcards"])
COUNTS = frozenset(["len", "int", "round"])


class Globals:
    """The names that a file gives a value once, at its top level."""

    def __init__(self) -> None:
        self.values: dict[str, ast.expr] = {}

    def learn(self, tree: ast.Module) -> None:
        """Note plain assignments; what is assigned twice is not known."""
        stored = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if stored.count(name) == 1 and not isinstance(node.value, ast.Dict):
                    self.values[name] = node.value


def argument(key: str | None, node: ast.expr, names: Globals, line: int) -> dict[str, Any]:
    """Return one argument: its text, and its kind and value as far as they are plain."""
    marks: list[str] = []
    inner = node
    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.args:
        if inner.func.id not in MARKS | MANY:
            break
        marks.append(inner.func.id)
        inner = inner.args[0]
    kind, value = _kind(inner, names, 0)
    text = ast.unparse(node)[:LONGEST]
    return {"key": key, "kind": kind, "value": value, "text": text, "marks": marks, "line": line}


def _kind(node: ast.expr, names: Globals, depth: int) -> tuple[str, Any]:
    if depth > MOST_DEEP:
        return "code", None
    match node:
        case ast.Constant(value=str() as text):
            return "text", text
        case ast.Constant(value=bool() | int() | float() as number):
            return "number", number
        case ast.Constant(value=None):
            return "nothing", None
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            (one, first), (two, second) = _kind(left, names, depth + 1), _kind(right, names, depth + 1)
            return ("text", first + second) if one == two == "text" else ("code", None)
        case ast.Lambda():
            return "lambda", None
        case ast.JoinedStr():
            return "format", None
        case ast.IfExp(body=body, orelse=other):
            return _choice(body, other, names, depth)
        case ast.Subscript() if (path := config_path(node)) is not None:
            return "config", path
        case ast.Call(func=ast.Name(id=name)) if name in COUNTS:
            return "count", None
        case ast.Name(id=name) if name in names.values and depth < MOST_DEEP:
            return _kind(names.values[name], names, depth + 1)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = [_kind(item, names, depth + 1) for item in items]
            plain = all(kind == "text" for kind, _ in values)
            return ("texts", [value for _, value in values]) if plain else ("code", None)
        case _:
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


def config_path(node: ast.expr) -> str | None:
    """Return a.b of config["a"]["b"]."""
    parts: list[str] = []
    while isinstance(node, ast.Subscript):
        if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
            return None
        parts.insert(0, node.slice.value)
        node = node.value
    return ".".join(parts) if isinstance(node, ast.Name) and node.id == "config" and parts else None


def written(text: str) -> dict[Any, Any] | None:
    """Return a dictionary that is written out in full."""
    try:
        said = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return said if isinstance(said, dict) else None
