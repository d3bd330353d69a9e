"""Reads one file, translated to Python: its rules with their directives, its other statements, and its calls."""

import ast
from typing import Any

from strongroom_outline.constants import config_path
from strongroom_outline.slots import Slots, separators
from strongroom_outline.values import Globals, argument

# What Snakemake's parser makes of words outside of rules.
STATEMENTS = {
    "include": "include",
    "module": "module",
    "configfile": "configfile",
    "workdir": "workdir",
    "pepfile": "pepfile",
    "pepschema": "pepschema",
    "report": "report",
    "register_envvars": "envvars",
    "register_storage": "storage",
    "storage_registry": "storage",
    "global_container": "container",
    "global_containerized": "containerized",
    "global_conda": "conda",
    "register_pathvars": "pathvars",
    "global_wildcard_constraints": "wildcard_constraints",
    "scattergather": "scattergather",
    "localrules": "localrules",
    "ruleorder": "ruleorder",
    "onstart": "onstart",
    "onsuccess": "onsuccess",
    "onerror": "onerror",
}
# Rules' directives whose name in the translation is another one.
DIRECTIVES = {
    "shellcmd": "shell",
    "register_wildcard_constraints": "wildcard_constraints",
    "cache_rule": "cache",
    "rule_pathvars": "pathvars",
}
LONGEST = 4000


