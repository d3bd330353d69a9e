"""Decides whether what a process runs is what the vetters signed: a template of the manifest, or free (T18)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom.errors import BadRequest, NotAllowed
from wes.matching import stands_in

SHEBANG = "#!/bin/bash -ue\n"  # what Nextflow writes above a script that has none
MOST_TEMPLATE = 20_000
MOST_SCRIPT, MOST_HOLES = 50_000, 50
_PROCESS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
# What stands above a script in its template: a variable, or what it reads as standard input.
_BESIDE = re.compile(r"@(?:env ([A-Za-z_][A-Za-z0-9_]*)=|stdin )(.*)(?:\n|\Z)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
# Shells, loaders and interpreters obey these: what they name would be run.
_OBEYED = re.compile(
    r"PATH|HOME|IFS|ENV|CDPATH|PS4|PROMPT_COMMAND|SHELLOPTS|GCONV_PATH|TMPDIR|_?JAVA_\w*|JDK_JAVA_OPTIONS|"
    r"(?:BASH|LD_|PYTHON|PERL|RUBY|NODE_|R_|XDG_|NXF_|GIT_|MALLOC_|OPENSSL_)\w*"
)
_HOLE = re.compile(r"@\{[a-z][a-z0-9_]*(\*?)\}")
_NO_NAME = re.compile(r"[^a-z0-9_]+")
_FIRST = re.compile(r"[A-Za-z0-9_]")  # never a dash: a hole gives no options, and no path from the root
_NEXT = re.compile(r"[A-Za-z0-9._+=,/@%:-]*")
_MORE = re.compile(r"[A-Za-z0-9._+=,/@%:-]*(?: [A-Za-z0-9_][A-Za-z0-9._+=,/@%:-]*)*")

VALUES = (
    "; if a value was put in it, that fits no hole: a value there has only letters and digits of ASCII "
    "and . _ + = , / @ % : -, begins with a letter, a digit or _, and several words, "
    "with one space between two, stand only in a hole @{name*}: give the parameter or input another value, "
    "or ask a vetter to write the value itself into the template"
)


@dataclass(frozen=True)
class Command:
    """What a task would run: a script, the variables that it is given, and its standard input, if it has one.

    `bin` are folders of the vetted workflow where it finds programs.
    """

    script: str
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: str | None = None
    bin: tuple[str, ...] = ()

    def texts(self) -> list[str]:
        """Return its texts, as templates are held against them."""
        return [self.script.strip(), *(self.env[name] for name in sorted(self.env)), (self.stdin or "").rstrip("\n")]


@dataclass(frozen=True)
class Text:
    """A text with holes: `literals` stand round them, and `many` says which hold several words."""

    literals: tuple[str, ...]
    many: tuple[bool, ...] = ()

    def fits(self, text: str) -> bool:
        """Say whether `text` is this one with plain words in its holes; the work grows with its length."""
        ends = {len(self.literals[0])} if text.startswith(self.literals[0]) else set()
        for many, literal in zip(self.many, self.literals[1:], strict=True):
            ends = {end + len(literal) for end in _filled(text, ends, many) if text.startswith(literal, end)}
        return len(text) in ends


@dataclass(frozen=True)
class Template:
    """Texts with holes: of a script, of the variables that it is given, and of its standard input, if it has one."""

    script: Text
    env: Mapping[str, Text]
    stdin: Text | None

    def texts(self) -> list[Text]:
        """Return its texts, each where `Command.texts` has what is held against it."""
        return [self.script, *(self.env[name] for name in sorted(self.env)), self.stdin or Text(("",))]

    def fits(self, command: Command) -> bool:
        """Say whether `command` is this template with plain words in its holes."""
        return self._is_of(command) and all(
            one.fits(text) for one, text in zip(self.texts(), command.texts(), strict=True)
        )

    def is_but_for_values(self, command: Command) -> bool:
        """Say whether `command` would be this template if any text could stand in its holes."""
        return self._is_of(command) and all(
            stands_in(text, one.literals) for one, text in zip(self.texts(), command.texts(), strict=True)
        )

    def _is_of(self, command: Command) -> bool:
        return self.env.keys() == command.env.keys() and (self.stdin is None) == (command.stdin is None)


@dataclass(frozen=True)
class Commands:
    """What each process of a workflow may run: one of its templates, or, where vetters allowed it, anything."""

    templates: Mapping[str, tuple[Template, ...]]
    free: frozenset[str]

    def is_bound(self, process: str, command: Command) -> bool:
        """Say whether a signed template binds this command; raise `NotAllowed` where it had to."""
        if process in self.free:
            return False
        templates = self.templates.get(process)
        if templates is None:
            raise NotAllowed(f"{process}: not a process of this workflow's manifest; add its template to processes.")
        too_long = sum(map(len, command.texts())) > MOST_SCRIPT
        if too_long or not any(template.fits(command) for template in templates):
            # Never the value: it may be somebody's data.
            why = VALUES if any(template.is_but_for_values(command) for template in templates) else ""
            raise NotAllowed(
                f"{process}: its script is not what the vetters signed in the manifest's processes{why}."
            )
        return True


def parse_commands(processes: Any, free: Any) -> Commands:
    """Return what `processes` and `free_commands` of a manifest say; raise `BadRequest` with the field named."""
    if not isinstance(processes, dict) or not isinstance(free, list):
        raise BadRequest("manifest.yaml: processes is an object of lists of templates, free_commands a list.")
    for name in [*processes, *free]:
        if not isinstance(name, str) or not _PROCESS.fullmatch(name):
            raise BadRequest("manifest.yaml: processes and free_commands name processes of the workflow.")
    if twice := sorted(set(processes) & set(free)):
        raise BadRequest(f"manifest.yaml: {twice[0]} is bound by processes and free by free_commands; choose one.")
    templates = {
        name: tuple(_template(name, one) for one in _listed(name, given)) for name, given in processes.items()
    }
    return Commands(templates, frozenset(free))


def _listed(name: str, given: Any) -> list[Any]:
    templates = given if isinstance(given, list) else [given]
    if not 0 < len(templates) <= 20:
        raise BadRequest(f"manifest.yaml: processes.{name} is a script with holes, or a few of them.")
    return templates


def is_obeyed(variable: str) -> bool:
    """Say whether programs obey a variable of this name, so that a task may not be given one; or it is no name."""
    return not _VARIABLE.fullmatch(variable) or _OBEYED.fullmatch(variable) is not None


def hole_name(word: str) -> str:
    """Return the name of a hole for what a workflow calls `word`."""
    name = _NO_NAME.sub("_", word.lower()).strip("_")
    return name if name[:1].isalpha() else f"value_{name}".rstrip("_")


def beside(variables: Iterable[str], *, reads_stdin: bool) -> str:
    """Return what stands above a script in its template where a task is given words beside it."""
    given = "".join(f"@env {name}=@{{{hole_name(name)}*}}\n" for name in variables)
    return given + ("@stdin @{stdin*}\n" if reads_stdin else "")


def fits_hole(value: str) -> bool:
    """Say whether a hole for one word takes a value."""
    return Text(("", ""), (False,)).fits(value)


def filled(template: str, word: str) -> Command:
    """Return the command that a template's text is with this word in all of its holes."""
    env, stdin, script = _taken_apart(_HOLE.sub(word, template))
    return Command(_headed(script), env, stdin)


