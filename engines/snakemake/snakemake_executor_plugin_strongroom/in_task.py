"""Runs a rule's script in its task with the `snakemake` object it expects; needs nothing but Python 3.6."""

import inspect
import os
import runpy
import string
import subprocess
import sys
import types
from shlex import quote
from typing import Any


class Named(list):  # type: ignore[type-arg]
    """A list whose items can also be had by name, as Snakemake's own."""

    def __init__(self, items: "list[object]", names: "dict[str, tuple[int, int | None]]") -> None:
        list.__init__(self, items)
        self._names = names
        for name, (start, end) in names.items():
            setattr(self, name, items[start] if end is None else Named(items[start:end], {}))

    def __getitem__(self, key):  # type: ignore[no-untyped-def]
        return getattr(self, key) if isinstance(key, str) else list.__getitem__(self, key)

    def __str__(self) -> str:
        return " ".join(map(str, self))

    def get(self, name: str, default: object = None) -> object:
        return getattr(self, name) if name in self._names else default

    def keys(self) -> "list[str]":
        return list(self._names)

    def items(self) -> "list[tuple[str, object]]":
        return [(name, getattr(self, name)) for name in self._names]


class Words(string.Formatter):
    """Formats a command as Snakemake does: lists as words, and `{x:q}` as one quoted word each."""

    def format_field(self, value: object, form: str) -> str:
        if form in ("q", "u"):
            several = isinstance(value, (list, tuple, set, frozenset))
            words = map(str, value) if several else [str(value)]  # type: ignore[call-overload]
            return " ".join(quote(word) if form == "q" else word for word in words)
        if isinstance(value, (list, tuple, set, frozenset)):
            value = " ".join(map(str, value))
        return string.Formatter.format_field(self, value, form)


class Snakemake(types.SimpleNamespace):
    """What a script may ask of its job."""

    def log_fmt_shell(self, stdout: bool = True, stderr: bool = True, append: bool = False) -> str:
        """Return the redirection into the job's log that a wrapper asks for."""
        name = str(self.log)
        if not name or not (stdout or stderr):
            return ""
        arrow = ">>" if append else ">"
        if stdout and stderr:
            return f" {arrow} {quote(name)} 2>&1"
        return " {}{} {}".format("" if stdout else "2", arrow, quote(name))


def shell(command: str, *, read: bool = False, iterable: bool = False, **variables: object) -> Any:
    """Run a command as `snakemake.shell.shell` does: the caller's variables in braces, strict bash."""
    frame = inspect.currentframe()
    caller = frame.f_back if frame is not None else None
    known = dict(caller.f_globals, **caller.f_locals) if caller is not None else {}
    line = "set -euo pipefail; " + Words().vformat(command, (), dict(known, **variables))
    if not read and not iterable:
        subprocess.run(["bash", "-c", line], check=True)
        return None
    text = subprocess.run(["bash", "-c", line], check=True, stdout=subprocess.PIPE, text=True).stdout
    return iter(text.splitlines()) if iterable else text


def run(path: str, facts: "dict[str, dict[str, Any]]") -> None:
    """Run the script at `path` as a main program; `facts` is what the engine knows of the job."""
    snakemake = Snakemake(**facts["plain"])
    for kind, (items, names) in facts["named"].items():
        setattr(snakemake, kind, Named(items, names))
    # Scripts may say `from snakemake.script import snakemake`, wrappers `from snakemake.shell import shell`.
    package = types.ModuleType("snakemake")
    for name, content in (("script", {"snakemake": snakemake}), ("shell", {"shell": shell})):
        module = types.ModuleType("snakemake." + name)
        module.__dict__.update(content)
        setattr(package, name, module)
        sys.modules.setdefault("snakemake." + name, module)
    sys.modules.setdefault("snakemake", package)
    known = {"snakemake": snakemake, "__real_file__": sys.argv[0]}
    sys.path[0] = os.path.dirname(path)  # noqa: PTH120
    sys.argv = [path]
    runpy.run_path(path, init_globals=known, run_name="__main__")