class Reading:
    """What one file holds; lines are the source's own."""

    def __init__(self, path: str, lines: dict[int, int], entry: str = "") -> None:
        self.path, self.lines = path, lines
        self.rules: list[dict[str, Any]] = []
        self.statements: list[dict[str, Any]] = []
        self.calls: list[dict[str, Any]] = []
        self.globals: list[dict[str, Any]] = []
        self.reads: list[dict[str, Any]] = []
        self.configs: list[dict[str, Any] | None] = []  # its configuration files; None for one that is not known
        self.names = Globals(path, entry)
        self.slots = Slots()

    def visit_module(self, tree: ast.Module) -> None:
        """Read a translated Snakefile."""
        self.names.learn(tree)
        self.slots.learn(tree)
        for name, value in self.names.values.items():
            self.globals.append(argument(name, value, self.names, self.line(value)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and (rule := self._rule(node)) is not None:
                self.rules.append(rule)
        self._walk(tree, "parse")

    def visit_script(self, tree: ast.Module) -> None:
        """Read a Python script, which runs in tasks."""
        self._walk(tree, "task")

    def line(self, node: ast.AST) -> int:
        """Return the line of the source that `node` comes from."""
        found = getattr(node, "lineno", 0)
        return self.lines.get(found, found)

    def _walk(self, node: ast.AST, where: str) -> None:
        """Note calls and statements; `where` says when the code would run."""
        for child in ast.iter_child_nodes(node):
            inner = where
            if isinstance(child, ast.FunctionDef):
                if self._is_command_of_a_rule(child):
                    continue  # Snakemake's own words; the directives have been read
                for decorator in child.decorator_list:
                    self._decorated(decorator, child)
                inner = "run" if _is_rule(child) else "hook" if child.name.startswith("__on") else where
            elif isinstance(child, ast.Call):
                self._call(child, where)
            elif isinstance(child, ast.Import | ast.ImportFrom):
                self._import(child, where)
            elif isinstance(child, ast.Subscript) and (path := config_path(child)) is not None:
                self.reads.append({"path": path[:400], "default": None})
            self._walk(child, inner)

    def _is_command_of_a_rule(self, function: ast.FunctionDef) -> bool:
        directives = {_workflow_word(d) for d in function.decorator_list}
        commands = {"shellcmd", "script", "wrapper", "notebook", "template_engine", "cwl", "norun"}
        if not (_is_rule(function) and directives & commands):
            return False
        for decorator in function.decorator_list:
            self._walk(ast.Expr(decorator), "parse")
        return True

    def _decorated(self, decorator: ast.expr, function: ast.FunctionDef) -> None:
        name = STATEMENTS.get(_workflow_word(decorator) or "")
        if name is not None:
            self._state(name, function.body[0] if function.body else function, [])

    def _call(self, node: ast.Call, where: str) -> None:
        word = _workflow_word(node)
        if word is not None:
            if word in STATEMENTS:
                self._state(STATEMENTS[word], node, self._arguments(node))
            return
        name = _dotted(node.func)
        if name is not None:
            given = self._arguments(node)
            first = given[:1]
            if name == "config.get" and first and isinstance(first[0]["value"], str):
                self.reads.append({"path": first[0]["value"][:400], "default": (given[1:2] or [None])[0]})
            text = ast.unparse(node)[:LONGEST]
            more = {"slots": self.slots.of(node), "separators": separators(node)}
            more["checkpoints"] = self.slots.checkpoints(node)
            self._note(name, node, where, text=text, first=first[0] if first else None, **more)

    def _import(self, node: ast.Import | ast.ImportFrom, where: str) -> None:
        if isinstance(node, ast.ImportFrom):
            names = [f"{'.' * node.level}{node.module or ''}"]
        else:
            names = [alias.name for alias in node.names]
        for name in names:
            self._note(f"import {name}", node, where, text=ast.unparse(node)[:LONGEST], first=None)

    def _note(
        self, name: str, node: ast.AST, where: str, *, text: str, first: dict[str, Any] | None, **more: list[str]
    ) -> None:
        one = {"file": self.path, "line": self.line(node), "name": name, "where": where, "text": text, "first": first}
        self.calls.append({**one, "slots": [], "separators": [], "checkpoints": [], **more})

    def _state(self, name: str, node: ast.AST, arguments: list[dict[str, Any]]) -> None:
        self.statements.append({"file": self.path, "line": self.line(node), "name": name, "arguments": arguments})

    def _arguments(self, node: ast.Call, *, called: bool = False) -> list[dict[str, Any]]:
        given = [*((None, one) for one in node.args), *((one.arg, one.value) for one in node.keywords)]
        return [argument(key, one, self.names, self.line(one), called=called) for key, one in given]

    def _rule(self, function: ast.FunctionDef) -> dict[str, Any] | None:
        facts: dict[str, Any] | None = None
        directives: dict[str, list[dict[str, Any]]] = {}
        for decorator in function.decorator_list:
            word = _workflow_word(decorator)
            if word in ("rule", "userule") and isinstance(decorator, ast.Call):
                facts = self._rule_facts(word, decorator, function)
            elif word == "run":
                continue
            elif word is not None and isinstance(decorator, ast.Call):
                directives.setdefault(DIRECTIVES.get(word, word), []).extend(
                    self._arguments(decorator, called=word == "params")
                )
        if facts is None:
            return None
        commands = {"shell", "script", "wrapper", "notebook", "template_engine", "cwl", "norun"}
        if facts["kind"] != "use" and not commands & set(directives):
            directives["run"] = []
        return {**facts, "directives": directives}

    def _rule_facts(self, word: str, decorator: ast.Call, function: ast.FunctionDef) -> dict[str, Any]:
        said = {k.arg: k.value.value for k in decorator.keywords if isinstance(k.value, ast.Constant)}
        compiled = said.get("lineno")
        line = self.lines.get(compiled, 0) if isinstance(compiled, int) else self.line(function)
        if word == "userule":
            lists = {k.arg: ast.literal_eval(k.value) for k in decorator.keywords if isinstance(k.value, ast.List)}
            reuse = {"rules": lists["rules"], "without": lists.get("exclude_rules", [])}
            reuse |= {"module": said.get("from_module"), "as": said.get("name_modifier")}
            name = f"use {', '.join(reuse['rules'])} from {reuse['module']} as {reuse['as']}"
            return {"name": name[:200], "kind": "use", "file": self.path, "line": line, "reuse": reuse}
        kind = "checkpoint" if said.get("checkpoint") else "rule"
        named = said.get("name") or function.name.removeprefix("__rule_")
        return {"name": str(named)[:200], "kind": kind, "file": self.path, "line": line}


def _is_rule(function: ast.FunctionDef) -> bool:
    return any(_workflow_word(d) in ("rule", "userule") for d in function.decorator_list)


def _workflow_word(node: ast.expr) -> str | None:
    """Return X of workflow.X or workflow.X(…)."""
    called = node.func if isinstance(node, ast.Call) else node
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "workflow":
        return called.attr
    return None


def _dotted(node: ast.expr) -> str | None:
    """Return a.b.c as text; a method of anything else is told as .name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f".{node.attr}"
    return None
