"""What a Nextflow workflow's files hold, as Nextflow's own parser told it from inside its walls."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from strongroom.errors import BadRequest
from wes.outline import MOST_BYTES, Line, Scalar, Short, Unreadable

# As nf-core's modules write it: "${ workflow.containerEngine == 'singularity' && … ? 'https://…' : 'its/image' }".
_BY_ENGINE = re.compile(
    r"\$?\{?\s*workflow\.containerEngine\s*==\s*'(?:singularity|apptainer)'[^?]*\?\s*'[^']*'\s*:\s*'([^'$]+)'\s*\}?"
)
Names = Annotated[list[Short], Field(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Value(_Part):
    """An argument; `value` is what is known of it without running it, a template with its ${holes}."""

    kind: Literal["text", "number", "template", "closure", "code"]
    value: Scalar | None
    text: Short
    line: Line
    forms: Annotated[list[Short], Field(max_length=20)] | None = None  # what it can be, with ${names}

    @property
    def literal(self) -> str | None:
        """The text that it is, if it is one."""
        return self.value if self.kind == "text" and isinstance(self.value, str) else None

    @property
    def image(self) -> str | None:
        """The image that it names, if known: of a choice by container engine the last, as there is none here."""
        found = _BY_ENGINE.fullmatch(self.text) if self.kind in ("template", "code") else None
        return self.literal if found is None else found[1]


class Said(_Part):
    """A directive, an input or an output; `inner` are the parts of a tuple."""

    name: Short
    line: Line
    text: Short
    values: Annotated[list[Value], Field(max_length=500)]
    named: dict[Short, Value]
    inner: Annotated[list["Said"], Field(max_length=200)]

    @property
    def value(self) -> Value | None:
        """Its first argument."""
        return self.values[0] if self.values else None

    @property
    def word(self) -> str | None:
        """What its first argument says, in quotes or bare."""
        return None if self.value is None else self.value.literal or self.value.text


class Hole(_Part):
    """A place in a script that Nextflow fills: its source, and the names and parameters that it stands on."""

    text: Short
    names: Names
    params: Names
    choices: Names | None


class Piece(_Part):
    """A literal piece of a script, or a hole."""

    text: Annotated[str, Field(max_length=100_000)] | None = None
    hole: Hole | None = None


class Script(_Part):
    """One text that a process's script can be; of a computed one the first piece is its source."""

    kind: Literal["text", "template", "computed"]
    line: Line
    path: Short | None
    parts: Annotated[list[Piece], Field(max_length=2000)]

    def shown(self) -> str:
        """Return the script with ${holes}."""
        return "".join(one.text or "" if one.hole is None else f"${{{one.hole.text}}}" for one in self.parts)


class Local(_Part):
    """A name that a script's code gives to a value; `forms` are what it is in the end, if code gives it several."""

    name: Short
    text: Short
    names: Names
    params: Names
    choices: Names | None
    forms: Annotated[list[Short], Field(max_length=20)] | None = None


class Process(_Part):
    """A process."""

    name: Short
    file: Short
    line: Line
    kind: Short
    directives: Annotated[list[Said], Field(max_length=500)]
    inputs: Annotated[list[Said], Field(max_length=500)]
    outputs: Annotated[list[Said], Field(max_length=500)]
    scripts: Annotated[list[Script], Field(max_length=100)]
    locals: Annotated[list[Local], Field(max_length=500)]
    stub: bool

    def all_of(self, directive: str) -> list[Said]:
        """Return every directive of a name."""
        return [one for one in self.directives if one.name == directive]

    def takes(self) -> list[Said]:
        """Return the inputs, those of tuples one by one."""
        return _flat(self.inputs)

    def variables(self) -> list[str]:
        """Return the names of the variables that it takes as inputs."""
        return [one.word or "" for one in self.takes() if one.name == "env"]

    def reads_stdin(self) -> bool:
        """Say whether one of its inputs is its standard input."""
        return any(one.name == "stdin" for one in self.takes())

    def makes(self) -> list[Said]:
        """Return the outputs, those of tuples one by one."""
        return _flat(self.outputs)


class Include(_Part):
    """An include; `target` is the folder's file that it is, and `names` are pairs of a name and what it is here."""

    file: Short
    line: Line
    source: Short
    target: Short | None
    names: Annotated[list[Annotated[list[Short], Field(min_length=2, max_length=2)]], Field(max_length=200)]


class Channel(_Part):
    """A channel, and what it stands on: names of channels, or outputs as NAME.out, NAME.out.emit or NAME.out.0."""

    name: Short
    line: Line
    sources: Names


Channels = Annotated[list[Channel], Field(max_length=200)]


