"""What a workflow's files hold, rule by rule, as the engine's own parser told it from inside its walls."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from strongroom.errors import BadRequest

PLACE = re.compile(r"-?[0-9]{1,6}")  # in a list
MOST_BYTES = 8 << 20  # as wes.reading
Short = Annotated[str, Field(max_length=400)]
Long = Annotated[str, Field(max_length=8000)]
Line = Annotated[int, Field(ge=0, le=10_000_000)]
Scalar = str | int | float | bool
Where = Literal["parse", "run", "hook", "task"]


class Absent:
    """What a configuration does not say; null is a value."""


ABSENT = Absent()


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Argument(_Part):
    """One argument of a directive; `value` is what is known of it without running it."""

    key: Short | None
    kind: Literal[
        "text", "texts", "number", "nothing", "config", "choice", "count", "lambda", "job", "format", "code"
    ]  # fmt: skip
    value: Scalar | Annotated[list[Scalar], Field(max_length=1000)] | None
    text: Long
    marks: Annotated[list[Short], Field(max_length=20)]
    line: Line


class Script(_Part):
    """A script that a rule names, by its path in the workflow's folder."""

    path: Short
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Place(_Part):
    """A line of a file."""

    file: Short
    line: Line


class Rule(_Part):
    """A rule (Snakemake) or process (Nextflow)."""

    name: Short
    kind: Literal["rule", "checkpoint", "use"]
    file: Short
    line: Line
    config: Short | None = ""  # of a rule of a module: where its configuration is in ours; None if that is computed
    directives: dict[Short, Annotated[list[Argument], Field(max_length=5000)]]
    scripts: Annotated[list[Script], Field(max_length=10)]
    beside: Annotated[list[Short], Field(max_length=200)] = []  # words of its command that are files of the folder
    basedir: Short = ""  # what {workflow.basedir} is in its command
    twice: Annotated[list[Place], Field(max_length=5000)] = []  # where else a rule of this name is written

    def first(self, directive: str) -> Argument | None:
        """Return the first argument of a directive."""
        return next(iter(self.directives.get(directive, ())), None)


class Statement(_Part):
    """What stands outside of rules: an include, a module, a configfile."""

    file: Short
    line: Line
    name: Short
    arguments: Annotated[list[Argument], Field(max_length=1000)]


class Call(_Part):
    """One call or import; `where` says whether it happens at parse time, in a rule's run:, a hook or a task."""

    file: Short
    line: Line
    name: Short
    where: Where
    text: Long
    first: Argument | None
    slots: Annotated[list[Short], Field(max_length=100)]  # the input slots that its words stand on
    separators: Annotated[list[Short], Field(max_length=20)]  # what it says that separates columns
    checkpoints: Annotated[list[Short], Field(max_length=20)] = []  # the rules of checkpoints.RULE.get


class Read(_Part):
    """A value of the configuration that the workflow asks for, as a.b."""

    path: Short
    default: Argument | None


class OwnConfig(_Part):
    """A configuration file that the workflow brings along; `laid` are files that it needs in the work folder."""

    path: Short
    values: dict[Short, JsonValue]
    laid: Annotated[list[Short], Field(max_length=201)]


class File(_Part):
    """A file that was read."""

    path: Short
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    lines: Line
    is_snakefile: bool


class Unreadable(_Part):
    """What the parser did not understand."""

    file: Short
    line: Line
    message: Short | Long


class Outline(_Part):
    """All that vetting knows of a workflow's code."""

    files: Annotated[list[File], Field(max_length=2000)]
    rules: Annotated[list[Rule], Field(max_length=5000)]
    statements: Annotated[list[Statement], Field(max_length=10_000)]
    calls: Annotated[list[Call], Field(max_length=100_000)]
    globals: Annotated[list[Argument], Field(max_length=10_000)]
    reads: Annotated[list[Read], Field(max_length=10_000)]
    configs: Annotated[list[OwnConfig], Field(max_length=100)] = []
    own_files: Annotated[list[Short], Field(max_length=200)] = []  # of the folder, named literally
    errors: Annotated[list[Unreadable], Field(max_length=1000)]

    def own(self, path: str) -> JsonValue | Absent:
        """Return the value at a.b of the workflow's own configuration, which may be null; ABSENT if it has none."""
        found: JsonValue | Absent = ABSENT
        for config in self.configs:  # a later one counts more
            said: JsonValue | Absent = dict(config.values)
            for key in path.split("."):
                said = _part(said, key)
            found = found if isinstance(said, Absent) else said
        return found


def _part(said: JsonValue | Absent, key: str) -> JsonValue | Absent:
    """Return a value of a map by its key, or of a list by its place."""
    if isinstance(said, dict):
        return said.get(key, ABSENT)
    if not isinstance(said, list) or not PLACE.fullmatch(key):
        return ABSENT
    return said[int(key)] if -len(said) <= int(key) < len(said) else ABSENT


def parse_outline(raw: bytes) -> Outline:
    """Return the outline in what the walls printed: hostile text, so its size and every field are checked."""
    if len(raw) > MOST_BYTES:
        raise BadRequest("The workflow is too large for an outline; split it.")
    try:
        outline = Outline.model_validate_json(raw)
    except ValidationError as error:
        raise BadRequest("The workflow's outline cannot be read: a name or a text in it is too long.") from error
    ordered = sorted(outline.rules, key=lambda rule: (rule.file, rule.line))
    return outline.model_copy(update={"rules": ordered})
