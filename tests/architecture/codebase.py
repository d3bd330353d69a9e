"""Reads the source tree the way the architecture tests ask about it."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("access", "archive", "airlock", "tes", "wes", "sandbox")
CASES = ("tests", "airlock-cases")  # what the airlock must judge, not code of ours


@cache
def files() -> tuple[Path, ...]:
    """Return every file that git knows or would take, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(Path(name) for name in set(listed.split("\0")) if name and (ROOT / name).is_file()))


def python_files(*folders: str) -> list[Path]:
    """Return the Python files, of these top-level folders if any are named."""
    ours = (f for f in files() if f.suffix == ".py" and f.parts[:2] != CASES)
    return [f for f in ours if not folders or f.parts[0] in folders]


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything a file imports, wherever in the file; relative ones start with a dot."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                source = "." * level + (module or "")
                yield from (f"{source}.{alias.name}" if source.strip(".") else source + alias.name for alias in names)
            case _:
                pass


def imported_packages(path: Path) -> set[str]:
    """Return the top-level names that a file imports absolutely."""
    return {name.partition(".")[0] for name in imports(path) if not name.startswith(".")}


def of_line(path: Path, line: int) -> str:
    """Return a place that editors open."""
    return f"{path}:{line}"
