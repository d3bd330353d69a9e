"""The wire types of outputs that the airlock holds, and of fixed copies of them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from airlock.checks.fixes import Fix, FixKind
from airlock.schemas import Finding

Word = Annotated[str, Field(max_length=60)]


class NewFix(BaseModel):
    """POST /outputs/{file}:fix: what to do to a table; `bands` are those to merge, none means all in pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FixKind
    column: Word = ""
    bands: Annotated[list[Word], Field(max_length=100)] = Field(default=[])

    def fix(self) -> Fix:
        """Return it as the rules read it."""
        return Fix(self.kind, self.column, tuple(self.bands))


class OfferedFix(BaseModel):
    """A fix that fits what the contract promises of a table, with its words."""

    kind: FixKind
    column: str
    bands: list[str]
    words: str


class Output(BaseModel):
    """One file that the airlock holds; `size` and findings on values only where they may be seen (T5).

    A fixed copy names the path of the output that it was made of, and what was done.
    """

    id: str
    path: str
    state: str
    verdict: str
    findings: list[Finding]
    size: int | None
    policy_version: int
    fixed_from: str | None = None
    fixes: list[str] = []
    may_fix: list[OfferedFix] = []


class Outputs(BaseModel):
    """What the airlock holds of a run."""

    run: str
    project: str
    observability: str
    settled: bool
    left_inside: int | None
    files: list[Output]
