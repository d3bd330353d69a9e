"""Writes docs/checks.md: a section for every finding, from the same table that the checks use."""

import sys

from .codes import About, Code
from .texts import TEXTS

_HEAD = """# What the airlock's checks find

Written by `python -m airlock.checks.manual`; a test holds it to the code.

A file's verdict is its worst finding: *pass*, *warn* or *block*. A pass releases nothing by itself: two
stewards decide. A finding names a row, column or byte position in numbers and never quotes the file. In a
dataset's `coarse` mode a requester reads only the findings that depend on the contract; those that depend on
values are for stewards.
Row 0 is the header line of a table; rows and columns count from 1, byte positions from 0.
"""


def manual() -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *(_section(code) for code in Code)])


def _section(code: Code) -> str:
    text = TEXTS[code]
    tells = "the contract" if text.about is About.CONTRACT else "the values"
    return (
        f"## {code.value}\n\n*{text.severity.name.lower()}*, depends on {tells}\n\n"
        f"{text.reason}\n\n**Cure.** {text.cure}\n"
    )


if __name__ == "__main__":
    sys.stdout.write(manual())
