"""Parses what an inspection's sandbox answered: enums and bounded numbers pass, and nothing else is kept (T27)."""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airlock.checks.findings import MAX_FINDINGS, TEXTS, Code, Severity
from airlock.intake_files import Verdict
from strongroom.errors import StrongroomError

MOST_BYTES = 256 * 1024
MOST_NUMBER = 2**53


class InspectionFailed(StrongroomError):
    """An inspection gave no answer that can be believed; the file counts as not inspected."""

    status = 503


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Number = Annotated[int, Field(ge=0, le=MOST_NUMBER)]
Cell = Annotated[str, Field(max_length=1000)]
Row = Annotated[list[Cell], Field(max_length=100)]
Rows = Annotated[list[Row], Field(max_length=200)]


class Where(_Part):
    """Where a finding is: line, column, byte."""

    row: Number | None = None
    column: Number | None = None
    offset: Number | None = None


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
    total_rows: Number
    truncated: bool


class TextView(_Part):
    """The first lines of a text."""

    kind: Literal["text"]
    rows: Rows
    total_rows: Number
    truncated: bool


class ImageView(_Part):
    """A picture, drawn again and halved until it is small."""

    kind: Literal["image"]
    media_type: Literal["image/png"]
    png: Annotated[str, Field(max_length=MOST_BYTES)]
    width: Number
    height: Number

    @model_validator(mode="after")
    def _is_png(self) -> "ImageView":
        if not base64.b64decode(self.png, validate=True).startswith(b"\x89PNG\r\n\x1a\n"):
            raise ValueError("not a PNG")
        return self


View = Annotated[TableView | SitesView | TextView | ImageView, Field(discriminator="kind")]


class Answer(_Part):
    """What one inspection says."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["repack", "check", "view"]
    policy_version: Annotated[int, Field(ge=0)]
    format: Annotated[str, Field(pattern=r"^[a-z-]{1,40}$")]
    verdict: Annotated[Verdict, Field(strict=False)]
    complete: bool
    findings: Annotated[list[Annotated[Found, Field(strict=False)]], Field(max_length=MAX_FINDINGS)]
    omitted: Number
    facts: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")], Number], Field(max_length=20)]
    clean: bool
    view: View | None = None

    @model_validator(mode="after")
    def _no_milder_than_its_findings(self) -> "Answer":
        worst = max((Severity[f.severity.name] for f in self.findings), default=Severity.PASS)
        if Severity[self.verdict.name] < worst or (not self.complete and self.verdict is not Verdict.BLOCK):
            raise ValueError("a verdict milder than its findings")
        return self


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
