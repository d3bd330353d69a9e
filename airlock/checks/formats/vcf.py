"""Reads VCF into typed sites, writes sites-only VCF with a header of our own (VCF 4.3)."""

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from ..findings import Code, refuse
from ..promise import Promise
from ..subject import Site, Sites
from ..thresholds import Policy

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_MAX_META_LINES = 20_000
_MAX_LINE = 1 << 20
_MAX_POSITION = 2**31 - 1
_MOST_ODD = 1000
_MAX_ALTS = 20
_FREQUENCY_DIGITS = 6
_BASES = re.compile(r"[ACGTN]+")
_RSID = re.compile(r"rs[1-9]\d{0,10}(?:;rs[1-9]\d{0,10}){0,4}")
# What may stand in a record at all (VCF 4.3, section 1.6.1): words of anything else are nobody's variant.
# No key of a person, though accessions of assemblies look alike.
_CONTIG = re.compile(
    r"(?!(?!N[CGTWZ]_|GL|K[A-Z]|CM)[A-Z]{1,5}[-_]?\d{5,9}(?:[-_]|$))[A-Za-z0-9][A-Za-z0-9_.*:-]{0,40}"
)
_ID = re.compile(r"[A-Za-z0-9_.:;,<>*/|-]{1,400}")
_REF = re.compile(r"[ACGTURYKMSWBDHVNacgturykmswbdhvn]+")
_ALT = re.compile(
    r"[ACGTURYKMSWBDHVNacgturykmswbdhvn]+|[.*]|<(?:[A-Z_*]{1,12}\d{0,3})(?::[A-Z_]{1,12}\d{0,3}){0,3}>"
    r"|[ACGTNacgtn.]*[\[\]](?![A-Z]\d{5})[A-Za-z0-9<][\w.*>-]{0,40}:\d{1,10}[\[\]][ACGTNacgtn.]*"
)
_QUALITY = re.compile(r"\.|(?:\d{1,12}(?:\.\d{1,12})?|inf)(?:[eE][+-]?\d{1,3})?")
_FILTER = re.compile(r"[!-~]{1,200}")
_COUNT = re.compile(r"\d{1,12}")
_FREQUENCY = re.compile(r"\d(?:\.\d{1,18})?(?:[eE]-?\d{1,3})?")
_FAILED = "FAIL"
_NAMES = (*(str(n) for n in range(1, 23)), "X", "Y", "M", "MT")
CHROMOSOMES = {name: rank for rank, name in enumerate((*_NAMES, *(f"chr{name}" for name in _NAMES)))}


