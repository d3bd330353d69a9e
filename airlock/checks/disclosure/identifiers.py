"""Finds personal identifiers in any text: numbers with check digits, contacts, barcodes."""

import re
from collections.abc import Iterable, Iterator, Sequence

from ..findings import Code, Finding, Severity, found
from ..promise import Kind
from ..subject import Prose, Sites, Subject, Table
from .column_names import words
from .national_numbers import holds_number

_PLAIN = (
    re.compile(r"(?<![\w.])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,32}){0,4}\.[A-Za-z]{2,12}(?!\w)"),
    re.compile(
        r"(?<![\w.])[\w.+-]{1,64} ?[(\[{] ?at ?[)\]}] ?[\w-]{1,64}(?: ?[(\[{] ?dot ?[)\]}] ?|\.)[A-Za-z]{2,12}(?!\w)"
    ),
    # samples of public cohorts
    re.compile(r"(?<![A-Za-z0-9])(?:HG|NA)\d{5}(?!\d)"),
    re.compile(r"(?<![A-Za-z0-9])(?:TCGA-[A-Z0-9]{2}|GTEX|TARGET-\d{2}|C3[NL])-[A-Z0-9]{4,6}(?![A-Za-z0-9])"),
    # postcodes, streets, telephones
    re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}(?![A-Za-z0-9])"),
    re.compile(
        r"(?<![A-Za-z0-9])\d{1,4}[A-Za-z]? [A-Z][a-z]{2,20} (?:Street|Road|Avenue|Lane|Drive|Close|Crescent)\b"
    ),
    re.compile(r"[A-ZÄÖÜ][a-zäöüß]{2,30}(?:straße|strasse|weg|gasse|allee|platz) \d{1,4}(?!\d)"),
    re.compile(r"(?<![\w.])\+\d{1,3}[ (]?\d[\d ()/-]{6,16}\d(?![\d.])"),
    re.compile(r"(?<![\w.(])(?<!\d )(?:\(0\d{1,4}\) ?|0\d{2,4}[ /])\d{3,4}[ -]?\d{3,5}(?![\d.,])"),
    re.compile(r"(?<![\w.-])(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}(?![\w.-])"),
    re.compile(r"(?<![A-Za-z0-9])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![A-Za-z0-9])"),
    re.compile(r"(?<![A-Za-z])(?:SSN|social security (?:number|no\.?))[:#= ]{1,3}\d{9}(?!\d)", re.IGNORECASE),
    re.compile(r"[A-ZÄÖÜ][a-zäöüß]{2,30}str\. \d{1,4}[a-z]?,? \d{5} [A-ZÄÖÜ][a-zäöüß]{2,}"),
    re.compile(
        r"(?:/[a-z]{2,20}_[a-z]{2,20}_|/)(?:19[2-9]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?=[/_.])",
        re.IGNORECASE,
    ),
    # Denmark's number since its check digit was given up
    re.compile(r"(?<![\w.-])(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-\d{4}(?![\w.-])"),
    # a word that says what follows
    re.compile(
        r"(?<![A-Za-z])(?:MRN|NHS|hospital|patient|participant|passport|insurance)[ _-]{0,2}"
        r"(?:no|nr|number|id|num)?[.:#= ]{1,3}(?=[A-Z0-9-]{0,14}\d{4})[A-Z0-9-]{5,16}(?![\w.])",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<![A-Za-z])(?:DOB|born|date of birth|birth ?date|geb(?:oren)?\.?(?: am)?|geburtsdatum)[:= ]{1,3}"
        r"(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{1,2} [A-Z][a-z]{2,8} \d{4})",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![A-Za-z])(?:Mr|Mrs|Ms|Miss|Herrn?|Frau|Mme|Señora?)\.? [A-ZÄÖÜÉ][a-zäöüßéè]{2,}"),
    # a place of five digits beside a day of birth
    re.compile(r"(?<![\d.])\d{5} [A-ZÄÖÜ][a-zäöüß]{2,}.{0,60}(?<!\d)\d{1,2}\.\d{1,2}\.(?:19|20)\d{2}(?!\d)"),
    re.compile(r"(?<!\d)\d{1,2}\.\d{1,2}\.(?:19|20)\d{2}(?!\d).{0,60}(?<![\d.])\d{5} [A-ZÄÖÜ][a-zäöüß]{2,}"),
    # machines
    re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])"),
    re.compile(r"(?<![\w:.])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:.])", re.IGNORECASE),
)
_NAMED = re.compile(r"(?:bsn|burgerservicenummer|ssn|mrn|nhs(?:[_ ](?:no|number))?)", re.IGNORECASE)
_QUANTITIES = frozenset({"bases", "bp", "bytes", "reads", "length", "kmers", "size", "nucleotides"})
_IPV4 = re.compile(r"(?<![\w.-])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w.-]*[\w])")
_CREDENTIALS = (
    re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
    re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Z0-9])"),
    re.compile(r"(?<!\w)(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,})"),
    re.compile(r"(?<!\w)(?:sk_live_[A-Za-z0-9]{16,}|AIza[\w-]{35}|AGE-SECRET-KEY-1[A-Z0-9]{20,})"),
    re.compile(r"(?<![\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    re.compile(r"(?<![\w])[a-z][a-z0-9+]{1,15}://[^\s/:@]{1,64}:[^\s/@]{3,64}@[\w.-]+"),
    re.compile(
        r"(?<![A-Za-z])(?:password|passwd|passwort|api[_-]?key|secret[_-]?key|access[_-]?token|client[_-]?secret"
        r"|secret[_-]?access[_-]?key|auth[_-]?token|private[_-]?key|passphrase|bearer)"
        r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?!None|null|true|false|\*|<|\$|os\.|getpass|input)[^\s\"',;]{6,}",
        re.IGNORECASE,
    ),
)
_SEED = re.compile(r"\bseed ?[:=]? ?\d{1,10}\b", re.IGNORECASE)  # tools take the time, ten digits
_LONGEST_LINE = 20_000
_SHORTEST = 6


