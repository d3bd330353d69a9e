"""Fetches Snakemake's own tests and reads from them what they run, with what they expect of it."""

import ast
import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "9.27.1"
SHA256 = "f772714bb4133f836f0b5c3124ed70ef954c223aa034d6fcaf0282a4bbb98a5e"
CACHE = Path.home() / ".cache" / "strongroom" / "snakemake-suite"


@dataclass(frozen=True)
class Case:
    """One call of the suite's `run()`: a folder with a workflow, how it is started, and what is expected."""

    name: str
    folder: Path
    snakefile: str = "Snakefile"
    targets: tuple[str, ...] = ()
    fails: bool = False
    asked: dict[str, Any] = field(default_factory=dict)  # all other words of the call

    @property
    def compares(self) -> bool:
        """Say whether the suite looks at the results."""
        return bool(self.asked.get("check_results", not self.fails))


def fetched() -> Path:
    """Return the folder of the suite, fetched once by pip, its hash verified; it is never part of this repository."""
    folder = CACHE / f"snakemake-{VERSION}"
    archive = CACHE / f"snakemake-{VERSION}.tar.gz"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        words = ["download", "-q", "--no-deps", "--no-binary", "snakemake", "-d", str(CACHE), f"snakemake=={VERSION}"]
        subprocess.run(["/usr/bin/python3.11", "-m", "pip", *words], check=True)
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        archive.unlink()
        raise ValueError(f"{archive.name} is not the archive that this test was written for.")
    if not folder.exists():
        with tarfile.open(archive) as packed:
            inside = f"snakemake-{VERSION}/tests/"
            packed.extractall(CACHE, [one for one in packed if one.name.startswith(inside) and ".." not in one.name])
    return folder / "tests"


def cases(tests: Path) -> Iterator[Case]:
    """Yield every call of `run()` in the suite's main file; nothing of the suite's Python is executed."""
    tree = ast.parse((tests / "tests.py").read_text())
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test") and not _is_elsewhere(function):
            calls = [node for node in ast.walk(function) if _is_run(node)]
            for number, call in enumerate(calls):
                name = function.name if len(calls) == 1 else f"{function.name}-{number + 1}"
                case = _case(name, call, tests)
                if case is not None:
                    yield case


def _is_elsewhere(function: ast.FunctionDef) -> bool:
    """Say whether the suite itself skips a test here: it is for Windows, or marked to be skipped."""
    marks = [ast.unparse(mark) for mark in function.decorator_list]
    return any(mark == "only_on_windows" or mark.startswith("pytest.mark.skip(") for mark in marks)


def _is_run(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "run"


def _case(name: str, call: Any, tests: Path) -> Case | None:
    folder = _folder(call.args[0]) if call.args else None
    if folder is None:
        return None  # the folder is computed: another call of the same test has it in words
    asked = {word.arg: _value(word.value) for word in call.keywords if word.arg is not None}
    if any(word.arg is None for word in call.keywords):
        asked["**"] = ...
    return Case(
        name,
        tests / folder,
        str(asked.pop("snakefile", "Snakefile")),
        _targets(asked.pop("targets", ())),
        asked.pop("shouldfail", False) is not False,
        asked,
    )


def _folder(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dpath":
        told = node.args[0]
        return str(told.value) if isinstance(told, ast.Constant) else None
    return None


def _targets(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list | tuple | set) else ("...",)


def _value(node: ast.AST) -> Any:
    """Return what a word of the call says; `...` for what only running the suite would tell."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
        return str(ast.literal_eval(node.func.value)).split()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {word.arg: _value(word.value) for word in node.keywords}
    try:
        return ast.literal_eval(node)  # type: ignore[arg-type]
    except ValueError:
        return ...
