"""Writes the page that tells how much of Snakemake runs blind, by Snakemake's own tests."""

import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from sorting import REFUSALS, reason
from suite import VERSION, Case, cases, fetched

from strongroom.settings import SOURCE

PAGE = SOURCE / "docs" / "snakemake-coverage.md"
DIFFERENCES: Mapping[str, str] = tomllib.loads(Path(__file__).with_name("differences.toml").read_text())
HEAD = f"""# How much of Snakemake runs blind

<!-- Written by tests/conformance/snakemake_suite/page.py; a test holds it to what runs. -->

Snakemake's own test-suite is the measure. `tests/conformance/snakemake_suite` fetches the source archive of
Snakemake {VERSION} (its hash is pinned; nothing of it is kept in this repository), reads every call of the suite's
`run()`, and sorts it by what the workflow and the call use (`sorting.py`): what an engine can do that sees names,
rounded sizes and times, and what it cannot, with the reason. Of the first kind a fixed part runs in every test run,
each fourth case; all of it with `SNAKEMAKE_WHOLE_SUITE=1`, three to ten minutes on two cores: the real engine in its
walls, the real gateway, real tasks in real sandboxes. What a run left is opened with the key of the test's own
broker, and compared with the results that the suite ships. It last ran as a whole on 28 November 2026, in four
minutes: of all cases that a blind engine can, those that differ are the ones below, and no other.

The folder of a case is vetted as it is. What is added is a `manifest.yaml`: one image, the case's targets, the files
that lie in the work folder (`work:`), and a grant of names (`names:`) for each rule with a `directory()`.
"""


def page() -> str:
    """Return the page's text."""
    able, refused = sort()
    whole = len(able) + sum(map(len, refused.values()))
    good = len(able) - len(DIFFERENCES)
    lines = [
        HEAD,
        f"| Calls of `run()` | {whole} |",
        "|---|---|",
        f"| A blind engine can | {len(able)} |",
        f"| – of these give the suite's results | {good} ({100 * good / len(able):.1f} %) |",
        f"| It cannot, or nobody may ask for it | {whole - len(able)} |",
        "",
        "## What runs and differs",
        "",
        "| Test | Why |",
        "|---|---|",
        *(f"| `{name}` | {why} |" for name, why in DIFFERENCES.items()),
        "",
        "## What is refused, and what to do instead",
        "",
        "The data that the engine's plug-in, the lint of vetting and this measure share"
        " (`refusals.toml` beside the plug-in):",
        "",
        "| What | Why | Instead |",
        "|---|---|---|",
        *(f"| `{name}` | {one['why']} | {one['cure']} |" for name, one in REFUSALS.items()),
        "",
        "## The suite's tests that do not run here",
        "",
        "| Why | Tests |",
        "|---|---|",
    ]
    for why, names in sorted(refused.items(), key=lambda one: (-len(one[1]), one[0])):
        lines.append(f"| {why.replace('|', '/')} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines) + "\n"


def sort() -> tuple[list[Case], dict[str, list[str]]]:
    """Return the cases that can run, and the others' names by reason."""
    able, refused = [], defaultdict[str, list[str]](list)
    for case in cases(fetched()):
        why = reason(case)
        if why is None:
            able.append(case)
        else:
            refused[why].append(case.name)
    return able, dict(refused)


if __name__ == "__main__":
    sys.exit(PAGE.write_text(page()) and None)
