"""Says what a check may report: codes, places and numbers, never a word from the file (threats.md T27)."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

MAX_PER_CODE = 40
MAX_FINDINGS = 400
_MAX_COORDINATE = 2**53


class Severity(IntEnum):
    """How bad; a verdict is the worst of its findings."""

    PASS = 0
    WARN = 1
    BLOCK = 2


class About(Enum):
    """What a finding gives away: what the contract says anyway, or something that the values say (T5)."""

    CONTRACT = "contract"
    VALUES = "values"


class Code(Enum):
    """Every finding there is; each has a section in docs/checks.md."""

    UNDECLARED = "undeclared"
    CONTRACT_FORMAT = "contract-format"
    CONTRACT_COLUMNS = "contract-columns"
    CONTRACT_VALUE = "contract-value"
    CONTRACT_NUMBERS_MISSING = "contract-numbers-missing"
    TOO_MANY_ROWS = "too-many-rows"
    TOO_MANY_SITES = "too-many-sites"
    TOO_LARGE = "too-large"
    NOT_OUR_COPY = "not-our-copy"
    SPECIAL_FILE = "special-file"
    TYPE_MISMATCH = "type-mismatch"
    UNREVIEWABLE_TYPE = "unreviewable-type"
    INSPECTION_FAILED = "inspection-failed"
    EMPTY = "empty"
    FILENAME_CHANNEL = "filename-channel"
    ENCODING = "encoding"
    CONTROL_CHARACTERS = "control-characters"
    HIDDEN_CHARACTERS = "hidden-characters"
    HIDDEN_COLUMNS = "hidden-columns"
    RAGGED_ROWS = "ragged-rows"
    FORMULA = "formula"
    SMALL_COUNT = "small-count"
    UNCLEAR_COLUMN = "unclear-column"
    DOMINANCE = "dominance"
    ENDPOINTS = "endpoints"
    ROW_LEVEL = "row-level"
    IDENTIFIER = "identifier"
    READS = "reads"
    GENOTYPES = "genotypes"
    SAMPLE_IDS = "sample-ids"
    LOW_ALLELE_COUNT = "low-allele-count"
    NO_DENOMINATOR = "no-denominator"
    INCONSISTENT_COUNTS = "inconsistent-counts"
    HEADER_TEXT = "header-text"
    UNMODELLED_RECORD = "unmodelled-record"
    HIDDEN_METADATA = "hidden-metadata"
    TRAILING_BYTES = "trailing-bytes"
    BROKEN_PICTURE = "broken-picture"
    PICTURE_ALONE = "picture-alone"
    STEGANOGRAPHY = "steganography"
    CIPHERTEXT = "ciphertext"
    UNSAFE_SERIALISATION = "unsafe-serialisation"


@dataclass(frozen=True, slots=True)
class Place:
    """Where, in numbers from 1: row (line of data), column; offset is a byte position from 0."""

    row: int | None = None
    column: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """The fixed words of one code."""

    severity: Severity
    about: About
    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check saw; `severity` may be milder or worse than its code's own."""

    code: Code
    place: Place
    severity: Severity

    @property
    def reason(self) -> str:
        """Why it matters, in fixed words."""
        return TEXTS[self.code].reason

    @property
    def cure(self) -> str:
        """What the researcher can do, in fixed words."""
        return TEXTS[self.code].cure

    def as_json(self) -> dict[str, Any]:
        """Return plain facts for answer.json."""
        place = {
            name: min(max(number, 0), _MAX_COORDINATE)
            for name, number in (
                ("row", self.place.row),
                ("column", self.place.column),
                ("offset", self.place.offset),
            )
            if number is not None
        }
        return {
            "code": self.code.value,
            "severity": self.severity.name.lower(),
            "about": TEXTS[self.code].about.value,
            "place": place,
            "reason": self.reason,
            "cure": self.cure,
        }


