"""Writes the pages that are made from code, or with `--check` names the stale ones."""

import ast
import importlib
import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from airlock.contract_schema import contract_schema
from strongroom.settings import SOURCE, Settings
from strongroom.states import Steps

DOCS = SOURCE / "docs"
ROOMS = ("access", "archive", "airlock", "tes", "wes")
PROMISES = ("adversary", "journeys")
ROW, WIDE, ARC = 46, 140, 16  # of state drawings, in pixels
AHEAD, BACK = "#475569", "#b45309"
COMPUTED = {"tes.cores": "the machine's cores"}  # defaults that differ from host to host
THREAT = re.compile(r"_(t\d{1,2})_")
START, END = "<!-- generated: tests -->", "<!-- end -->"


def pages() -> dict[Path, str]:
    """Return every generated page with the text it must have."""
    threats = DOCS / "threat-model.md"
    return {
        DOCS / "settings.md": settings_page(),
        DOCS / "states.md": states_page(),
        DOCS / "workflow-findings.md": findings_page(),
        DOCS / "contract.schema.json": json.dumps(contract_schema(), indent=1) + "\n",
        threats: with_tests(threats.read_text()),
        **{DOCS / "states" / f"{module}.svg": drawing(steps) for module, _, steps in machines()},
    }


def settings_page() -> str:
    """Return the page of all settings: TOML key, variable, default and meaning."""
    lines = [
        "# Settings",
        "",
        "Settings come from one TOML file (`strongroom serve --config FILE`, or `STRONGROOM_CONFIG`) and from",
        "variables; a variable wins over the file. A name that is not on this page is refused. Without a file the",
        "embedded default holds: everything below `./strongroom-data`, on a loopback address, with the development",
        "issuer on.",
        "",
        "<!-- Written by docs/generated.py from strongroom/settings.py. -->",
    ]
    lines += _table("The whole", Settings, prefix=())
    return "\n".join(lines) + "\n"


def findings_page() -> str:
    """Return the page of all findings about workflows: code, how grave, why, and the cure."""
    from wes.lint_table import TABLE, Severity

    lines = [
        "# Findings about workflows",
        "",
        "`strongroom workflow vet` reads a workflow by its engine's own parser, inside walls and without running it,",
        "and says what it found. An **error** keeps the version out of the catalogue; at **look** vetters read the",
        "place; a **hint** is good manners. No finding is a wall: what holds is the engine's walls, its",
        "gateway and the airlock.",
        "",
        "<!-- Written by docs/generated.py from wes/lint_table.py. -->",
    ]
    for severity in Severity:
        lines += ["", f"## {severity.value.capitalize()}", "", "| Finding | Why | What to do |", "|---|---|---|"]
        for code, entry in TABLE.items():
            if entry.severity is severity:
                lines.append(f"| `{code}` | {entry.reason} | {entry.cure} |")
    return "\n".join(lines) + "\n"


def _table(title: str, part: type[BaseModel], *, prefix: tuple[str, ...]) -> list[str]:
    parts = {name: field for name, field in part.model_fields.items() if _is_part(field.annotation)}
    lines = ["", f"## {title}", "", "| Setting | Variable | Default | Meaning |", "|---|---|---|---|"]
    for name, field in part.model_fields.items():
        if name not in parts:
            key = (*prefix, name)
            variable = "STRONGROOM_" + "__".join(key).upper()
            default = COMPUTED.get(".".join(key)) or _default(field)
            lines.append(f"| `{'.'.join(key)}` | `{variable}` | {default} | {field.description or ''} |")
    for name, field in parts.items():
        kind = field.annotation
        assert isinstance(kind, type)
        lines += _table(f"`[{'.'.join((*prefix, name))}]` {kind.__doc__}", kind, prefix=(*prefix, name))
    return lines


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "none, must be set"
    if isinstance(value, Path) and value.is_relative_to(SOURCE):
        return f"`{value.relative_to(SOURCE)}` of the source"
    match value:
        case None | "" | ():
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"


def states_page() -> str:
    """Return the page of all state machines, one table each."""
    lines = [
        "# States",
        "",
        "Each thing that moves has an enum and a table of allowed steps; a step that is not in the table raises",
        "`IllegalStep` (`strongroom/states.py`). In the drawings, steps back are on the left and final states grey.",
        "",
        "<!-- Written by docs/generated.py from the STEPS tables of the rooms. -->",
    ]
    for module, name, steps in machines():
        title = _title(steps)
        owners = getattr(importlib.import_module(module), "OWNERS", {})
        lines += ["", f"## {title}", "", f"`{module}.{name}`", "", f"![{title}: steps](states/{module}.svg)"]
        lines += ["", f"| State | May become{' (by whom)' if owners else ''} |", "|---|---|"]
        for state in next(iter(steps)).__class__:
            becomes = sorted(steps.get(state, frozenset()), key=lambda other: str(other.value))
            told = [f"`{to.value}`{f' ({owners[state, to].value})' if owners else ''}" for to in becomes]
            lines.append(f"| `{state.value}` | {', '.join(told) or '(final)'} |")
    return "\n".join(lines) + "\n"