def read(content: bytes, *, policy: Policy) -> Sites:
    """Return the sites; sample columns are seen and named in `columns` but their cells are not kept."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(Code.ENCODING) from None
    lines = text.split("\n")
    meta: list[str] = []
    while len(meta) < len(lines) and lines[len(meta)].startswith("##"):
        meta.append(lines[len(meta)].rstrip("\r"))
        if len(meta) > _MAX_META_LINES:
            raise refuse(Code.TOO_LARGE)
    start = len(meta)
    if start >= len(lines) or not lines[start].startswith("#CHROM"):
        raise refuse(Code.UNMODELLED_RECORD)
    columns = tuple(lines[start].rstrip("\r").split("\t"))
    if columns[: len(COLUMNS)] != COLUMNS:
        raise refuse(Code.UNMODELLED_RECORD)
    records = lines[start + 1 :]
    while records and not records[-1]:
        records.pop()
    if len(records) > policy.max_sites:
        raise refuse(Code.TOO_MANY_SITES, row=policy.max_sites + 1)
    sites = tuple(_site(line.rstrip("\r"), row) for row, line in enumerate(records, start=1))
    odd = ((row, column) for row, line in enumerate(records, start=1) for column in _odd(line))
    return Sites(tuple(meta), columns, sites, tuple(islice(odd, _MOST_ODD)))


def _odd(line: str) -> Iterator[int]:
    """Yield the columns of a record that hold words."""
    chrom, _position, rsid, ref, alts, quality, _rest = line.split("\t", 6)
    for column, cell, form in ((1, chrom, _CONTIG), (3, rsid, _ID), (4, ref, _REF), (6, quality, _QUALITY)):
        if cell != "." and not form.fullmatch(cell):
            yield column
    if not _REF.fullmatch(alts) and not all(map(_ALT.fullmatch, alts.split(","))):
        yield 5


def _site(line: str, row: int) -> Site:
    cells = line.split("\t", len(COLUMNS))
    if len(cells) < len(COLUMNS) or len(line) > _MAX_LINE or not cells[1].isascii() or not cells[1].isdigit():
        raise refuse(Code.UNMODELLED_RECORD, row=row)
    chrom, position, rsid, ref, alts, _quality, filtered, info = cells[: len(COLUMNS)]
    if len(position) > 10:
        raise refuse(Code.UNMODELLED_RECORD, row=row, column=2)
    counts: tuple[int, ...] | None = None
    total: int | None = None
    frequencies: tuple[float, ...] | None = None
    rest: list[tuple[str, str]] = []
    seen: set[str] = set()
    for entry in info.split(";"):
        key, _, value = entry.partition("=")
        if key in seen:
            raise refuse(Code.UNMODELLED_RECORD, row=row, column=8)
        seen.add(key)
        parts = value.split(",")
        if key == "AC" and all(_COUNT.fullmatch(part) for part in parts):
            counts = tuple(int(part) for part in parts)
        elif key == "AN" and _COUNT.fullmatch(value):
            total = int(value)
        elif key == "AF" and all(_FREQUENCY.fullmatch(part) for part in parts):
            frequencies = tuple(float(part) for part in parts)
        elif entry != ".":
            rest.append((key, value))
    return Site(
        chrom, int(position), rsid, ref, tuple(alts.split(",")), filtered, counts, total, frequencies, tuple(rest)
    )


def write(sites: Sites, promise: Promise, *, policy: Policy) -> bytes:
    """Return the clean copy: header from a closed vocabulary, AC, AN and AF recomputed, sorted, no QUAL (T13)."""
    if len(sites.columns) > len(COLUMNS):
        raise refuse(Code.GENOTYPES, column=len(COLUMNS) + 1)
    if len(sites.sites) > promise.max_sites:
        raise refuse(Code.TOO_MANY_SITES, row=promise.max_sites + 1)
    for row, site in enumerate(sites.sites, start=1):
        _check_modelled(site, row, policy=policy)
    ordered = sorted(sites.sites, key=_rank)
    for before, after in pairwise(ordered):
        if _rank(before) == _rank(after):
            raise refuse(Code.UNMODELLED_RECORD)
    present = {site.chrom for site in ordered}
    contigs = [name for name in CHROMOSOMES if name in present]
    failed = any(_clean_filter(site) == _FAILED for site in ordered)
    header = _header(contigs, failed=failed, frequencies=promise.frequencies)
    lines = [*header, "\t".join(COLUMNS)]
    lines += [_record(site, frequencies=promise.frequencies) for site in ordered]
    return ("\n".join(lines) + "\n").encode()


def _rank(site: Site) -> tuple[int, int, str, tuple[str, ...]]:
    return (CHROMOSOMES[site.chrom], site.pos, site.ref, site.alts)


def _check_modelled(site: Site, row: int, *, policy: Policy) -> None:
    """Refuse a site that holds anything which `_record` could not write from typed values alone."""
    alleles = (site.ref, *site.alts)
    if site.chrom not in CHROMOSOMES:
        raise refuse(Code.UNMODELLED_RECORD, row=row, column=1)
    if not 1 <= site.pos <= _MAX_POSITION:
        raise refuse(Code.UNMODELLED_RECORD, row=row, column=2)
    if len(site.alts) > _MAX_ALTS or len(set(alleles)) != len(alleles):
        raise refuse(Code.UNMODELLED_RECORD, row=row, column=5)
    for allele in alleles:
        if len(allele) > policy.max_allele_length or not _BASES.fullmatch(allele):
            raise refuse(Code.UNMODELLED_RECORD, row=row, column=4 if allele is site.ref else 5)
    if not _FILTER.fullmatch(site.filter):
        raise refuse(Code.UNMODELLED_RECORD, row=row, column=7)
    if site.counts is None or site.total is None or not site.total:
        raise refuse(Code.NO_DENOMINATOR, row=row, column=8)
    if len(site.counts) != len(site.alts) or sum(site.counts) > site.total:
        raise refuse(Code.INCONSISTENT_COUNTS, row=row, column=8)


def _header(contigs: list[str], *, failed: bool, frequencies: bool) -> list[str]:
    lines = ["##fileformat=VCFv4.3", '##FILTER=<ID=PASS,Description="All filters passed">']
    if failed:
        lines.append('##FILTER=<ID=FAIL,Description="At least one filter failed">')
    lines += [f"##contig=<ID={name}>" for name in contigs]
    lines.append('##INFO=<ID=AC,Number=A,Type=Integer,Description="Allele count">')
    lines.append('##INFO=<ID=AN,Number=1,Type=Integer,Description="Allele number">')
    if frequencies:
        lines.append('##INFO=<ID=AF,Number=A,Type=Float,Description="Allele frequency">')
    return lines


def _clean_filter(site: Site) -> str:
    """Return one of three words: which filter failed is free text, that one failed is not."""
    return site.filter if site.filter in ("PASS", ".") else _FAILED


def _record(site: Site, *, frequencies: bool) -> str:
    counts = site.counts or ()
    total = site.total or 1
    info = f"AC={','.join(str(count) for count in counts)};AN={total}"
    if frequencies:
        info += ";AF=" + ",".join(f"{count / total:.{_FREQUENCY_DIGITS}f}" for count in counts)
    rsid = site.rsid if _RSID.fullmatch(site.rsid) else "."
    return "\t".join((site.chrom, str(site.pos), rsid, site.ref, ",".join(site.alts), ".", _clean_filter(site), info))
