"""Says which input slots and checkpoints an expression stands on, through the names that a file's code binds."""

import ast
from collections import defaultdict
from collections.abc import Iterator

from strongroom_outline.constants import config_path

MOST, LONGEST, LONGEST_NAME = 20, 40, 200
MOST_NODES = 2000


class Slots:
    """What a file's names are bound to, anywhere in it: more than one run would bind, never less."""

    def __init__(self) -> None:
        self._bound: dict[str, list[ast.expr]] = defaultdict(list)

    def learn(self, tree: ast.AST) -> None:
        """Note what names are bound to: by =, for, with and in comprehensions."""
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._bind(target, value)
                case (
                    ast.AnnAssign(target=target, value=ast.expr() as value)
                    | ast.NamedExpr(target=target, value=value)
                    | ast.For(target=target, iter=value)
                    | ast.comprehension(target=target, iter=value)
                    | ast.withitem(context_expr=value, optional_vars=ast.expr() as target)
                ):
                    self._bind(target, value)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        for one in ast.walk(target):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                self._bound[one.id].append(value)

    def of(self, node: ast.expr) -> list[str]:
        """Return the slots in config["inputs"][SLOT] that an expression, or what its names are bound to, names."""
        paths = [config_path(one) or "" for one in self._under(node) if isinstance(one, ast.Subscript)]
        found = [path.split(".")[1][:LONGEST] for path in paths if path.startswith("inputs.")]
        return list(dict.fromkeys(found))[:MOST]

    def checkpoints(self, node: ast.expr) -> list[str]:
        """Return the rules in checkpoints.RULE.get(…) that an expression, or what its names are bound to, names."""
        names = [_checkpoint(one) for one in self._under(node) if isinstance(one, ast.Call)]
        return list(dict.fromkeys(name for name in names if name is not None))[:MOST]

    def _under(self, node: ast.expr) -> Iterator[ast.AST]:
        """Yield an expression's parts, and those of what its names are bound to."""
        waiting: list[ast.AST] = [node]
        seen: set[str] = set()
        for _ in range(MOST_NODES):
            if not waiting:
                break
            one = waiting.pop()
            if isinstance(one, ast.Name) and one.id not in seen:
                seen.add(one.id)
                waiting += self._bound.get(one.id, ())
            yield one
            waiting += ast.iter_child_nodes(one)


def _checkpoint(node: ast.Call) -> str | None:
    match node.func:
        case ast.Attribute(attr="get", value=ast.Attribute(attr=name, value=ast.Name(id="checkpoints"))):
            return name[:LONGEST_NAME]
        case _:
            return None


def separators(node: ast.Call) -> list[str]:
    """Return the texts that a call names as what separates columns."""
    said = [one.value for one in node.keywords if one.arg in ("sep", "delimiter")]
    if isinstance(node.func, ast.Attribute) and node.func.attr == "split":
        said += node.args[:1]
    return [one.value[:LONGEST] for one in said if isinstance(one, ast.Constant) and isinstance(one.value, str)]