def drawing(steps: Steps[Enum]) -> str:
    """Return an SVG of a state table: states in a column, steps ahead on the right, steps back on the left."""
    reached = {state for state, to in steps.items() if to} | {state for to in steps.values() for state in to}
    order = [state for state in next(iter(steps)).__class__ if state in reached]
    middle = {state: 26 + ROW * place for place, state in enumerate(order)}
    leaps = [order.index(b) - order.index(a) for a, to in steps.items() for b in to]
    half, left, right = WIDE / 2, 24 + ARC * max(map(abs, [0, *(x for x in leaps if x < 0)])), 24 + ARC * max(leaps)
    centre, wide, high = left + half, left + WIDE + right, 26 * 2 + ROW * (len(order) - 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" role="img"><style>',
        'text{font:600 12px "Liberation Sans",Arial,sans-serif;text-anchor:middle;fill:#0f172a}',
        "path{fill:none;stroke-width:1.6}</style>",
        f'<rect width="{wide}" height="{high}" rx="8" fill="#f8fafc"/>',
    ]
    for colour in (AHEAD, BACK):
        parts.append(
            f'<marker id="m{colour[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0 10 5 0 10z" style="fill:{colour};stroke:none"/></marker>'
        )
    for state in order:
        for to in sorted(steps.get(state, frozenset()), key=order.index):
            parts.append(_arrow(middle[state], middle[to], centre=centre, half=half))
    for state in order:
        fill = "#ffffff" if steps.get(state) else "#dbe3ee"
        parts.append(
            f'<rect x="{centre - half:g}" y="{middle[state] - 13}" width="{WIDE}" height="26" rx="6" fill="{fill}" '
            f'stroke="#334155"/><text x="{centre:g}" y="{middle[state] + 4}">{state.value}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _arrow(start: int, end: int, *, centre: float, half: float) -> str:
    if end - start == ROW:
        path, colour = f"M{centre:g} {start + 13}V{end - 14}", AHEAD
    else:
        side, colour = (1, AHEAD) if end > start else (-1, BACK)
        edge = centre + side * (half + 1)
        far = edge + side * 1.33 * ARC * abs(end - start) / ROW
        # Leave a little below the middle, arrive a little above it: what comes and what goes stay apart.
        leave, arrive = start + 4 * side, end - 4 * side
        path = f"M{edge:g} {leave}C{far:g} {leave} {far:g} {arrive} {edge:g} {arrive}"
    return f'<path d="{path}" stroke="{colour}" marker-end="url(#m{colour[1:]})"/>'


def machines() -> Iterator[tuple[str, str, Steps[Enum]]]:
    """Yield every state table of the rooms: module, name in it, table."""
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            for name in re.findall(r"^([A-Z_]*STEPS)\b.*=", path.read_text(), re.MULTILINE):
                module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
                yield module, name, getattr(importlib.import_module(module), name)


def _title(steps: Steps[Enum]) -> str:
    kind = type(next(iter(steps))).__name__
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).removesuffix(" State").capitalize()


def with_tests(page: str) -> str:
    """Return the threat model with its table of tests brought up to date."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    rows = ["", "| Line | Tests |", "|---|---|"]
    for threat, names in sorted(tests_by_threat().items(), key=lambda item: int(item[0][1:])):
        said = "<br>".join(f"`{name}`" for name in names)
        rows.append(f"| {threat.upper()} | {said} |")
    return "\n".join([before + START, *rows, "", END + after])


def tests_by_threat() -> dict[str, list[str]]:
    """Return for each threat id the names of the tests that carry it."""
    found: dict[str, list[str]] = {}
    for folder in PROMISES:
        for path in sorted((SOURCE / "tests" / folder).rglob("test_*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    for threat in dict.fromkeys(THREAT.findall(f"{node.name}_".replace("_", "__"))):
                        found.setdefault(threat, []).append(node.name)
    return {threat: sorted(set(names)) for threat, names in found.items()}


def stale() -> list[Path]:
    """Return the pages whose text is not what the code says now."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text() != text]


def main() -> int:
    """Write the pages, or name the stale ones."""
    if "--check" in sys.argv[1:]:
        late = stale()
        for path in late:
            sys.stdout.write(f"{path.relative_to(SOURCE)} is stale: run `make docs`.\n")
        return 1 if late else 0
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