class Workflow(_Part):
    """A workflow; the entry has no name. `named` are the channels that its body gives names to."""

    file: Short
    line: Line
    name: Short
    takes: Names
    emits: Channels
    publishes: Channels
    named: Channels


class Output(_Part):
    """A declaration of an `output` block: where the files of a published channel of this name go."""

    file: Short
    line: Line
    name: Short
    directives: Annotated[list[Said], Field(max_length=500)]


class Flag(_Part):
    """A feature flag that a script sets."""

    file: Short
    line: Line
    name: Short
    value: Value


class Program(_Part):
    """A file in bin/, or in a module's resources/usr/bin; without a text if it is none."""

    path: Short
    text: Annotated[str, Field(max_length=300_000)] | None


class Setting(_Part):
    """A setting of a configuration; `selector` says of which processes, `known` whether Nextflow has such a one.

    `named` are the parts of a map.
    """

    file: Short
    line: Line
    name: Short
    selector: Short
    known: bool
    value: Value
    named: dict[Short, Value]


class Function(_Part):
    """A function of a script."""

    file: Short
    line: Line
    name: Short
    takes: Names = []


class Param(_Part):
    """A place that reads or sets a parameter, as a.b; `parts` are the values of a map, by their path below it."""

    file: Short
    line: Line
    name: Short
    default: Value | None
    parts: Annotated[dict[Short, Value], Field(max_length=200)] | None = None


class Noted(_Part):
    """A call, or a text that names a place; `where` says whose code it is."""

    file: Short
    line: Line
    name: Short
    where: Literal["workflow", "function", "output", "process", "script", "exec", "lib", "config"]
    text: Short
    slots: Names  # the input slots that a call's words stand on
    others: Names  # what else: parameters as params.a.b, and names that are set elsewhere, as what a workflow takes
    empties: Annotated[list[Line], Field(max_length=20)]  # which of a call's arguments stand on an empty list
    values: Annotated[list[Names], Field(max_length=20)] = []  # of each argument its literals, and ${params.a.b}
    separators: Names  # what a call says that separates columns
    prints: bool = False  # of a hook: whether its code does no more than print


class File(_Part):
    """A file that was read."""

    path: Short
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    lines: Line
    is_script: bool


class NextflowOutline(_Part):
    """All that vetting knows of a Nextflow workflow's code."""

    files: Annotated[list[File], Field(max_length=2000)]
    includes: Annotated[list[Include], Field(max_length=2000)]
    processes: Annotated[list[Process], Field(max_length=5000)]
    workflows: Annotated[list[Workflow], Field(max_length=5000)]
    outputs: Annotated[list[Output], Field(max_length=2000)]
    flags: Annotated[list[Flag], Field(max_length=2000)]
    functions: Annotated[list[Function], Field(max_length=5000)]
    params: Annotated[list[Param], Field(max_length=30_000)]
    calls: Annotated[list[Noted], Field(max_length=30_000)]
    texts: Annotated[list[Noted], Field(max_length=30_000)]
    code: Annotated[list[Short], Field(max_length=2000)]
    programs: Annotated[list[Program], Field(max_length=2000)]
    configs: Annotated[list[Short], Field(max_length=2000)]
    settings: Annotated[list[Setting], Field(max_length=2000)]
    errors: Annotated[list[Unreadable], Field(max_length=10_000)]

    def names_of(self, process: Process) -> list[str]:
        """Return the names under which a process runs: those of includes, and its own where nothing else names it."""
        aliases = [
            new
            for one in self.includes
            if one.target == process.file
            for old, new in one.names
            if old == process.name
        ]
        called = any(one.file == process.file and one.name == process.name for one in self.calls)
        return list(dict.fromkeys([process.name, *aliases] if called or not aliases else aliases))


def parse_nextflow_outline(raw: bytes) -> NextflowOutline:
    """Return the outline in what the walls printed: hostile text, so its size and every field are checked."""
    if len(raw) > MOST_BYTES:
        raise BadRequest("The workflow is too large for an outline; split it.")
    try:
        return NextflowOutline.model_validate_json(raw)
    except ValidationError as error:
        raise BadRequest("The workflow's outline cannot be read: a name or a text in it is too long.") from error


def _flat(said: list[Said]) -> list[Said]:
    return [part for one in said for part in ([*one.inner, *_words(one)] if one.name == "tuple" else [one])]


def _words(said: Said) -> list[Said]:
    """Return the parts of a tuple that are a bare word."""
    return [
        Said(name=one.text, line=one.line, text=one.text, values=[], named={}, inner=[])
        for one in said.values
        if one.text in ("stdin", "stdout")
    ]
