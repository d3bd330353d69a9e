"""Finds sequencing reads quoted in text."""

import re
from collections.abc import Iterable, Iterator

from ..findings import Code, Finding, found
from ..subject import Prose, Sites, Subject, Table

_RUN = re.compile(r"[ACGTN]{50}|[acgtn]{50}")


def check(subject: Subject) -> Iterator[Finding]:
    """Search for runs of 50 bases or more."""
    model = subject.model
    lines: Iterable[tuple[int, str]]
    if isinstance(model, Prose):
        lines = enumerate(model.lines, start=1)
    elif isinstance(model, Table):
        lines = ((row, "\t".join(cells)) for row, cells in enumerate((model.header, *model.rows)))
    elif isinstance(model, Sites):
        lines = (
            (row, "\t".join((site.rsid, site.ref, *site.alts, site.filter, *(value for _, value in site.rest))))
            for row, site in enumerate(model.sites, start=1)
        )
    else:
        return
    for row, line in lines:
        if (match := _RUN.search(line)) is not None:
            yield found(Code.READS, row=row, offset=match.start())
