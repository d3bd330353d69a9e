"""Holds one file as its reader understood it: typed models, and the shape that every check has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from .findings import Finding
from .people import NOBODY, People
from .promise import Promise
from .thresholds import Policy


class Format(Enum):
    """What the content is, whatever the name says."""

    TABLE = "table"
    VCF = "vcf"
    PNG = "png"
    TEXT = "text"
    EMPTY = "empty"
    READS = "reads"
    GENOTYPES = "genotypes"
    PERSON_LINES = "person-lines"
    CIPHERTEXT = "ciphertext"
    SERIALISED = "serialised"
    JPEG = "jpeg"
    GIF = "gif"
    SVG = "svg"
    JSON = "json"
    NOTEBOOK = "notebook"
    HTML = "html"
    PDF = "pdf"
    SHEETS = "sheets"
    DOCUMENT = "document"
    ARCHIVE = "archive"
    COLUMNS = "columns"
    DATABASE = "database"
    WEIGHTS = "weights"
    SCAN = "scan"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; `delimiter` and `decimal_comma` say how they were written."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    delimiter: str
    encoding: str
    decimal_comma: bool = False
    _columns: dict[int, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def column(self, index: int) -> tuple[str, ...]:
        """Return the cells of one column, short rows as empty cells.

        Every check asks for it, so it is kept; one of short rows is not: many names over few cells would fill memory.
        """
        if index not in self._columns:
            try:
                self._columns[index] = tuple([row[index] for row in self.rows])
            except IndexError:
                return tuple([row[index] if index < len(row) else "" for row in self.rows])
        return self._columns[index]


class Site(NamedTuple):
    """One record; `counts` is AC for each ALT or None, `rest` the INFO keys that are not AC, AN or AF."""

    chrom: str
    pos: int
    rsid: str
    ref: str
    alts: tuple[str, ...]
    filter: str
    counts: tuple[int, ...] | None
    total: int | None
    frequencies: tuple[float, ...] | None
    rest: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sites:
    """A VCF as read: its meta lines as text, its column names, its records.

    `odd` are rows and columns with words where no variant has any; a clean copy has none of them.
    """

    meta: tuple[str, ...]
    columns: tuple[str, ...]
    sites: tuple[Site, ...]
    odd: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, JPEG or GIF as read: kinds of its chunks in order and what follows its end, pixels undecoded."""

    content: bytes
    width: int
    height: int
    chunks: tuple[bytes, ...]
    trailing: int
    format: Format = Format.PNG


@dataclass(frozen=True, slots=True)
class Prose:
    """Text that is no table; there is no clean copy of it, it is only searched and shown."""

    lines: tuple[str, ...]
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Printed:
    """A PDF as it came, whose pages can be drawn, and how many the reader of its words found."""

    content: bytes
    pages: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """Several things in one file: sheets, tables, texts, members; each is judged as if it came alone.

    `seen` is what the reader itself noticed; `finished` is false where it had to leave something unread;
    `source` is JSON as it came, for its clean copy; `printed` is a PDF, for pictures of its pages.
    """

    members: "tuple[Subject, ...]"
    seen: tuple[Finding, ...] = ()
    finished: bool = True
    source: bytes = b""
    printed: Printed | None = None


Model = Table | Sites | Picture | Prose | Bundle | None


@dataclass(frozen=True, slots=True)
class Subject:
    """The file that is judged, and by what. `supporting` maps contract names to files handed in with it."""

    name: str
    format: Format
    model: Model
    policy: Policy
    promise: Promise | None = None
    supporting: Mapping[str, Path] = field(default_factory=dict)
    people: People = NOBODY


class Nest(Protocol):
    """Opens the bytes of one member within what is left of the file's budget, and never raises for its content."""

    def __call__(self, name: str, content: bytes) -> Subject:
        """Return the member as read."""
        ...


class Check(Protocol):
    """One disclosure test: looks at the subject, says what it saw, changes nothing."""

    def __call__(self, subject: Subject) -> Iterable[Finding]:
        """Yield findings; nothing for a model that the check does not know."""
        ...