def check(subject: Subject) -> Iterator[Finding]:
    """Search text line by line; the place is the first cell that holds one."""
    model = subject.model
    rows: Iterable[tuple[int, tuple[str, ...]]]
    if isinstance(model, Prose):
        rows = ((row, (line,)) for row, line in enumerate(model.lines, start=1))
    elif isinstance(model, Sites):
        rows = ((row, (line,)) for row, line in enumerate(model.meta, start=1))
    elif isinstance(model, Table):
        rows = enumerate((model.header, *model.rows))
    else:
        return
    numeric = _numeric_columns(subject)
    heads = model.header if isinstance(model, Table) else ()
    for row, cells in rows:
        for column, cell in enumerate(cells, start=1):
            if holds_credential(cell):
                yield found(Code.CREDENTIAL, row=row, column=column)
            if subject.people.holds_one(cell):
                yield found(Code.IDENTIFIER, Severity.BLOCK, row=row, column=column)
            elif holds_one(cell) or (row > 0 and _holds_named(heads, column, cell)):
                # One in eleven whole numbers of ten digits has the check digit of an NHS number.
                is_chance = column in numeric or _is_quantity(heads, column, cell) or _is_seed(cell)
                mild = Severity.WARN if row > 0 and is_chance else None
                yield found(Code.IDENTIFIER, mild, row=row, column=column)


def _is_seed(text: str) -> bool:
    """Return whether all that looks like a number of a person is what a tool says that its chance began with."""
    return _SEED.search(text) is not None and not holds_one(_SEED.sub("", text))


def _is_quantity(heads: Sequence[str], column: int, cell: str) -> bool:
    """Return whether a cell is a plain number under a name that says of what there are so many."""
    return cell.strip().isdecimal() and column <= len(heads) and bool(words(heads[column - 1]) & _QUANTITIES)


def _holds_named(heads: Sequence[str], column: int, cell: str) -> bool:
    """Return whether a cell holds a number that only its column's name makes one, as `bsn` does."""
    return (
        column <= len(heads)
        and _NAMED.fullmatch(heads[column - 1]) is not None
        and holds_one(f"{heads[column - 1]}: {cell}")
    )


def _numeric_columns(subject: Subject) -> frozenset[int]:
    """Return the columns that a contract promises as numbers, so that stewards look and the file may go on."""
    if subject.promise is None or not isinstance(subject.model, Table):
        return frozenset()
    kinds = {column.name: column.kind for column in subject.promise.columns}
    header = enumerate(subject.model.header, start=1)
    return frozenset(at for at, name in header if kinds.get(name) in (Kind.COUNT, Kind.INTEGER, Kind.NUMBER))


def holds_one(text: str) -> bool:
    """Return whether a text holds a personal identifier; long ones are searched in their first 20,000 letters."""
    line = text[:_LONGEST_LINE]
    if len(line) < _SHORTEST:
        return False
    return (
        holds_number(line)
        or any(pattern.search(line) for pattern in _PLAIN)
        or any(_is_address(match) for match in _IPV4.finditer(line))
    )


def holds_credential(text: str) -> bool:
    """Return whether a text holds a password, key or token."""
    line = text[:_LONGEST_LINE]
    return len(line) >= _SHORTEST and any(pattern.search(line) for pattern in _CREDENTIALS)


def _is_address(match: re.Match[str]) -> bool:
    """Return whether four numbers are a machine's address: not a version, this machine or all machines."""
    parts = [int(part) for part in match.groups()]
    before = match.string[max(0, match.start() - 9) : match.start()].lower().rstrip(" :=-")
    versioned = before.endswith(("v", "version", "release"))
    return not versioned and max(parts) <= 255 and parts[0] not in (0, 127, 255) and sum(parts) > 20