def _template(name: str, given: Any) -> Template:
    if not isinstance(given, str) or not 0 < len(given) <= MOST_TEMPLATE:
        raise BadRequest(f"manifest.yaml: processes.{name} is text: the process's script with @{{holes}}.")
    env, stdin, script = _taken_apart(given)
    if not script:
        raise BadRequest(f"manifest.yaml: processes.{name}: a script stands below @env and @stdin.")
    if refused := [variable for variable in env if is_obeyed(variable)]:
        raise BadRequest(f"manifest.yaml: processes.{name}: programs obey {refused[0]}; give it another name.")
    texts = {variable: _text(name, said) for variable, said in env.items()}
    return Template(_text(name, _headed(script)), texts, None if stdin is None else _text(name, stdin))


def _taken_apart(given: str) -> tuple[dict[str, str], str | None, str]:
    """Return the variables, the standard input and the script of a template's text."""
    text, env, stdin = given.strip(), dict[str, str](), None
    while (found := _BESIDE.match(text)) is not None:
        if found[1] in env or (found[1] is None and stdin is not None):
            raise BadRequest(f"manifest.yaml: processes: {found[0].strip()[:80]}: one line for each.")
        text = text[found.end() :]
        if found[1] is None:
            stdin = found[2]
        else:
            env[found[1]] = found[2]
    return env, stdin, text.strip()


def _headed(script: str) -> str:
    return script if script.startswith("#!") else SHEBANG + script


def _text(name: str, given: str) -> Text:
    pieces = _HOLE.split(given)
    if any("@{" in literal for literal in pieces[::2]):
        raise BadRequest(f"manifest.yaml: processes.{name}: a hole is @{{name}}, or @{{name*}} for several words.")
    if len(pieces) > 2 * MOST_HOLES:
        raise BadRequest(f"manifest.yaml: processes.{name}: {MOST_HOLES} holes at most.")
    return Text(tuple(pieces[::2]), tuple(star == "*" for star in pieces[1::2]))


def _filled(text: str, starts: set[int], many: bool) -> set[int]:
    """Return where a hole that begins at one of `starts` may end."""
    ends: set[int] = set()
    reach = -1
    for start in sorted(starts):
        # What an earlier start reached, this one cannot reach beyond: each letter is looked at once.
        if start < reach or not _FIRST.match(text, start):
            continue
        found = (_MORE if many else _NEXT).match(text, start)
        assert found is not None
        reach = found.end()
        ends.update(range(start + 1, reach + 1))
    return ends
