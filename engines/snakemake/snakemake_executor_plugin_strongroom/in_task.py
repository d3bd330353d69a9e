"""Runs a rule's script in its task with the `snakemake` object it expects; needs nothing but Python 3.6."""

import os
import runpy
import sys
import types
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


def run(path: str, facts: "dict[str, dict[str, Any]]") -> None:
    """Run the script at `path` as a main program; `facts` is what the engine knows of the job."""
    snakemake = types.SimpleNamespace(**facts["plain"])
    for kind, (items, names) in facts["named"].items():
        setattr(snakemake, kind, Named(items, names))
    # Scripts may say `from snakemake.script import snakemake`.
    package, script = types.ModuleType("snakemake"), types.ModuleType("snakemake.script")
    package.__dict__.update(script=script)
    script.__dict__.update(snakemake=snakemake)
    sys.modules.setdefault("snakemake", package)
    sys.modules.setdefault("snakemake.script", script)
    sys.path[0] = os.path.dirname(path)  # noqa: PTH120
    sys.argv = [path]
    runpy.run_path(path, init_globals={"snakemake": snakemake}, run_name="__main__")
