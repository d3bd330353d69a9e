"""Parses what an inspection's sandbox answered: enums and bounded numbers pass, and nothing else is kept (T27)."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airlock.checks.brought import MOST_LINES
from airlock.checks.cells import MOST_CELLS, Cells
from airlock.checks.cells import Cell as Count
from airlock.checks.codes import Code, Severity
from airlock.checks.findings import MAX_FINDINGS
from airlock.checks.sites import MOST as MOST_HASHES
from airlock.checks.sites import Sketch
from airlock.checks.texts import TEXTS
from airlock.intake_files import Verdict
from strongroom.errors import StrongroomError

MOST_BYTES = 256 * 1024
MOST_NUMBER = 2**53


class InspectionFailed(StrongroomError):
    """An inspection gave no answer that can be believed; the file counts as not inspected."""

    status = 503


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Number = Annotated[int, Field(ge=0, le=MOST_NUMBER)]
Cell = Annotated[str, Field(max_length=1000)]
Row = Annotated[list[Cell], Field(max_length=100)]
Rows = Annotated[list[Row], Field(max_length=2000)]


class Where(_Part):
    """Where a finding is: line, column, byte, and the member of a file of several parts."""

    row: Number | None = None
    column: Number | None = None
    offset: Number | None = None
    member: Number | None = None


class Found(BaseModel):
    """One finding; its words come from our own table, whatever the answer says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: Code
    severity: Verdict
    place: Where = Where()


class TableView(_Part):
    """The first rows of a table."""

    kind: Literal["table"]
    columns: Row
    rows: Rows
    first: Number = 1  # row that `rows` begins with
    total_rows: Number
    truncated: bool


class SitesView(_Part):
    """The first sites of a VCF, without any sample column."""

    kind: Literal["vcf"]
    columns: Row
    header_lines: Number
    sample_columns: Number
    frequency_histogram: Annotated[list[Number], Field(max_length=100)]
    rows: Rows
    first: Number = 1  # row that `rows` begins with
    total_rows: Number
    truncated: bool


class TextView(_Part):
    """The first lines of a text."""

    kind: Literal["text"]
    rows: Annotated[list[Row], Field(max_length=MOST_LINES)]
    first: Number = 1  # row that `rows` begins with
    total_rows: Number
    truncated: bool


def _check_png(png: str) -> None:
    if not base64.b64decode(png, validate=True).startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("not a PNG")


class ImageView(_Part):
    """A picture, drawn again and halved until it is small."""

    kind: Literal["image"]
    media_type: Literal["image/png"]
    png: Annotated[str, Field(max_length=MOST_BYTES)]
    width: Number
    height: Number

    @model_validator(mode="after")
    def _is_png(self) -> "ImageView":
        _check_png(self.png)
        return self


class PageView(_Part):
    """One page of the PDFs in a file, counted through all of them; `png` is empty where it could not be drawn."""

    kind: Literal["page"]
    media_type: Literal["image/png"]
    png: Annotated[str, Field(max_length=MOST_BYTES)]
    width: Number
    height: Number
    number: Number
    total: Number
    part: Number  # that holds the words of this PDF

    @model_validator(mode="after")
    def _is_png(self) -> "PageView":
        if self.png:
            _check_png(self.png)
        return self


class Part(_Part):
    """One of several tables or texts in one file, by its number among all."""

    number: Number
    format: Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")]
    view: Annotated[TableView | TextView, Field(discriminator="kind")]


class PartsView(_Part):
    """The first tables and texts of a file of several parts."""

    kind: Literal["parts"]
    parts: Annotated[list[Part], Field(max_length=20)]
    total_parts: Number
    pages: Number = 0  # of all PDFs in the file


View = Annotated[TableView | SitesView | TextView | ImageView | PageView | PartsView, Field(discriminator="kind")]


