"""Finds alleles that fewer than the threshold carry, or fewer than the threshold lack."""

from collections import defaultdict
from collections.abc import Iterator

from ..findings import Code, Finding, Severity, found
from ..subject import Site, Sites, Subject

_ROUNDING = 0.0006


def check(subject: Subject) -> Iterator[Finding]:
    """Judge every ALT by AC and AN minus AC, then what is left for REF over all records of one place."""
    model = subject.model
    if not isinstance(model, Sites):
        return
    least = max(subject.policy.min_count, subject.policy.min_allele_count)
    if subject.promise is not None and subject.promise.min_allele_count is not None:
        least = max(least, subject.promise.min_allele_count)
    lacking = Severity.BLOCK if subject.promise is not None else None
    places: defaultdict[tuple[str, int, str], list[tuple[int, Site]]] = defaultdict(list)
    for row, site in enumerate(model.sites, start=1):
        if site.counts is None or site.total is None:
            yield found(Code.NO_DENOMINATOR, lacking, row=row, column=8)
            continue
        yield from _judge(site, site.counts, site.total, row=row, least=least)
        places[site.chrom, site.pos, site.ref].append((row, site))
    for together in places.values():
        yield from _judge_reference(together, least=least)


def _judge(site: Site, counts: tuple[int, ...], total: int, *, row: int, least: int) -> Iterator[Finding]:
    if len(counts) != len(site.alts) or sum(counts) > total:
        yield found(Code.INCONSISTENT_COUNTS, row=row, column=8)
    if any(count < least or total - count < least for count in counts):
        yield found(Code.LOW_ALLELE_COUNT, row=row, column=8)
    if site.frequencies is not None and total:
        agree = len(site.frequencies) == len(counts) and all(
            abs(count / total - said) <= _ROUNDING for count, said in zip(counts, site.frequencies, strict=True)
        )
        if not agree:
            yield found(Code.INCONSISTENT_COUNTS, Severity.WARN, row=row, column=8)


def _judge_reference(together: list[tuple[int, Site]], *, least: int) -> Iterator[Finding]:
    """A multi-allelic place split over records still shows how few carry the reference."""
    row, first = together[-1]
    carried = sum(sum(site.counts or ()) for _, site in together)
    alts = sum(len(site.alts) for _, site in together)
    if alts > 1 and first.total is not None and 0 < first.total - carried < least:
        yield found(Code.LOW_ALLELE_COUNT, row=row, column=4)