class Refused(Exception):
    """A reader or writer met something that our model does not hold; carries the one finding that says what."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code.value)
        self.finding = finding


def found(
    code: Code,
    severity: Severity | None = None,
    *,
    row: int | None = None,
    column: int | None = None,
    offset: int | None = None,
) -> Finding:
    """Return a finding of `code`, at its own severity unless told."""
    own = TEXTS[code].severity if severity is None else severity
    return Finding(code, Place(row, column, offset), own)


def refuse(code: Code, *, row: int | None = None, column: int | None = None, offset: int | None = None) -> Refused:
    """Return the refusal to raise; what cannot be modelled always blocks."""
    return Refused(found(code, Severity.BLOCK, row=row, column=column, offset=offset))


def verdict(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity, PASS for none."""
    return max((finding.severity for finding in findings), default=Severity.PASS)


def bounded(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """Return the findings to show, worst first and few of each code, and how many were left out."""
    kept: list[Finding] = []
    seen: dict[Code, int] = {}
    everything = sorted(findings, key=lambda one: -one.severity)
    for finding in everything:
        seen[finding.code] = seen.get(finding.code, 0) + 1
        if seen[finding.code] <= MAX_PER_CODE and len(kept) < MAX_FINDINGS:
            kept.append(finding)
    return tuple(kept), len(everything) - len(kept)


def _block(about: About, reason: str, cure: str) -> Text:
    return Text(Severity.BLOCK, about, reason, cure)


def _warn(about: About, reason: str, cure: str) -> Text:
    return Text(Severity.WARN, about, reason, cure)


_C, _V = About.CONTRACT, About.VALUES
TEXTS: dict[Code, Text] = {
    Code.UNDECLARED: _block(
        _C,
        "The workflow's contract does not promise this file.",
        "Add it to the contract and have the version vetted.",
    ),
    Code.CONTRACT_FORMAT: _block(
        _C, "The file's content is not of the format that the contract promises.", "Write the promised format."
    ),
    Code.CONTRACT_COLUMNS: _block(
        _C,
        "The table's columns are not exactly those that the contract names.",
        "Write the promised columns, no more and no fewer, each named once.",
    ),
    Code.CONTRACT_VALUE: _block(
        _V,
        "A cell is not of the type, vocabulary or pattern that the contract gives its column.",
        "Write only values that the contract allows, or have the contract changed.",
    ),
    Code.CONTRACT_NUMBERS_MISSING: _block(
        _C,
        "The table of numbers behind this picture is missing or cannot be read.",
        "Request the picture together with the table that the contract names for it.",
    ),
    Code.TOO_MANY_ROWS: _warn(
        _V, "There are more rows than a person can review.", "Aggregate further or split by topic."
    ),
    Code.TOO_MANY_SITES: _block(
        _V, "There are more sites than may leave in one file.", "Keep only the sites that the question needs."
    ),
    Code.TOO_LARGE: _block(_V, "The file is larger than any reviewable result.", "Aggregate before release."),
    Code.NOT_OUR_COPY: _block(
        _V,
        "The bytes are not the clean copy that the airlock itself would write.",
        "Have the file taken in again; only the airlock's own copy can be reviewed.",
    ),
    Code.SPECIAL_FILE: _block(
        _C, "This is a link, folder, pipe or device, not a regular file.", "Write a regular file."
    ),
    Code.TYPE_MISMATCH: _block(
        _C, "The name's suffix promises another type than the content has.", "Name the file after its content."
    ),
    Code.UNREVIEWABLE_TYPE: _block(
        _C, "No check can read this type of file.", "Write results as TSV, CSV, sites-only VCF or PNG."
    ),
    Code.INSPECTION_FAILED: _block(
        _C, "The inspection did not finish, so nothing is known.", "Ask the operator; try a smaller file."
    ),
    Code.EMPTY: _warn(_V, "There is nothing in it; often a failed job.", "Check that the run did what it should."),
    Code.FILENAME_CHANNEL: _block(
        _V, "The file's name itself could carry data.", "Use a short, plain name without numbers of persons."
    ),
    Code.ENCODING: _block(_V, "The text is not clean UTF-8.", "Write UTF-8 without a byte order mark."),
    Code.CONTROL_CHARACTERS: _block(
        _V, "There are control characters that can hide or rewrite what a reader sees.", "Remove them."
    ),
    Code.HIDDEN_CHARACTERS: _block(
        _V, "There are invisible characters that can carry data.", "Remove zero-width and formatting characters."
    ),
    Code.HIDDEN_COLUMNS: _block(
        _V, "Columns without a name, or far to the right, hold values.", "Name every column and drop the rest."
    ),
    Code.RAGGED_ROWS: _block(
        _V, "Rows differ in their number of cells.", "Write one rectangular table a file, with one header line."
    ),
    Code.FORMULA: _block(
        _V, "A cell starts like a spreadsheet formula.", "Write plain values that no spreadsheet executes."
    ),
    Code.SMALL_COUNT: _block(
        _V,
        "A count, or what a percentage makes of its total, is above zero and below the threshold.",
        "Merge categories, or write NA for small cells and for one more cell of each total.",
    ),
    Code.UNCLEAR_COLUMN: _warn(
        _V,
        "A column of small whole numbers may be a count of persons.",
        "Name the column after what it counts, or declare it in a contract.",
    ),
    Code.DOMINANCE: _block(
        _V, "One or two units make up nearly all of a sum.", "Drop the sum or merge the group with others."
    ),
    Code.ENDPOINTS: _warn(
        _V, "A minimum or maximum describes a single person.", "Write percentiles, such as the 5th and 95th."
    ),
    Code.ROW_LEVEL: _block(
        _V, "Rows look like single persons or samples.", "Release aggregates only; person-level files stay inside."
    ),
    Code.IDENTIFIER: _block(
        _V, "There is something like a personal identifier.", "Remove names, numbers and contacts of persons."
    ),
    Code.READS: _block(_V, "There are sequences as sequencers read them.", "Sequences of persons stay inside."),
    Code.GENOTYPES: _block(
        _V, "There are genotypes of single persons.", "Write a sites-only file with allele counts."
    ),
    Code.SAMPLE_IDS: _block(
        _V, "A record can name the persons who carry a variant.", "Keep AC, AN and AF in INFO and nothing else."
    ),
    Code.LOW_ALLELE_COUNT: _block(
        _V,
        "An allele is carried, or lacked, by fewer than the threshold.",
        "Remove sites where AC or AN minus AC is below the threshold.",
    ),
    Code.NO_DENOMINATOR: _warn(
        _V, "Frequencies without AC and AN: the count behind them cannot be checked.", "Write AC and AN."
    ),
    Code.INCONSISTENT_COUNTS: _block(
        _V, "Counts contradict each other (AC above AN, AF not AC/AN).", "Recompute AC, AN and AF."
    ),
    Code.HEADER_TEXT: _warn(
        _V, "Header lines hold free text, such as commands, paths or names.", "The clean copy drops them."
    ),
    Code.UNMODELLED_RECORD: _block(
        _V,
        "A record holds something that a sites-only file of short variants does not.",
        "Keep short variants of A, C, G, T and N at unique sites of known chromosomes.",
    ),
    Code.HIDDEN_METADATA: _block(
        _V, "The picture carries text or metadata beside its pixels.", "The clean copy drops it."
    ),
    Code.TRAILING_BYTES: _block(
        _V, "There are bytes after the end of the content.", "Write the file again without them."
    ),
    Code.BROKEN_PICTURE: _block(
        _V, "The picture cannot be decoded within the limits.", "Write a plain PNG of moderate size."
    ),
    Code.PICTURE_ALONE: _warn(
        _C, "Pixels cannot be judged by a program.", "Add the table of numbers that the picture shows."
    ),
    Code.STEGANOGRAPHY: _warn(
        _V, "Nearly equal colours could carry hidden data.", "Draw with few plain colours and no noise."
    ),
    Code.CIPHERTEXT: _block(
        _V, "The content is encrypted or cannot be told from noise.", "Only readable results can leave."
    ),
    Code.UNSAFE_SERIALISATION: _block(
        _C, "This format runs code or keeps training rows when it is opened.", "Write coefficients as a table."
    ),
}
