"""Every file keeps the house's style, where a linter cannot say it."""

import ast
import re
from pathlib import Path

from codebase import CASES, ROOMS, ROOT, files, of_line, python_files, tree

LONGEST_FILE = 400  # aim at 300
LONGEST_FUNCTION = 60
DRAWERS = {"util", "utils", "helper", "helpers", "common", "manager", "handler", "service", "base", "impl", "misc"}
DRAWER_CLASS = re.compile(r"\w+(Manager|Handler|Service|Impl|Helper|Utils?)$")
TWO_SENTENCES = re.compile(r"[.!?]\s+[A-Z`]")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_every_file_says_in_one_sentence_what_it_is_for() -> None:
    broken = []
    for path in python_files():
        said = " ".join((ast.get_docstring(tree(path)) or "").split())
        if not said.endswith(".") or TWO_SENTENCES.search(said):
            broken.append(f"{path}: {said or 'nothing'}")
    assert not broken


def test_no_file_eats_the_project() -> None:
    # Migrations are written by Alembic, and are never read as a whole.
    written = [path for path in python_files() if path.parts[:2] != ("migrations", "versions")]
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in written}
    assert not {path: length for path, length in lengths.items() if length > LONGEST_FILE}


def test_functions_can_be_read_at_once() -> None:
    broken = []
    for path in python_files("strongroom", *ROOMS):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    broken.append(f"{of_line(path, node.lineno)} {node.name}: {length} lines")
    assert not broken


def test_there_are_no_drawers() -> None:
    ours = [f for f in files() if f.parts[:2] != CASES]
    assert not [str(f) for f in ours if DRAWERS & {Path(part).stem.lower() for part in f.parts}]
    broken = [
        f"{of_line(path, node.lineno)} {node.name}"
        for path in python_files("strongroom", *ROOMS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and DRAWER_CLASS.match(node.name)
    ]
    assert not broken


def test_what_is_public_has_a_docstring() -> None:
    broken = [
        f"{of_line(path, node.lineno)} {node.name}"
        for path in python_files("strongroom", *ROOMS)
        for node in tree(path).body
        if isinstance(node, Defined) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not broken


def test_nothing_is_left_for_later() -> None:
    broken = [
        of_line(path, number)
        for path in python_files()
        for number, line in enumerate((ROOT / path).read_text().splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not broken


def test_no_test_is_skipped() -> None:
    # A real component that is missing must fail; a skip would hide it.
    broken = [
        of_line(path, node.lineno)
        for path in python_files("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"skip", "skipif", "xfail", "importorskip"}
        and ast.unparse(node.value).startswith("pytest")
    ]
    assert not broken


def test_commands_are_lists() -> None:
    broken = [
        of_line(path, node.lineno)
        for path in python_files("strongroom", "images", "demo", "engines", *ROOMS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (
            any(k.arg == "shell" and not _is_false(k.value) for k in node.keywords)
            or ast.unparse(node.func) in {"os.system", "os.popen", "subprocess.getoutput"}
        )
    ]
    assert not broken


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
