"""Finds tables whose rows are single persons or samples."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import prod

from ..findings import Code, Finding, found
from ..formats.table import in_order, number
from ..subject import Prose, Subject, Table
from .column_names import has_public_keys, is_count, is_person_fact, is_person_id, is_plain_id, is_statistic, words
from .hidden_content import is_intervals
from .series import are_things, is_padded, numbered
from .shares import numbers

_DATE = re.compile(
    r"(?:19|20)\d\d-\d\d-\d\d|\d\d?[./]\d\d?[./](?:19|20)?\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
)
_PERSON_KEY = re.compile(
    r"[A-Za-z]{1,6}[-_]?\d{5,12}(?:[-_][A-Za-z0-9]{1,3})?|[0-9a-f]{8}-[0-9a-f-]{27}|[A-Z]{1,6}[-_]\d{1,4}[-_]\d{2,6}|\d{10,12}_R\d\dC\d\d"
)
_TOKEN = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9+/=]{8,40}")
_HASH = re.compile(r"[0-9a-f]{12,31}|[0-9A-F]{12,31}")
_DIGEST = re.compile(r"[0-9a-fA-F]{32,128}")
_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,9}\s*$")
_PUBLIC_KEY = re.compile(
    r"(?:rs|cg|ENS[A-Z]{0,9}[GTPE]|NM_|NR_|NP_|HGNC:|COS[MV]|GO:|HP:|GCST|PGS|EFO_|MONDO_|OTU|ASV|HMDB|chr)\w*\d(?:\.\d+)?"
)
_SCORE = re.compile(r"(?:PC|UMAP|tSNE|EV|MDS|C)[ _-]?\d{1,3}", re.IGNORECASE)
_AXES = frozenset(
    {"gene", "snp", "variant", "rsid", "chrom", "chr", "marker", "feature", "variable", "term", "component"}
)
_NUMBERED = re.compile(
    r"(?:patient|pat|sample|subject|subj|participant|donor|person|individual|indiv|ind|proband|case|control)s?"
    r"[ _-]?\d{1,9}",
    re.IGNORECASE,
)
_SUMMARY = frozenset(
    {"count", "n", "mean", "std", "min", "max", "5%", "25%", "50%", "75%", "95%", "q1", "q3", "missing"}
)
_PREFIXED = re.compile(r"[A-Z]{1,3}0{0,6}\d{1,6}")  # of a line without names: F1 I1
_FEW = 5
_MOST_KEYS = 6
_PERIODS = frozenset({"year", "week", "month", "quarter"})
_KEY_WORDS = frozenset({"id", "code", "k", "row", "line", "key"})
_SERIES, _TEN = 8, 10
_LINES = 500
_MEASURED = 15
_MANY = 20


def check(subject: Subject) -> Iterator[Finding]:
    """Look for keys of persons, then for rows of personal facts that hardly repeat."""
    table = subject.model
    if isinstance(table, Prose):
        yield from _list(table.lines)
    if not isinstance(table, Table) or not table.rows:
        return
    keys = [index for index, name in enumerate(table.header) if _is_key(name, table.column(index))]
    if not keys and not any(_names_files(table.column(at)) for at in range(len(table.header))):
        keys = [at for at in range(len(table.header)) if _are_digests(table.column(at))]
    for index in keys:
        yield found(Code.ROW_LEVEL, column=index + 1)
    if not keys and subject.promise is None and table.header and _first_is_numbered(table):
        yield found(Code.ROW_LEVEL, column=1)
    if _columns_are_persons(table):
        yield found(Code.ROW_LEVEL, row=0)
    elif not keys and (rows_are_persons(table) or _nameless_persons(table)):
        yield found(Code.ROW_LEVEL)


def _first_is_numbered(table: Table) -> bool:
    """Return whether the first cells are numbered with leading zeros and may mean persons; groups have counts."""
    labels = table.column(0) if len(table.header) > 1 else [table.header[0], *table.column(0)]
    if (
        any(map(is_count, table.header))
        or has_public_keys(table.header[0])
        or are_things(words(table.header[0]) - _KEY_WORDS)
    ):
        return False
    return sum(map(is_padded, labels)) > 0.5 * len(labels) and numbered(labels, least=_TEN)


def _list(lines: Sequence[str]) -> Iterator[Finding]:
    """Judge text of one word a line: a list of keys is a table of one column."""
    written = [line for line in lines if line.strip()]
    if len(written) > _FEW and all(len(line.split()) == 1 for line in written) and _is_key(written[0], written[1:]):
        yield found(Code.ROW_LEVEL)


def _is_key(name: str, cells: Sequence[str]) -> bool:
    values = [cell.strip() for cell in cells if cell.strip()]
    if len(values) < 2:
        return bool(values) and is_person_id(name) and number(values[0]) is None
    unique = len(set(values)) / len(values)
    if is_person_id(name):
        coded = sum(1 for value in values if any(letter.isdigit() for letter in value)) > 0.8 * len(values)
        repeated = coded and len(set(values)) >= _FEW  # several visits of one person
        return (unique > 0.5 or repeated) and not all("-" in value and len(value) < 8 for value in values)
    if has_public_keys(name):
        return False
    if len(values) < _FEW or unique <= 0.9:
        return False
    keyed = sum(1 for value in values if is_coded(value) or _is_hash(value) or bool(_NUMBERED.fullmatch(value)))
    return keyed > 0.8 * len(values) or (len(values) >= _MANY and _are_tokens(values))


def _are_tokens(values: Sequence[str]) -> bool:
    """Return whether all are of one length and mix capitals, small letters and digits as chance does."""
    mixed = sum(1 for value in values if _TOKEN.fullmatch(value) and sum(map(str.isupper, value)) > 1)
    return len({len(value) for value in values}) == 1 and mixed > 0.8 * len(values)


def _columns_are_persons(table: Table) -> bool:
    """Return whether columns are named by keys of persons: a table of persons on its side, or a matrix of samples."""
    named = {name.strip() for name in table.header}
    keys = {name for name in named if _NUMBERED.fullmatch(name) or is_coded(name)}
    labels = {cell.strip() for cell in table.column(0)}
    if len(keys) >= _FEW and not keys <= labels:  # a matrix of proteins with themselves has them on both sides
        return True
    columns = [name for name in table.header[1:] if name.strip()]
    return numbered(columns, least=_SERIES) or _dated_names(columns)


def _dated_names(names: Sequence[str]) -> bool:
    """Return whether names of columns hold a day with something else: what a person is, written where names stand."""
    return sum(1 for name in names if _DATE.search(name) and not _DATE.fullmatch(name.strip())) >= _SERIES


def _nameless_persons(table: Table) -> bool:
    """Return whether this has no line of names, and its lines hardly ever repeat and have no name of their own."""
    if len(table.rows) < _MANY or not _is_headless(table) or is_intervals(table):
        return False
    exact = 0
    for at in range(len(table.header)):
        cells = table.column(at)
        values = numbers(table, at)
        different = len(set(cells))
        if None in values:
            if different > 0.9 * len(cells) and not _PREFIXED.fullmatch(cells[0]):
                return False
        else:
            written = [value for value in values if value is not None]
            exact += different >= _MEASURED and not in_order(written)
    return exact >= 2 and len(set(table.rows)) > 0.9 * len(table.rows)


def _is_headless(table: Table) -> bool:
    """Return whether the first line looks like all others: numbers, and words that come again below."""
    words_of_it = [
        at for at, name in enumerate(table.header) if number(name, decimal_comma=table.decimal_comma) is None
    ]
    return len(words_of_it) < len(table.header) and all(
        table.header[at] in table.column(at)[:_LINES] or _PREFIXED.fullmatch(table.header[at]) for at in words_of_it
    )


def _is_hash(value: str) -> bool:
    """Return whether a value is a pseudonym that was made by a hash; checksums of files are longer."""
    return bool(_HASH.fullmatch(value)) and not value.isdecimal() and any(letter.isdigit() for letter in value)


def _are_digests(cells: Sequence[str]) -> bool:
    """Return whether a column is of digests that never repeat: of persons, where no file stands beside them."""
    return (
        len(cells) >= _FEW
        and len(set(cells)) == len(cells)
        and all(_DIGEST.fullmatch(cell.strip()) for cell in cells)
    )


def _names_files(cells: Sequence[str]) -> bool:
    return any("/" in cell or _FILE.search(cell) for cell in cells[:_LINES])


def is_coded(name: str) -> bool:
    """Return whether a word has the shape of a person's or sample's key, and of no public list."""
    return bool(_PERSON_KEY.fullmatch(name) and not _PUBLIC_KEY.fullmatch(name))


def is_public_key(cell: str) -> bool:
    """Return whether a cell names a gene, variant or term of a public list."""
    return bool(_PUBLIC_KEY.fullmatch(cell.strip()))


def rows_are_persons(table: Table) -> bool:
    """Return whether facts or scores of persons stand beside each other, hardly ever twice alike."""
    if len(table.rows) < _FEW:
        return False
    facts = [
        index for index, name in enumerate(table.header) if is_person_fact(name) or _mostly_dates(table.column(index))
    ]
    if _is_summary(table) or is_crossed(table) or _has_other_rows(table):
        return False
    counted = any(is_count(name) for name in table.header) or any(is_statistic(name) for name in table.header)
    if counted:
        # Groups have counts beside them; exact dates and measurements of a group do not exist.
        facts = [index for index in facts if _is_exact(table.column(index))]
        return len(facts) >= 2 and _unlike(table, facts)
    if facts and any(_is_plain_key(name, table.column(at)) for at, name in enumerate(table.header)):
        return True
    return (len(facts) >= 2 and _unlike(table, facts)) or _scores(table) or _measurements(table)


def _has_other_rows(table: Table) -> bool:
    """Return whether rows are genes or variants, each once, or years in their order."""
    labels = table.column(0)
    if len(set(labels)) < len(labels):
        return False
    said = words(table.header[0]) if table.header else frozenset()
    if said & _PERIODS:
        return in_order([value for label in labels if (value := number(label)) is not None])
    public = sum(map(is_public_key, labels))
    return public > 0.5 * len(labels) or bool(said & _AXES and not any(map(is_coded, labels)))


def is_crossed(table: Table) -> bool:
    """Return whether there is one row for each combination of two or three keys: a plan, and no persons."""
    rows = len(table.rows)
    values = {at: len(set(table.column(at))) for at in range(min(len(table.header), _FEW * 4))}
    keys = [at for at, different in values.items() if 1 < different <= rows / 2][:_MOST_KEYS]
    return any(
        prod(values[at] for at in chosen)
        == rows
        == len({tuple(row[at : at + 1] for at in chosen) for row in table.rows})
        for size in (2, 3)
        for chosen in combinations(keys, size)
    )


def _is_summary(table: Table) -> bool:
    """Return whether rows are named as the columns are, as in a matrix of correlations, or as statistics of them."""
    labels = [row[0].strip().lower() for row in table.rows if row and row[0].strip()]
    named = {name.strip().lower() for name in table.header}
    known = sum(1 for label in labels if label in named or is_statistic(label) or label in _SUMMARY)
    return len(labels) == len(table.rows) and known > 0.8 * len(labels)


def _is_plain_key(name: str, cells: Sequence[str]) -> bool:
    return is_plain_id(name) and len(set(cells)) == len(cells)


def _measurements(table: Table) -> bool:
    """Return whether rows are numbers that never repeat, in no order and without a name: nothing but single cases."""
    if len(table.rows) < _MANY or any(words(name) & _AXES for name in table.header):
        return False
    exact = 0
    for at, name in enumerate(table.header):
        cells = table.column(at)
        if is_plain_id(name) and "id" in words(name) and len(set(cells)) == len(cells):
            continue
        values = numbers(table, at)
        written = [value for value in values if value is not None]
        different = len(set(cells)) / len(cells)
        if len(written) < 0.8 * len(cells):
            if different > 0.9:
                return False  # each row has a name: of a gene, a pathway, a place
            continue
        if in_order(written):
            return False  # a curve along an axis
        exact += different > 0.9
    return exact >= 2


def _unlike(table: Table, columns: Sequence[int]) -> bool:
    seen = {tuple(row[index] for index in columns if index < len(row)) for row in table.rows}
    return len(seen) > 0.5 * len(table.rows)


def _is_exact(cells: Sequence[str]) -> bool:
    """Return whether cells are dates, or many different numbers: no bands and no codes."""
    different = len(set(cells))
    values = sum(1 for cell in cells if number(cell) is not None)
    return _mostly_dates(cells) or (values > 0.8 * len(cells) and different >= _MEASURED)


def _scores(table: Table) -> bool:
    """Return whether these are principal components a row; rows of genes or variants are loadings."""
    scores = [at for at, name in enumerate(table.header) if _SCORE.fullmatch(name.strip())]
    if len(scores) < 2 or len(table.rows) < _MEASURED or any(words(name) & _AXES for name in table.header):
        return False
    return _unlike(table, scores) and not any(is_public_key(row[0]) for row in table.rows if row)


def _mostly_dates(cells: Sequence[str]) -> bool:
    return sum(1 for cell in cells if _DATE.fullmatch(cell.strip())) > 0.8 * len(cells)