class Counts(_Part):
    """The counts of a file, to be held against released ones."""

    rounded: bool
    complete: bool
    cells: Annotated[
        list[tuple[Hash, Number, Number, Number]],
        Field(max_length=MOST_CELLS),
    ]

    def told(self) -> Cells:
        """Return them as the checks' own type."""
        return Cells(tuple(Count(*one) for one in self.cells), self.rounded, self.complete)


class Answer(_Part):
    """What one inspection says."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["repack", "check", "view", "members"]
    policy_version: Annotated[int, Field(ge=0)]
    format: Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")]
    verdict: Annotated[Verdict, Field(strict=False)]
    complete: bool
    findings: Annotated[list[Annotated[Found, Field(strict=False)]], Field(max_length=MAX_FINDINGS)]
    omitted: Number
    facts: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], Number], Field(max_length=20)]
    clean: bool
    view: View | None = None
    cells: Counts | None = None
    sites: Annotated[list[Hash], Field(max_length=MOST_HASHES)] | None = None
    members: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){0,7500}$")] | None = None

    @model_validator(mode="after")
    def _no_milder_than_its_findings(self) -> "Answer":
        worst = max((Severity[f.severity.name] for f in self.findings), default=Severity.PASS)
        if Severity[self.verdict.name] < worst or (not self.complete and self.verdict is not Verdict.BLOCK):
            raise ValueError("a verdict milder than its findings")
        return self


def counts(answer: Answer) -> Cells | None:
    """Return the counts of a file as the checks' own type."""
    return answer.cells.told() if answer.cells else None


def sketch(answer: Answer) -> Sketch | None:
    """Return the places of a file as the checks' own type, in order and each once, whatever the answer holds."""
    return None if answer.sites is None else Sketch(tuple(sorted({int(number, 16) for number in answer.sites})))


def parse_answer(report: dict[str, Any], *, kind: str) -> Answer:
    """Return the answer in what the inspection door reported; raise `InspectionFailed` for anything else."""
    if report.get("cause") != "exited" or report.get("exit_code") != 0:
        raise InspectionFailed("The inspection did not finish.", detail=f"cause {str(report.get('cause'))[:40]}")
    try:
        raw = base64.b64decode(report["answer"], validate=True)
        if len(raw) > MOST_BYTES:
            raise InspectionFailed("The inspection did not finish.", detail="an answer beyond the limit")
        answer = Answer.model_validate_json(raw)
    except ValidationError as error:
        places = "; ".join(".".join(str(p) for p in e["loc"]) for e in error.errors()[:3])
        raise InspectionFailed("The inspection did not finish.", detail=f"answer refused at {places}") from error
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise InspectionFailed("The inspection did not finish.", detail="no answer") from error
    if answer.kind != kind:
        raise InspectionFailed("The inspection did not finish.", detail="an answer to another question")
    return answer


def clean_copy(report: dict[str, Any]) -> tuple[str, int]:
    """Return object and size of the one clean copy that a repack left."""
    outputs = [o for o in report.get("outputs", []) if o.get("role", "output") == "output"]
    if len(outputs) != 1 or str(outputs[0].get("path", "")).rsplit("/", 1)[-1] != "clean":
        raise InspectionFailed("The inspection did not finish.", detail="not exactly one clean copy")
    return str(outputs[0]["object"]), int(outputs[0]["size"])


def told(finding: dict[str, Any]) -> dict[str, Any]:
    """Return a stored finding with the words and the cure of its code."""
    text = TEXTS[Code(finding["code"])]
    return finding | {"about": text.about.value, "reason": text.reason, "cure": text.cure}


def stored(answer: Answer) -> list[dict[str, Any]]:
    """Return findings as they are kept: code, severity and place."""
    return [
        {"code": f.code.value, "severity": f.severity.value, "place": f.place.model_dump(exclude_none=True)}
        for f in answer.findings
    ]


def not_inspected() -> list[dict[str, Any]]:
    """Return the finding of a file that could not be inspected; it blocks."""
    return [{"code": Code.INSPECTION_FAILED.value, "severity": Verdict.BLOCK.value, "place": {}}]
